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
}

impl RawLog<'_> {
    /// When the broker appended the record, where it says so.
    pub fn ingest_time(&self) -> Option<EventTime> {
        Some(self.broker_time).filter(|time| time.millis() > 0)
    }
}
