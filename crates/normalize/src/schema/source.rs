//! One source's description, compiled: names became slots, texts became tables.

use std::collections::BTreeSet;

use event::ObservationKind;
use hashbrown::HashMap;

use super::SchemaError;
use super::reader::{Entry, Members};
use crate::columns::{Cell, Column, FILLABLE, fillable};
use crate::formats::json::Shape;
use crate::formats::patterns::{Pattern, group_names};
use crate::formats::template::{Template, parts};
use crate::formats::{Place, syslog};
use crate::mapping::{ColumnRule, Convert, FromSlot};
use crate::observe::Observe;
use crate::redact::secret_name;
use crate::settings::{Constant, On, Settings, Table};
use crate::stamp::{StampFormat, zone_ms};

const TOP: [&str; 17] = [
    "about",
    "format",
    "recognise",
    "template",
    "rest",
    "escapes",
    "request_line",
    "empty",
    "ignore",
    "time",
    "required",
    "columns",
    "token_in_url",
    "patterns",
    "by",
    "set",
    "keep_raw",
];
const FORMATS: [(&str, &str); 4] =
    [("json", "json"), ("template", "template"), ("regex", "regex"), ("syslog", "syslog")];
const CHOICE: [(&str, bool); 2] = [("true", true), ("false", false)];
/// What `request_line` splits a field into.
const REQUEST_PARTS: [&str; 3] = ["request_line.method", "request_line.target", "request_line.protocol"];

/// A source that lines can be read with.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) recognise: Recognise,
    pub(crate) slots: usize,
    /// The field that holds a request line, and the slots of its parts.
    pub(crate) request_line: Option<(usize, [Option<usize>; 3])>,
    pub(crate) empty: Vec<String>,
    pub(crate) time: TimeRule,
    pub(crate) required: Vec<(usize, String)>,
    pub(crate) columns: Vec<ColumnRule>,
    /// The slots that no column takes its value from, and their fields' names.
    pub(crate) leftover: Vec<(usize, String)>,
    pub(crate) token_in_url: Vec<String>,
    pub(crate) tables: Vec<Table>,
    pub(crate) base: Settings,
    pub(crate) keep_raw: bool,
}

/// How the source's lines are taken apart.
#[derive(Debug)]
pub(crate) enum Format {
    Json(Shape),
    Template(Template),
    Regex(Vec<Pattern>),
    Syslog { patterns: Vec<Pattern>, header: Vec<Place> },
}

/// How a line says that it is of this source, where nothing else does.
#[derive(Debug)]
pub(crate) enum Recognise {
    /// A JSON object that has all these keys, which stand here in their quotes.
    Keys(Vec<String>),
    /// Text that the format can read.
    Readable,
    /// Only by name.
    Never,
}

/// Where the event's time stands.
#[derive(Debug)]
pub(crate) struct TimeRule {
    pub(crate) from: Vec<(usize, String)>,
    pub(crate) formats: Vec<StampFormat>,
    pub(crate) zone_ms: Option<i64>,
    /// Whether two events never are equal to the last byte, their stamps being finer than a second.
    pub(crate) precise: bool,
}

impl Recognise {
    /// How much has to be true of a line: what asks for more is tried first.
    pub(crate) fn particular(&self) -> usize {
        match self {
            Self::Keys(keys) => 1 + keys.len(),
            Self::Readable => 1,
            Self::Never => 0,
        }
    }
}

