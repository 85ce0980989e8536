//! Records of our own topics that are not what we would have written.

use std::fmt::Display;
use std::sync::Arc;

use event::ipc::DecodeError;
use pipeline::metrics::UnreadableLabel;
use pipeline::{Metrics, RecordView, StageError};
use tracing::error;

/// What a stage met that it could not read.
pub struct Unreadable {
    stage: &'static str,
    metrics: Metrics,
    stuck: Option<String>,
}

/// Whether a record is not ours at all, or ours and of a version that we do not know.
pub trait IsForeign: Display {
    fn is_foreign(&self) -> bool;
}

impl IsForeign for DecodeError {
    fn is_foreign(&self) -> bool {
        matches!(self, DecodeError::BadFrame)
    }
}

impl IsForeign for serde_json::Error {
    fn is_foreign(&self) -> bool {
        !self.is_data()
    }
}

impl Unreadable {
    /// The counters of these topics are there from the start, so that a rate can be told of the first.
    pub fn new(stage: &'static str, topics: &[&Arc<str>], metrics: Metrics) -> Self {
        let unreadable = Self { stage, metrics, stuck: None };
        for topic in topics {
            unreadable.count(topic, 0);
        }
        unreadable
    }

    fn count(&self, topic: &str, records: u64) {
        let label = UnreadableLabel { stage: self.stage.to_owned(), topic: topic.to_owned() };
        self.metrics.unreadable.get_or_create(&label).inc_by(records);
    }

    /// Notes a record. Foreign bytes are counted and passed over: whoever can write to our topics
    /// must not be able to stop us with them. A whole record of another version holds rows, so the
    /// stage stops rather than lose them.
    pub fn note(&mut self, record: &RecordView<'_>, why: &impl IsForeign) {
        let place = format!("{}/{} at offset {}", record.topic, record.partition, record.offset);
        self.count(record.topic, 1);
        if why.is_foreign() {
            error!(stage = self.stage, place, %why, "a record that is not ours is passed over");
        } else if self.stuck.is_none() {
            self.stuck = Some(format!(
                "{place} was written by another version of Watchfire: {why}; run the same version everywhere"
            ));
        }
    }

    /// Fails if a record was met that must not be passed over.
    pub fn check(&mut self) -> Result<(), StageError> {
        self.stuck.take().map_or(Ok(()), |why| Err(StageError::Stuck(why)))
    }
}

#[cfg(test)]
mod tests {
    use event::{EventTime, ObservationBatch, ipc};
    use prometheus_client::registry::Registry;

    use super::*;

    fn met(payload: &[u8]) -> Result<(), StageError> {
        let topic = Arc::from("watchfire.observations");
        let metrics = Metrics::register(&mut Registry::default());
        let mut unreadable = Unreadable::new("detect", &[&topic], metrics);
        let record = RecordView {
            topic: &topic,
            partition: 0,
            offset: 7,
            broker_time: EventTime(0),
            payload,
            headers: Vec::new(),
        };
        let why = ipc::decode(payload);
        let why = why.and_then(|batch| Ok(ObservationBatch::from_arrow(batch)?)).unwrap_err();
        unreadable.note(&record, &why);
        unreadable.check()
    }

    #[test]
    fn foreign_bytes_are_passed_over() {
        assert!(met(b"{\"hello\": 1}").is_ok());
    }

    #[test]
    fn a_record_of_another_version_stops_the_stage_and_says_where_it_is() {
        use arrow::array::{ArrayRef, RecordBatch, StringArray};
        // Of a type that no version of ours can take for the count.
        let column: ArrayRef = Arc::new(StringArray::from(vec!["many"]));
        let batch = RecordBatch::try_from_iter([("count", column)]).unwrap();
        let error = met(&ipc::encode(&batch)).unwrap_err().to_string();
        assert!(error.contains("watchfire.observations/0 at offset 7"), "{error}");
    }
}
