//! The way of each line in words, or as JSON.

use std::collections::BTreeMap;
use std::io::Write;

use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use normalize::{Confidence, Normalized, Trace};
use serde_json::{Map, Value, json};

use super::Taken;

/// Columns that say where an event lies, or what is said elsewhere.
const NOT_LISTED: [&str; 14] = [
    "event_id",
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "kafka_line",
    "tenant",
    "feed",
    "ingest_time",
    "raw",
    "raw_hash",
    "observed",
    "redactions",
    "flags",
    "unmapped",
];
/// How wide a paragraph is.
const WIDTH: usize = 96;
/// How much of a line is shown above what became of it.
const SHOWN_MAX: usize = 200;

pub(super) struct Said<W> {
    out: W,
    json: bool,
    events: u64,
    rejects: u64,
    by_source: BTreeMap<String, u64>,
}

/// What a line, or one of several in it, became.
struct Became<'t> {
    trace: Option<&'t Trace>,
    is_event: bool,
    columns: Map<String, Value>,
}

impl<W: Write> Said<W> {
    pub(super) fn new(out: W, json: bool) -> Self {
        Self { out, json, events: 0, rejects: 0, by_source: BTreeMap::new() }
    }

    /// Says what became of some lines.
    pub(super) fn of(&mut self, taken: &[Taken], read: &Normalized) -> anyhow::Result<()> {
        let mut became = Vec::new();
        for (is_event, batch) in [(true, read.events.arrow()), (false, read.rejects.arrow())] {
            for columns in rows(batch)? {
                let at = |name: &str| columns.get(name).and_then(Value::as_i64).unwrap_or_default();
                became.push((at("kafka_offset"), at("kafka_line"), is_event, columns));
            }
        }
        became.sort_by_key(|(line, number, ..)| (*line, *number));
        for (line, number, is_event, columns) in became {
            let Ok(place) = taken.binary_search_by_key(&line, |taken| taken.number) else { continue };
            let line = &taken[place];
            let trace = line.traces.iter().find(|trace| i64::from(trace.number) == number);
            self.one(line, &Became { trace, is_event, columns })?;
        }
        Ok(())
    }

    fn one(&mut self, line: &Taken, became: &Became<'_>) -> anyhow::Result<()> {
        if became.is_event {
            self.events += 1;
            let source = became.columns.get("source_format").and_then(Value::as_str).unwrap_or_default();
            *self.by_source.entry(source.to_owned()).or_default() += 1;
        } else {
            self.rejects += 1;
        }
        if self.json {
            serde_json::to_writer(&mut self.out, &became.as_json(line.number))?;
            return Ok(self.out.write_all(b"\n")?);
        }
        Ok(self.out.write_all(became.in_words(line).as_bytes())?)
    }

    /// Says how many there were, to the person at the terminal.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.out.flush()?;
        let sources: Vec<_> = self.by_source.iter().map(|(name, count)| format!("{name} {count}")).collect();
        eprintln!("{} events, {} rejects; sources: {}", self.events, self.rejects, sources.join(", "));
        Ok(())
    }
}

/// The rows of a batch as the API has them, null columns left out.
fn rows(batch: &RecordBatch) -> anyhow::Result<Vec<Map<String, Value>>> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let lines = writer.into_inner();
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(serde_json::from_slice).collect::<Result<_, _>>()?)
}

impl Became<'_> {
    fn source(&self) -> Option<(&str, Confidence)> {
        let (name, confidence) = self.trace?.source.as_ref()?;
        Some((name, *confidence))
    }

    fn as_json(&self, line: i64) -> Value {
        let mut object = Map::new();
        object.insert("line".to_owned(), json!(line));
        object.insert("verdict".to_owned(), json!(if self.is_event { "event" } else { "reject" }));
        if let Some(trace) = self.trace {
            object.insert("wrappers".to_owned(), json!(trace.wrappers));
            object.insert("because".to_owned(), json!(trace.because));
        }
        if let Some((name, confidence)) = self.source() {
            object.insert("recognised".to_owned(), json!(name));
            object.insert("confidence".to_owned(), json!(confidence.as_str()));
        }
        object.extend(self.columns.clone());
        Value::Object(object)
    }

    fn in_words(&self, line: &Taken) -> String {
        let text = |name: &str| self.columns.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut said = format!("line {}  {}\n", line.number, self.quoted(line));
        if let Some(trace) = self.trace.filter(|trace| !trace.wrappers.is_empty()) {
            paragraph(&mut said, "unwrapped", trace.wrappers.iter().cloned());
        }
        match (self.source(), self.trace) {
            (Some((name, Confidence::Named)), _) => {
                paragraph(&mut said, "source", [format!("{name}, as named")])
            }
            (Some((name, confidence)), Some(trace)) => {
                let why = format!("{name}: {} ({} confidence)", trace.because, confidence.as_str());
                paragraph(&mut said, "recognised", [why]);
            }
            _ => {}
        }
        if !self.is_event {
            let why = format!("{}: {}", text("reason"), text("detail"));
            paragraph(&mut said, "rejected", [why]);
            return said + "\n";
        }
        let listed = self.columns.iter().filter(|(name, _)| !NOT_LISTED.contains(&name.as_str()));
        paragraph(&mut said, "columns", listed.map(|(name, value)| format!("{name}={}", plain(value))));
        for (title, column) in [("kept aside", "unmapped"), ("detectors", "observed")] {
            if !text(column).is_empty() {
                paragraph(&mut said, title, text(column).split(' ').map(str::to_owned));
            }
        }
        for (title, column) in [("redacted", "redactions"), ("flags", "flags")] {
            let items = self.columns.get(column).and_then(Value::as_array).into_iter().flatten();
            let items: Vec<_> = items.map(plain).collect();
            if !items.is_empty() {
                paragraph(&mut said, title, items);
            }
        }
        said + "\n"
    }

    /// The line without its secrets; one that never was read is not quoted but for its excerpt.
    fn quoted(&self, line: &Taken) -> String {
        let name = if self.is_event { "raw" } else { "excerpt" };
        match self.columns.get(name).and_then(Value::as_str) {
            Some(text) if text.chars().count() > SHOWN_MAX => {
                format!("{}…", text.chars().take(SHOWN_MAX).collect::<String>())
            }
            Some(text) => text.to_owned(),
            None => format!("({} bytes)", line.bytes),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains([' ', '"']) => value.to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A title and words behind it, wrapped.
fn paragraph(said: &mut String, title: &str, words: impl IntoIterator<Item = String>) {
    let mut column = WIDTH;
    let mut title = title;
    for word in words {
        if column + word.chars().count() >= WIDTH {
            said.push_str(&format!("{}  {title:<12}{word}", if title.is_empty() { "\n" } else { "" }));
            (title, column) = ("", 14 + word.chars().count());
        } else {
            said.push(' ');
            said.push_str(&word);
            column += 1 + word.chars().count();
        }
    }
    said.push('\n');
}