impl Source {
    /// Reads and checks a description.
    pub(crate) fn read(name: &str, file: &str, yaml: &str) -> Result<Self, SchemaError> {
        let top = Members::of_file(file, yaml)?;
        top.only(&TOP)?;
        top.need("about", "say in a sentence which logs these are", |entry| entry.text())?;
        let format = top.need("format", "say json, template, regex or syslog", |entry| {
            entry.one_of("format", &FORMATS)
        })?;
        let paths = Paths::collect(&top)?;
        let request_line = top.get("request_line", |entry| {
            let field = entry.text()?;
            let slot = paths.slot(&field).expect("its path was collected");
            Ok((slot, REQUEST_PARTS.map(|part| paths.slot(part))))
        })?;
        let required = top.get("required", |entry| {
            let names = entry.texts()?;
            Ok(names
                .into_iter()
                .map(|path| (paths.slot(&path).expect("its path was collected"), path))
                .collect())
        })?;
        let columns = top.get("columns", |entry| columns(entry, &paths))?.unwrap_or_default();
        let source = Self {
            name: name.to_owned(),
            recognise: recognise(&top, format)?,
            slots: paths.sorted.len(),
            request_line,
            empty: top.get("empty", |entry| entry.texts())?.unwrap_or_default(),
            time: top
                .need("time", "say `time: {from: field, formats: [rfc3339]}`", |entry| time(entry, &paths))?,
            required: required.unwrap_or_default(),
            leftover: leftover(&columns, &paths),
            columns,
            token_in_url: top.get("token_in_url", |entry| entry.texts())?.unwrap_or_default(),
            tables: top.get("by", |entry| entry.items(|item| table(item, &paths)))?.unwrap_or_default(),
            base: top.get("set", settings)?.unwrap_or_default(),
            keep_raw: top.get("keep_raw", |entry| entry.one_of("choice", &CHOICE))?.unwrap_or(true),
            format: match format {
                "json" => Format::Json(Shape::of(&paths.sorted).map_err(|path| overlap(&top, file, &path))?),
                "template" => Format::Template(template(&top, &paths)?),
                "regex" => Format::Regex(patterns(&top, &paths)?),
                _ => Format::Syslog {
                    patterns: patterns(&top, &paths)?,
                    header: syslog::NAMES.iter().map(|name| paths.place(name)).collect(),
                },
            },
        };
        Ok(source)
    }
}

/// Every field that the description names, in order; a field's place in it is its slot.
struct Paths {
    sorted: Vec<String>,
    ignored: Vec<String>,
}

impl Paths {
    fn collect(top: &Members) -> Result<Self, SchemaError> {
        let mut paths = BTreeSet::new();
        top.get("time", |entry| {
            paths.extend(entry.members()?.get("from", |from| from.texts())?.unwrap_or_default());
            Ok(())
        })?;
        for key in ["required", "request_line"] {
            paths.extend(top.get(key, |entry| entry.texts())?.unwrap_or_default());
        }
        if top.get("request_line", |_| Ok(()))?.is_some() {
            paths.extend(REQUEST_PARTS.map(str::to_owned));
        }
        top.get("columns", |entry| {
            entry.members()?.each(|_, rule| {
                paths.extend(from_of(rule)?);
                Ok(())
            })
        })?;
        let ignored = top.get("ignore", |entry| entry.texts())?.unwrap_or_default();
        paths.extend(ignored.iter().cloned());
        Ok(Self { sorted: paths.into_iter().collect(), ignored })
    }

    fn slot(&self, path: &str) -> Option<usize> {
        self.sorted.binary_search_by(|known| known.as_str().cmp(path)).ok()
    }

    fn place(&self, name: &str) -> Place {
        // A secret that nobody needs has to be known all the same: the line holds it.
        if self.ignored.iter().any(|ignored| ignored == name) && secret_name(name.as_bytes()).is_none() {
            return Place::Nowhere;
        }
        self.slot(name).map_or_else(|| Place::Rest(name.to_owned()), Place::Slot)
    }
}

fn overlap(_top: &Members, file: &str, path: &str) -> SchemaError {
    SchemaError {
        file: file.to_owned(),
        key: path.to_owned(),
        problem: "the field lies inside another that is named too".to_owned(),
        cure: "name either the whole object or its members".to_owned(),
    }
}

