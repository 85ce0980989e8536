//! A raw log: one record of a `logs.<partner>.<feed>` topic, as its shipper wrote it.

use std::sync::Arc;

use crate::{EventTime, LogTopic};

/// One Kafka record of a partner's topic. It may hold one line, many lines, or a JSON array.
#[derive(Clone, Debug)]
pub struct RawLog<'a> {
    /// The parsed topic: tenant and feed.
    pub source: &'a LogTopic,
    /// The topic's name.
    pub topic: &'a Arc<str>,
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset.
    pub offset: i64,
    /// When the broker appended the record; zero or less where it gave no time.
    pub broker_time: EventTime,
    /// The record's bytes.
    pub payload: &'a [u8],
    /// The `wf-format` header, where the shipper set one: a source's name in `schemas/`.
    pub format: Option<&'a str>,
    /// The `wf-shipper-id` header.
    pub shipper_id: Option<&'a str>,
    /// The `wf-shipper-seq` header.
    pub shipper_seq: Option<i64>,
    /// The `wf-redriven-from` header: the reject that the record was before it was sent again.
    pub redriven_from: Option<&'a str>,
}

/// The header that names the source of a record's lines.
pub const FORMAT_HEADER: &str = "wf-format";

/// The header of a record that was a reject and was sent again.
pub const REDRIVEN_HEADER: &str = "wf-redriven-from";

impl<'a> RawLog<'a> {
    /// With what its headers say; `header` finds one by its name.
    pub fn with_headers(self, header: impl Fn(&str) -> Option<&'a [u8]>) -> Self {
        let text = |name| std::str::from_utf8(header(name)?).ok();
        Self {
            format: self.format.or_else(|| text(FORMAT_HEADER)),
            shipper_id: text("wf-shipper-id"),
            shipper_seq: text("wf-shipper-seq").and_then(|seq| seq.parse().ok()),
            redriven_from: text(REDRIVEN_HEADER).filter(|id| is_reject_id(id)),
            ..self
        }
    }

    /// When the broker appended the record, where it says so.
    pub fn ingest_time(&self) -> Option<EventTime> {
        Some(self.broker_time).filter(|time| time.millis() > 0)
    }
}

/// Whether a text may be the id of a reject.
fn is_reject_id(text: &str) -> bool {
    text.strip_prefix("rej_")
        .is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
