//! The lines of rejects as they came, from the raw logs.

use kafka::Connection;
use kafka::admin::Place;
use kafka::tail::{Look, Record, Tail};

use super::Reject;
use crate::commands::with_cure;

/// Reads one partition once, in the order in which its rejects stand.
pub(super) struct Originals {
    tail: Tail,
    last: Option<Record>,
    is_at_end: bool,
}

/// What was found of a reject.
pub(super) enum Original {
    /// The line, with the key and the headers that its record gets.
    Line { line: Vec<u8>, key: Option<String>, headers: Vec<(String, String)> },
    /// It cannot be sent.
    Missing(&'static str),
}

const GONE: &str = "the topic does not hold their records any more (broker.retention_hours)";
const UNCUT: &str =
    "what follows the last line that is read of a record cannot be cut out of it; send it anew";
const OTHER: &str = "their records hold other lines than those that were rejected";

impl Originals {
    pub(super) fn open(connection: &Connection, rejects: &[Reject]) -> anyhow::Result<Self> {
        let first = &rejects[0];
        let look =
            Look { topic: &first.kafka_topic, partition: Some(first.kafka_partition), uncommitted: false };
        let mut tail = Tail::open(connection, look).map_err(with_cure)?;
        tail.begin(Place::Offset(first.kafka_offset)).map_err(with_cure)?;
        Ok(Self { tail, last: None, is_at_end: false })
    }

    /// The line of a reject that stands no further in front than those that were asked for before.
    pub(super) fn of(&mut self, reject: &Reject) -> anyhow::Result<Original> {
        while !self.is_at_end && self.last.as_ref().is_none_or(|record| record.offset < reject.kafka_offset) {
            self.last = self.tail.until_end().map_err(with_cure)?;
            self.is_at_end = self.last.is_none();
        }
        let Some(record) = self.last.as_ref().filter(|record| record.offset == reject.kafka_offset) else {
            return Ok(Original::Missing(GONE));
        };
        if reject.reason == event::RejectReason::TooManyLines.as_str() {
            return Ok(Original::Missing(UNCUT));
        }
        let payload = record.value.as_deref().unwrap_or_default();
        let is_whole = i64::try_from(payload.len()) == Ok(reject.bytes);
        let line = match is_whole {
            true => Some(payload.to_vec()),
            false => normalize::line_of(payload, reject.kafka_line)
                .filter(|line| i64::try_from(line.len()) == Ok(reject.bytes)),
        };
        let Some(line) = line else { return Ok(Original::Missing(OTHER)) };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let mut headers: Vec<(String, String)> = record
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), text(value.as_deref()?)?)))
            .collect();
        headers.push((event::raw::REDRIVEN_HEADER.to_owned(), reject.reject_id.clone()));
        Ok(Original::Line { line, key: record.key.as_deref().and_then(text), headers })
    }
}