fn recognise(top: &Members, format: &str) -> Result<Recognise, SchemaError> {
    let found = top.get("recognise", |entry| {
        if !entry.is_mapping() {
            return entry.one_of("way to recognise", &[("by_name", false), ("by_format", true)]).map(
                |readable| {
                    if readable && format != "json" { Recognise::Readable } else { Recognise::Never }
                },
            );
        }
        let members = entry.members()?;
        members.only(&["keys"])?;
        let keys = members.need("keys", "list keys that every line has", |keys| keys.texts())?;
        let keys = keys.into_iter().map(|key| format!("\"{key}\"")).collect();
        if format == "json" {
            Ok(Recognise::Keys(keys))
        } else {
            Err(entry.wrong("only JSON has keys", "write `recognise: by_format`"))
        }
    })?;
    Ok(found.unwrap_or(Recognise::Never))
}

fn time(entry: Entry<'_>, paths: &Paths) -> Result<TimeRule, SchemaError> {
    let members = entry.members()?;
    members.only(&["from", "formats", "zone", "precise"])?;
    let from = members.need("from", "name the field that holds the time", |from| from.texts())?;
    let formats = members.need("formats", "list how the time may be written", |formats| {
        formats.items(|item| item.one_of("time format", &StampFormat::NAMES))
    })?;
    let zone_ms = members.get("zone", |zone| {
        zone_ms(&zone.text()?)
            .ok_or_else(|| zone.wrong("not a zone", "write UTC or an offset such as \"+01:00\""))
    })?;
    let from =
        from.into_iter().map(|path| (paths.slot(&path).expect("its path was collected"), path)).collect();
    let precise = members.get("precise", |entry| entry.one_of("choice", &CHOICE))?.unwrap_or(false);
    Ok(TimeRule { from, formats, zone_ms, precise })
}

/// The fields of a column's rule, which is a field's name or a mapping.
fn from_of(rule: Entry<'_>) -> Result<Vec<String>, SchemaError> {
    if !rule.is_mapping() {
        return rule.texts();
    }
    rule.members()?.need("from", "name the field that the column comes from", |from| {
        if from.is_mapping() {
            let members = from.members()?;
            let mut names = Vec::new();
            members.each(|name, _| {
                names.push(name.to_owned());
                Ok(())
            })?;
            return Ok(names);
        }
        from.texts()
    })
}

fn leftover(columns: &[ColumnRule], paths: &Paths) -> Vec<(usize, String)> {
    let taken: BTreeSet<usize> = columns.iter().flat_map(|rule| &rule.from).map(|from| from.slot).collect();
    paths.sorted.iter().cloned().enumerate().filter(|(slot, _)| !taken.contains(slot)).collect()
}

fn columns(entry: Entry<'_>, paths: &Paths) -> Result<Vec<ColumnRule>, SchemaError> {
    let mut rules = Vec::new();
    entry.members()?.each(|name, rule| {
        rules.push(column_rule(named_column(name, &rule)?, rule, paths)?);
        Ok(())
    })?;
    // A field that several columns come from is taken by the last of them.
    let mut uses: HashMap<usize, usize> = HashMap::new();
    for rule in rules.iter_mut().rev() {
        for from in rule.from.iter_mut().rev() {
            let uses = uses.entry(from.slot).or_default();
            from.last_use = *uses == 0;
            *uses += 1;
        }
    }
    for from in rules.iter_mut().flat_map(|rule| &mut rule.from) {
        from.shared = uses[&from.slot] > 1;
    }
    Ok(rules)
}

