//! One source's description, compiled: names became slots, texts became tables.

use memchr::memmem::Finder;

use super::SchemaError;
use super::reader::{Entry, Members};
use crate::formats::Place;
use crate::formats::json::Shape;
use crate::formats::patterns::Pattern;
use crate::formats::syslog;
use crate::formats::template::Template;
use crate::mapping::{ColumnRule, Leftover};
use crate::settings::{Settings, Table};
use crate::stamp::{StampFormat, zone_ms};

mod columns;
mod lines;
mod parts;
mod paths;
mod settings;

use self::columns::{columns, leftover};
use self::lines::{overlap, patterns, recognise, template};
use self::parts::meaning;
use self::paths::Paths;

pub(super) const TOP: [&str; 18] = [
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
    "parts",
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
    pub(crate) leftover: Vec<Leftover>,
    pub(crate) token_in_url: Vec<String>,
    pub(crate) tables: Vec<Table>,
    /// What is so for every line, the source's own word first.
    pub(crate) bases: Vec<Settings>,
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
    /// A JSON object that has all these keys, which are looked for in their quotes.
    Keys(Vec<Finder<'static>>),
    /// Text that the format can read.
    Readable,
    /// Only by name.
    Never,
}

/// Where the event's time stands.
#[derive(Debug)]
pub(crate) struct TimeRule {
    /// Nowhere where lines have no stamp, and the time of their arrival has to do.
    pub(crate) from: Vec<(usize, String)>,
    pub(crate) formats: Vec<StampFormat>,
    pub(crate) zone_ms: Option<i64>,
    /// Whether two events never are equal to the last byte, their stamps being finer than a second.
    pub(crate) precise: bool,
}

impl Source {
    /// How much has to be true of a line: what asks for more is tried first. A line that has all the
    /// fields of a long template may be taken for one of a short template whose last field is long.
    pub(crate) fn particular(&self) -> usize {
        match (&self.recognise, &self.format) {
            (Recognise::Keys(keys), _) => 1 + keys.len(),
            (Recognise::Readable, Format::Template(template)) => template.variables(),
            (Recognise::Readable, _) => 1,
            (Recognise::Never, _) => 0,
        }
    }

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
        let (tables, bases) = meaning(&top, &paths)?;
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
            tables,
            bases,
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

fn time(entry: Entry<'_>, paths: &Paths) -> Result<TimeRule, SchemaError> {
    if !entry.is_mapping() {
        entry.one_of("time", &[("arrival", ())])?;
        return Ok(TimeRule { from: Vec::new(), formats: Vec::new(), zone_ms: None, precise: false });
    }
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
