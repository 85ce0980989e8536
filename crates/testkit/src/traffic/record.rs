//! Lines of many topics in one file: one JSON object each, with the topic beside the line.

use event::{EventTime, LogTopic};
use serde::{Deserialize, Serialize};

use super::Line;

#[derive(Deserialize, Serialize)]
struct Record<'a> {
    topic: std::borrow::Cow<'a, str>,
    time: EventTime,
    line: std::borrow::Cow<'a, str>,
}

/// `{"topic": …, "time": …, "line": …}` without a newline.
pub fn file_line(line: &Line) -> String {
    let record = Record {
        topic: line.topic.name().into(),
        time: line.time,
        line: String::from_utf8_lossy(&line.bytes),
    };
    serde_json::to_string(&record).expect("two strings and a number are always JSON")
}

/// Reads what [`file_line`] wrote.
pub fn parse_file_line(text: &str) -> Result<Line, BadRecord> {
    let record: Record<'_> = serde_json::from_str(text).map_err(BadRecord::NotARecord)?;
    let topic = LogTopic::parse(&record.topic).map_err(BadRecord::NotALogTopic)?;
    Ok(Line { topic, time: record.time, bytes: record.line.into_owned().into_bytes() })
}

/// A line of a file that [`file_line`] did not write.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// It is not such a JSON object.
    #[error("not an object with topic, time and line")]
    NotARecord(#[source] serde_json::Error),
    /// The topic is not a partner's.
    #[error("not a partner's topic")]
    NotALogTopic(#[source] event::tenant::BadName),
}
