//! One source's description, compiled: names became slots, texts became tables.

use memchr::memmem::Finder;

use super::SchemaError;
use super::line_number::line_of;
use super::reader::{Entry, Members};
use crate::formats::Place;
use crate::formats::delimited::Delimited;
use crate::formats::json::Shape;
use crate::formats::pairs::Pairs;
use crate::formats::patterns::Pattern;
use crate::formats::syslog;
use crate::formats::template::Template;
use crate::mapping::{ColumnRule, Leftover};
use crate::personal::{Kept, PersonalField};
use crate::settings::{Settings, Table};

mod columns;
mod lines;
mod parts;
mod paths;
mod patterns;
mod separated;
mod settings;
mod time;

use self::columns::{columns, leftover};
use self::lines::{overlap, recognise, template};
use self::parts::meaning;
use self::paths::Paths;
use self::patterns::patterns;
use self::separated::{delimited, pairs};

pub(crate) use self::time::{TimeRule, is_in_our_time};

pub(super) const TOP: [&str; 25] = [
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
    "find",
    "by",
    "set",
    "parts",
    "keep_raw",
    "carries",
    "forwarded",
    "personal",
    "fields",
    "delimiter",
    "pairs",
];
const FORMATS: [(&str, &str); 8] = [
    ("json", "json"),
    ("template", "template"),
    ("regex", "regex"),
    ("syslog", "syslog"),
    ("cef", "cef"),
    ("otlp", "otlp"),
    ("key_value", "key_value"),
    ("delimited", "delimited"),
];
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
    /// The fields that tell which way the request took, the first that does so counts.
    pub(crate) forwarded: Vec<(usize, String)>,
    pub(crate) personal: Vec<PersonalField>,
    pub(crate) tables: Vec<Table>,
    /// What is so for every line, the source's own word first.
    pub(crate) bases: Vec<Settings>,
    pub(crate) keep_raw: bool,
    /// Where a line may hold a line of another source.
    pub(crate) carries: Option<Carries>,
}

/// Where a line may hold another.
#[derive(Debug)]
pub(crate) struct Carries {
    pub(crate) field: String,
    /// Where the line has one of these it speaks for itself.
    pub(crate) unless: Vec<String>,
}

/// How the source's lines are taken apart.
#[derive(Debug)]
pub(crate) enum Format {
    Json(Shape),
    Template(Template),
    Regex(Vec<Pattern>),
    /// The header's parts go to their places, the parameters of structured data where their names say.
    Syslog {
        patterns: Vec<Pattern>,
        header: Vec<Place>,
        parameters: Shape,
    },
    Cef(Shape),
    KeyValue(Pairs, Shape),
    Delimited(Delimited),
}

/// How a line says that it is of this source, where nothing else does.
#[derive(Debug)]
pub(crate) enum Recognise {
    /// A JSON object that has all these keys, and any of those where there are such. They are looked
    /// for in their quotes.
    Keys { all: Vec<Finder<'static>>, any: Vec<Finder<'static>> },
    /// Pairs with all these keys, each with what stands behind a key.
    Pairs(Vec<Finder<'static>>),
    /// Text that the format can read.
    Readable,
    /// Syslog with structured data.
    Structured,
    /// Text that one of the source's expressions fits, where no other source knows the line.
    Last,
    /// Only by name.
    Never,
}

impl Source {
    /// How much has to be true of a line: what asks for more is tried first. A line that has all the
    /// fields of a long template may be taken for one of a short template whose last field is long.
    pub(crate) fn particular(&self) -> usize {
        match (&self.recognise, &self.format) {
            (Recognise::Keys { all, any }, _) => 1 + all.len() + usize::from(!any.is_empty()),
            (Recognise::Pairs(keys), _) => 1 + keys.len(),
            (Recognise::Readable, Format::Template(template)) => template.variables(),
            (Recognise::Readable, Format::Delimited(delimited)) => delimited.values(),
            (Recognise::Readable, Format::Cef(_)) => 3,
            (Recognise::Structured, _) | (Recognise::Readable, Format::Regex(_)) => 2,
            (Recognise::Readable, _) => 1,
            (Recognise::Last | Recognise::Never, _) => 0,
        }
    }

    /// Whether others are asked first.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self.recognise, Recognise::Last)
    }

    pub(crate) fn is_syslog(&self) -> bool {
        matches!(self.format, Format::Syslog { .. })
    }

