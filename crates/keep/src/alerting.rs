//! ALERTING: alert changes in; alert state, outbox and offset in one database transaction out.

use std::sync::Arc;

use ::alerting::Control;
use event::{AlertChange, Change, Positions};
use pipeline::{
    Clock, Metrics, Polled, Reader, RecordView, Sink, SinkError, SourceError, Stage, StageError, StartAt,
    TopicPartition,
};
use stages::unreadable::Unreadable;
use tokio::runtime::Handle;

/// Where the database says a partition is to be read from.
pub fn start_at(control: Control, runtime: Handle) -> StartAt {
    StartAt::Owner(Arc::new(move |partition: &TopicPartition, _: Option<i64>| {
        runtime
            .block_on(control.committed(&partition.topic, partition.partition))
            .map_err(|error| format!("ask the alert database for its offset: {error}"))
    }))
}

/// ALERTING. What it makes of a batch is for [`ControlSink`].
pub struct AlertingStage {
    changes: Vec<AlertChange>,
    unreadable: Unreadable,
}

impl AlertingStage {
    /// Reads this topic.
    pub fn new(alerts: &Arc<str>, metrics: Metrics) -> Self {
        Self { changes: Vec::new(), unreadable: Unreadable::new("alerting", &[alerts], metrics) }
    }
}

impl Reader for AlertingStage {
    fn assigned(&mut self, _: &[TopicPartition]) -> Result<(), SourceError> {
        Ok(())
    }

    fn revoked(&mut self, _: &[TopicPartition]) {}

    fn record(&mut self, record: RecordView<'_>) {
        match serde_json::from_slice(record.payload) {
            Ok(change) => self.changes.push(change),
            Err(why) => self.unreadable.note(&record, &why),
        }
    }
}

impl Stage for AlertingStage {
    type Output = Vec<AlertChange>;

    fn finish(&mut self, _: &Polled) -> Result<Vec<AlertChange>, StageError> {
        self.unreadable.check()?;
        Ok(std::mem::take(&mut self.changes))
    }

    fn delivered(&mut self, _: &Positions) -> Result<(), StageError> {
        Ok(())
    }
}

/// Writes alert state. Its calls block; they are for stage threads, not for async code.
pub struct ControlSink {
    /// The database.
    pub control: Control,
    /// Where its answers are waited for.
    pub runtime: Handle,
    /// Says when a change was received.
    pub clock: Clock,
    /// Where it is counted.
    pub metrics: Metrics,
}

impl Sink<Vec<AlertChange>> for ControlSink {
    fn deliver(&mut self, changes: Vec<AlertChange>, positions: &Positions) -> Result<bool, SinkError> {
        if positions.is_empty() {
            return Ok(false);
        }
        let now = self.clock.now();
        let received_at = chrono::DateTime::from_timestamp_millis(now.millis()).unwrap_or_default();
        self.runtime
            .block_on(self.control.apply(&changes, positions, received_at))
            .map_err(|error| SinkError::Interrupted(format!("write alerts: {}", crate::chain(&error))))?;
        let visible = self.clock.now();
        for change in changes.iter().filter(|change| change.change == Change::Create) {
            let latency = (visible - change.alert.ingested_at).max(0);
            self.metrics.alert_latency.observe(latency as f64 / 1_000.0);
        }
        Ok(true)
    }
}