fn column_rule(column: Column, rule: Entry<'_>, paths: &Paths) -> Result<ColumnRule, SchemaError> {
    let slot = |path: String, flag| FromSlot {
        slot: paths.slot(&path).expect("its path was collected"),
        path,
        last_use: true,
        shared: false,
        flag,
    };
    let mut from: Vec<FromSlot> = from_of(rule)?.into_iter().map(|path| slot(path, None)).collect();
    let mut convert = Convert::Plain;
    let mut words = HashMap::new();
    let mut only_words = false;
    let mut prefix = String::new();
    if rule.is_mapping() {
        let members = rule.members()?;
        members.only(&["from", "as", "words", "only_words", "prefix", "flags"])?;
        only_words = members.get("only_words", |entry| entry.one_of("choice", &CHOICE))?.unwrap_or(false);
        convert = members.get("as", |entry| conversion(entry, column))?.unwrap_or(Convert::Plain);
        members.get("words", |entry| {
            entry.members()?.each(|word, ours| {
                words.insert(word.to_ascii_lowercase(), ours.text()?);
                Ok(())
            })
        })?;
        prefix = members.get("prefix", |entry| entry.text())?.unwrap_or_default();
        members.get("flags", |entry| {
            entry.members()?.each(|path, flag| {
                let from = from.iter_mut().find(|from| from.path == path).ok_or_else(|| {
                    flag.wrong("no such field in `from`", "name a field that the column comes from")
                })?;
                from.flag = Some(flag.text()?);
                Ok(())
            })
        })?;
    }
    if let (Cell::Time(_), Convert::Plain) = (column.cell, convert) {
        convert = Convert::Stamp(StampFormat::Rfc3339);
    }
    Ok(ColumnRule { column, from, convert, words, only_words, prefix })
}

fn conversion(entry: Entry<'_>, column: Column) -> Result<Convert, SchemaError> {
    let stamps = StampFormat::NAMES.map(|(name, format)| (name, Convert::Stamp(format)));
    let names: Vec<(&str, Convert)> = Convert::NAMES.into_iter().chain(stamps).collect();
    let convert = entry.one_of("conversion", &names)?;
    let fits = match (column.cell, convert) {
        (Cell::Time(_), Convert::Stamp(_)) | (Cell::Int(_), Convert::Seconds) => true,
        (Cell::Text(_), Convert::Stamp(_) | Convert::Seconds) => false,
        (Cell::Text(_), _) => true,
        _ => false,
    };
    match fits {
        true => Ok(convert),
        false => Err(entry.wrong(
            format!("it makes nothing that column `{}` can hold", column.name),
            "use a time format for times, `seconds` for milliseconds, the others for text",
        )),
    }
}

fn named_column(name: &str, entry: &Entry<'_>) -> Result<Column, SchemaError> {
    fillable(name).ok_or_else(|| {
        let known: Vec<&str> = FILLABLE.iter().map(|column| column.name).collect();
        entry.wrong("no such column to fill", format!("use one of: {}", known.join(", ")))
    })
}

fn template(top: &Members, paths: &Paths) -> Result<Template, SchemaError> {
    let tail = top
        .get("rest", |entry| entry.one_of("choice", &[("keep", true), ("refuse", false)]))?
        .unwrap_or(false)
        .then(|| Place::Rest("rest".to_owned()));
    let hex =
        top.get("escapes", |entry| entry.one_of("way to escape", &[("nginx", true), ("none", false)]))?;
    top.need("template", "write the log format with $variables", |entry| {
        let text = entry.text()?;
        let cure = "write it as in nginx's log_format";
        let (_, variables) = parts(&text).map_err(|problem| entry.wrong(problem, cure))?;
        known_fields(entry, paths, &variables.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>())?;
        Template::compile(&text, tail, hex.unwrap_or(false), |name| paths.place(name))
            .map_err(|problem| entry.wrong(problem, cure))
    })
}

/// Every field that columns ask for has to be there; a misspelt one would stay empty for ever.
fn known_fields(entry: Entry<'_>, paths: &Paths, names: &[&str]) -> Result<(), SchemaError> {
    let unknown = |path: &&String| !names.contains(&path.as_str()) && !REQUEST_PARTS.contains(&path.as_str());
    match paths.sorted.iter().find(unknown) {
        None => Ok(()),
        Some(path) => Err(entry.wrong(
            format!("nothing here is named `{path}`, which the description asks for"),
            format!("use one of: {}", names.join(", ")),
        )),
    }
}

