//! What decides on alerts, a partition at a time: the detectors' engine, and risk.

use std::sync::Arc;

use detect::{BadState, Engine, EngineStats, Risk, Rules};
use event::{AlertChange, ipc};
use pipeline::RecordView;

use crate::Topics;
use crate::unreadable::IsForeign;

/// State of one partition, from which alerts come. The same records give the same state and alerts.
pub trait Judge: Send + Sized + 'static {
    /// The stage's name, under which its snapshots lie.
    const NAME: &'static str;
    /// Why a record of its topic cannot be read.
    type Unreadable: IsForeign;

    /// Which topic it reads.
    fn reads(topics: &Topics) -> &Arc<str>;
    /// One that remembers nothing yet.
    fn new(rules: &Rules) -> Self;
    /// Takes in the next record.
    fn on_record(&mut self, record: &RecordView<'_>) -> Result<Vec<AlertChange>, Self::Unreadable>;
    /// Goes by these rules from the next record on.
    fn learn(&mut self, rules: &Rules);
    /// The whole state.
    fn snapshot(&self) -> Vec<u8>;
    /// Goes on from a snapshot. On an error the state is what it was before.
    fn restore(&mut self, state: &[u8]) -> Result<(), BadState>;
    /// Figures for metrics.
    fn stats(&self) -> EngineStats;
}

impl Judge for Engine {
    const NAME: &'static str = "detect";
    type Unreadable = ipc::DecodeError;

    fn reads(topics: &Topics) -> &Arc<str> {
        &topics.observations
    }

    fn new(rules: &Rules) -> Self {
        Self::new(rules)
    }

    fn on_record(&mut self, record: &RecordView<'_>) -> Result<Vec<AlertChange>, ipc::DecodeError> {
        let (observations, progress) = ipc::decode_observations(record.payload)?;
        Ok(self.on_record(&observations, &progress, record.broker_time))
    }

    fn learn(&mut self, rules: &Rules) {
        self.learn(rules);
    }

    fn snapshot(&self) -> Vec<u8> {
        self.snapshot()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), BadState> {
        self.restore(state)
    }

    fn stats(&self) -> EngineStats {
        self.stats()
    }
}

/// It reads the topic that it writes to, and passes over what is its own there.
impl Judge for Risk {
    const NAME: &'static str = "risk";
    type Unreadable = serde_json::Error;

    fn reads(topics: &Topics) -> &Arc<str> {
        &topics.alerts
    }

    fn new(rules: &Rules) -> Self {
        Self::new(rules)
    }

    fn on_record(&mut self, record: &RecordView<'_>) -> Result<Vec<AlertChange>, serde_json::Error> {
        let change: AlertChange = serde_json::from_slice(record.payload)?;
        Ok(self.on_change(&change, record.broker_time))
    }

    fn learn(&mut self, rules: &Rules) {
        self.learn(rules);
    }

    fn snapshot(&self) -> Vec<u8> {
        self.snapshot()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), BadState> {
        self.restore(state)
    }

    fn stats(&self) -> EngineStats {
        EngineStats { detectors: vec![self.stats()], ..EngineStats::default() }
    }
}
