//! How a line was taken: for people who want to know why it became what it did.

use event::RawLog;

use crate::formats::Unreadable;
use crate::line::{Line, LineReader};
use crate::record::Lines;
use crate::schema::{Format, Recognise, Schemas, Source};

/// How sure it is that a line is of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The line has little that other lines do not have.
    Low,
    /// It has two or three marks of the source.
    Fair,
    /// It has four marks or more.
    High,
    /// The record, the topic or the command line names the source.
    Named,
}

impl Confidence {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Fair => "fair",
            Self::High => "high",
            Self::Named => "named",
        }
    }
}

/// The way of one line up to its parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Its place in the record, as `kafka_line` has it.
    pub number: i32,
    /// What was taken off, from the outside in: `cri`, `syslog`, or a source's name.
    pub wrappers: Vec<String>,
    /// The source, and how sure that is; none where no source knows the line.
    pub source: Option<(String, Confidence)>,
    /// By what it was recognised, or why it was not.
    pub because: String,
}

/// The way of each line of a record.
pub(crate) fn trace(reader: &LineReader, schemas: &Schemas, raw: &RawLog<'_>) -> Vec<Trace> {
    let lines = (0..).zip(Lines::of(raw.payload)).filter(|(_, bytes)| !bytes.trim_ascii().is_empty());
    lines.map(|(number, bytes)| trace_line(reader, schemas, &Line { raw, number, bytes: &bytes })).collect()
}

fn trace_line(reader: &LineReader, schemas: &Schemas, line: &Line<'_>) -> Trace {
    let text = crate::text::readable(line.bytes);
    let is_named = reader.source_name(line.raw).is_some();
    match reader.find(schemas, line, &text) {
        Ok(found) => {
            let name = |(name, _): &(String, _)| name.trim_start_matches("wrapper.").to_owned();
            let confidence = if is_named { Confidence::Named } else { confidence(found.source) };
            let because = if is_named { "it was named".to_owned() } else { marks(found.source) };
            Trace {
                number: line.number,
                wrappers: found.around.iter().rev().map(name).collect(),
                source: Some((found.source.name.clone(), confidence)),
                because,
            }
        }
        Err(Unreadable { detail, .. }) => {
            Trace { number: line.number, wrappers: Vec::new(), source: None, because: detail.into_owned() }
        }
    }
}

fn confidence(source: &Source) -> Confidence {
    match source.particular() {
        0 | 1 => Confidence::Low,
        2 | 3 => Confidence::Fair,
        _ => Confidence::High,
    }
}

/// What a source is recognised by.
fn marks(source: &Source) -> String {
    let quoted = |keys: &[memchr::memmem::Finder<'_>]| -> Vec<String> {
        keys.iter().map(|key| String::from_utf8_lossy(key.needle()).into_owned()).collect()
    };
    match (&source.recognise, &source.format) {
        (Recognise::Keys { all, any }, _) if any.is_empty() => {
            format!("a JSON object with the keys {}", quoted(all).join(", "))
        }
        (Recognise::Keys { all, any }, _) => {
            format!(
                "a JSON object with the keys {} and one of {}",
                quoted(all).join(", "),
                quoted(any).join(", ")
            )
        }
        (Recognise::Pairs(keys), _) => format!("it has {}", quoted(keys).join(", ")),
        (_, Format::KeyValue(..)) => "it has pairs".to_owned(),
        (_, Format::Delimited(delimited)) => format!("it has {} values", delimited.values()),
        (_, Format::Template(template)) => format!("a template of {} fields fits", template.variables()),
        (_, Format::Syslog { .. }) => "it has a syslog header".to_owned(),
        (_, Format::Cef(_)) => "it has a CEF header".to_owned(),
        (_, Format::Regex(_)) => "an expression fits".to_owned(),
        (_, Format::Json(_)) => "a JSON object".to_owned(),
    }
}