fn patterns(top: &Members, paths: &Paths) -> Result<Vec<Pattern>, SchemaError> {
    let mut names: Vec<String> = syslog::NAMES.map(str::to_owned).to_vec();
    let found = top.need("patterns", "list expressions as `- match: '^…'`", |entry| {
        let patterns = entry.items(|item| {
            let members = item.members()?;
            members.only(&["match", "programs", "set"])?;
            let programs = members.get("programs", |programs| programs.texts())?.unwrap_or_default();
            let settings = members.get("set", settings)?.unwrap_or_default();
            members.need("match", "write a regular expression", |expression| {
                let text = expression.text()?;
                let wrong = |error: regex::Error| {
                    expression.wrong(error.to_string(), "write an expression of Rust's regex crate")
                };
                names.extend(group_names(&text).map_err(wrong)?);
                Pattern::compile(&text, programs, settings, |name| paths.place(name)).map_err(wrong)
            })
        })?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        known_fields(entry, paths, &names)?;
        Ok(patterns)
    })?;
    Ok(found)
}

/// Constants by column name, `flags` and `observe`.
fn settings(entry: Entry<'_>) -> Result<Settings, SchemaError> {
    let mut settings = Settings::default();
    entry.members()?.each(|name, value| {
        match name {
            "flags" => settings.flags = value.texts()?,
            "observe" => settings.observe = observe(value)?,
            _ => {
                let column = named_column(name, &value).map_err(|error| SchemaError {
                    cure: format!("{}, flags, observe", error.cure),
                    ..error
                })?;
                let constant = match column.cell {
                    Cell::Text(_) => Constant::Text(value.text()?),
                    Cell::Int(_) | Cell::Long(_) => Constant::Number(value.number()?),
                    Cell::Time(_) => {
                        return Err(value.wrong("a time cannot be a constant", "map it under `columns`"));
                    }
                };
                settings.constants.push((column, constant));
            }
        }
        Ok(())
    })?;
    Ok(settings)
}

/// `[requests, {token: token.presented_in_url}]`.
fn observe(entry: Entry<'_>) -> Result<Observe, SchemaError> {
    let mut observe = Observe::default();
    entry.items(|item| {
        if !item.is_mapping() {
            observe.add(item.one_of("observation", &Observe::NAMES)?, None);
            return Ok(());
        }
        let members = item.members()?;
        members.only(&["token"])?;
        let action =
            members.need("token", "name the action that the observation gets", |action| action.text())?;
        observe.add(ObservationKind::Token, Some(&action));
        Ok(())
    })?;
    Ok(observe)
}

fn table(entry: Entry<'_>, paths: &Paths) -> Result<Table, SchemaError> {
    let members = entry.members()?;
    members.only(&["on", "only", "cases", "missing", "otherwise"])?;
    let on = members.need("on", "name the column whose value decides", |on| {
        let name = on.text()?;
        // A field that the description ignores is there to be asked.
        if let Some(slot) = paths.slot(&name).filter(|_| paths.ignored.contains(&name)) {
            return Ok(On::Slot(slot));
        }
        named_column(&name, &on).map(On::Column)
    })?;
    let mut only = Vec::new();
    members.get("only", |entry| {
        entry.members()?.each(|name, values| {
            let column = named_column(name, &values)?;
            match column.cell {
                Cell::Text(_) => only.push((column, values.texts()?)),
                _ => {
                    return Err(
                        values.wrong("only columns of text can be asked here", "choose another column")
                    );
                }
            }
            Ok(())
        })
    })?;
    let mut cases = HashMap::new();
    members.get("cases", |entry| {
        let kind = if let On::Column(column) = &on { Some(column.cell) } else { None };
        if let Some(Cell::Long(_) | Cell::Time(_)) = kind {
            return Err(entry.wrong("cases are for texts and small numbers", "say what `missing` means"));
        }
        entry.members()?.each(|value, case| {
            cases.insert(value.to_owned(), settings(case)?);
            Ok(())
        })
    })?;
    let (missing, otherwise) = (members.get("missing", settings)?, members.get("otherwise", settings)?);
    if cases.is_empty() && missing.is_none() {
        return Err(entry.wrong("nothing depends on it", "write `cases: {value: {column: constant}}`"));
    }
    Ok(Table { on, only, cases, missing, otherwise })
}