    /// Reads and checks a description.
    pub(crate) fn read(name: &str, file: &str, yaml: &str) -> Result<Self, SchemaError> {
        Self::compile(name, file, yaml)
            .map_err(|error| SchemaError { line: error.line.or_else(|| line_of(yaml, &error.key)), ..error })
    }

    fn compile(name: &str, file: &str, yaml: &str) -> Result<Self, SchemaError> {
        let top = Members::of_file(file, yaml)?;
        top.only(&TOP)?;
        top.need("about", "say in a sentence which logs these are", |entry| entry.text())?;
        let format = top.need(
            "format",
            "say json, template, regex, key_value, delimited, syslog, cef or otlp",
            |entry| entry.one_of("format", &FORMATS),
        )?;
        let paths = Paths::collect(&top)?;
        let request_line = top.get("request_line", |entry| {
            let field = entry.text()?;
            let slot = paths.slot(&field).expect("its path was collected");
            Ok((slot, REQUEST_PARTS.map(|part| paths.slot(part))))
        })?;
        let required = top.get("required", |entry| paths.slots(entry))?;
        let columns = top.get("columns", |entry| columns(entry, &paths))?.unwrap_or_default();
        let says_something = ["carries", "patterns", "parts", "by", "set"];
        if columns.is_empty() && !says_something.iter().any(|key| top.has(key)) {
            top.need("columns", "its lines would be events that say nothing: fill a column", |_| Ok(()))?;
        }
        let (tables, bases) = meaning(&top, &paths)?;
        let recognise = recognise(&top, format)?;
        let is_structured = matches!(recognise, Recognise::Structured);
        let source = Self {
            name: name.to_owned(),
            recognise,
            slots: paths.sorted.len(),
            request_line,
            empty: top.get("empty", |entry| entry.texts())?.unwrap_or_default(),
            time: top.need("time", "say `time: {from: field, formats: [rfc3339]}`", |entry| {
                TimeRule::read(entry, &paths)
            })?,
            required: required.unwrap_or_default(),
            leftover: leftover(&columns, &paths),
            columns,
            forwarded: top.get("forwarded", |entry| paths.slots(entry))?.unwrap_or_default(),
            personal: top.get("personal", |entry| personal(entry, &paths))?.unwrap_or_default(),
            token_in_url: top.get("token_in_url", |entry| entry.texts())?.unwrap_or_default(),
            tables,
            bases,
            carries: top.get("carries", carries)?,
            keep_raw: top.get("keep_raw", |entry| entry.one_of("choice", &CHOICE))?.unwrap_or(true),
            format: match format {
                "json" => Format::Json(Shape::of(&paths.sorted).map_err(|path| overlap(&top, file, &path))?),
                "template" => Format::Template(template(&top, &paths)?),
                "regex" => Format::Regex(patterns(&top, &paths, false)?),
                "otlp" => Format::Json(Shape::flat(&paths.sorted)),
                "key_value" => Format::KeyValue(pairs(&top)?, Shape::flat(&paths.sorted)),
                "delimited" => Format::Delimited(delimited(&top, &paths)?),
                "cef" => Format::Cef(Shape::flat(&paths.sorted)),
                _ => Format::Syslog {
                    patterns: patterns(&top, &paths, is_structured)?,
                    header: syslog::NAMES.iter().map(|name| paths.place(name)).collect(),
                    parameters: Shape::flat(&paths.sorted),
                },
            },
        };
        Ok(source)
    }
}

/// `{drop: [field], fingerprint: [field]}`.
fn personal(entry: Entry<'_>, paths: &Paths) -> Result<Vec<PersonalField>, SchemaError> {
    let members = entry.members()?;
    members.only(&paths::PERSONAL)?;
    let mut fields = Vec::new();
    for (name, kept) in paths::PERSONAL.into_iter().zip([Kept::Nothing, Kept::Fingerprint]) {
        let named = members.get(name, |entry| paths.slots(entry))?.unwrap_or_default();
        fields.extend(named.into_iter().map(|(slot, path)| PersonalField { slot, path, kept }));
    }
    Ok(fields)
}

fn carries(entry: Entry<'_>) -> Result<Carries, SchemaError> {
    if !entry.is_mapping() {
        return Ok(Carries { field: entry.text()?, unless: Vec::new() });
    }
    let members = entry.members()?;
    members.only(&["field", "unless"])?;
    let field = members.need("field", "name the field that holds a line", |field| field.text())?;
    let unless = members.get("unless", |unless| unless.texts())?.unwrap_or_default();
    Ok(Carries { field, unless })
}
