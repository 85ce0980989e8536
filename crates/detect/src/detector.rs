//! What a detector is, what it reports, and what it remembers across a restart.

use std::collections::BTreeMap;

use event::{AlertChange, EventTime, ObservationBatch, SourceProgress, Tenant};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::rules::Rules;
use crate::snapshot;
use crate::watermark::Watermarks;

/// Reads observations and reports what it finds. No clock, no I/O, no async: the same
/// observations give the same alerts, however the batches were cut.
pub trait Detector: Send {
    /// The detector's name, as analysts say it and as alerts carry it.
    fn name(&self) -> &'static str;
    /// Takes in a batch. What meets a rule is reported at once where its alert id is certain.
    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    );
    /// Event time has come this far for a tenant: nothing earlier of it is expected any more.
    /// Only that tenant's state is touched.
    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges);
    /// These sources have come further, or are known to hold no more.
    fn on_progress(
        &mut self,
        _progress: &[SourceProgress],
        _watermarks: &Watermarks,
        _alerts: &mut AlertChanges,
    ) {
    }
    /// Goes by these rules from now on. What was seen before stays as it was found by the old ones.
    fn learn(&mut self, rules: &Rules);
    /// What a restart needs to go on from here.
    fn snapshot(&self) -> DetectorState;
    /// Goes on from a snapshot. On an error the state is what it was before.
    fn restore(&mut self, state: DetectorState) -> Result<(), BadState>;
    /// Figures for metrics.
    fn stats(&self) -> DetectorStats;
}

/// The alert changes of one record, in the order they were found.
#[derive(Debug, Default)]
pub struct AlertChanges(Vec<AlertChange>);

impl AlertChanges {
    /// Adds one.
    pub fn push(&mut self, change: AlertChange) {
        self.0.push(change);
    }

    /// Adds it if there is one.
    pub(crate) fn extend(&mut self, change: Option<AlertChange>) {
        self.0.extend(change);
    }

    /// The changes in an order that no hash map had a say in: alert by alert, each in the order of
    /// its revisions. (What raises an alert may have happened before what first triggered it.)
    pub fn into_sorted(mut self) -> Vec<AlertChange> {
        let mut began: BTreeMap<String, EventTime> = BTreeMap::new();
        for AlertChange { alert, .. } in &self.0 {
            let known = began.entry(alert.alert_id.clone()).or_insert(alert.triggered_at);
            *known = alert.triggered_at.min(*known);
        }
        self.0.sort_by(|a, b| {
            let key = |c: &AlertChange| (began[&c.alert.alert_id], c.alert.alert_id.clone(), c.revision);
            key(a).cmp(&key(b))
        });
        self.0
    }
}

/// A detector's memory as bytes, with whose it is and which version wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectorState {
    /// The detector's name.
    pub name: String,
    /// The version of the state's layout.
    pub version: u32,
    /// The state.
    pub bytes: Vec<u8>,
}

impl DetectorState {
    /// Writes a state.
    pub(crate) fn write(name: &str, version: u32, state: &impl Serialize) -> Self {
        Self { name: name.to_owned(), version, bytes: snapshot::encode(state) }
    }

    /// Reads a state that [`DetectorState::write`] wrote under the same name and version.
    pub(crate) fn read<T: DeserializeOwned>(&self, name: &str, version: u32) -> Result<T, BadState> {
        if self.name != name {
            return Err(BadState::OtherDetector { expected: name.to_owned(), found: self.name.clone() });
        }
        if self.version != version {
            return Err(BadState::OtherVersion { expected: version, found: self.version });
        }
        snapshot::decode(&self.bytes)
    }
}

/// A snapshot that cannot be gone on from. All three mean: take an older one, or begin anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadState {
    /// Bytes are missing, changed, or not ours.
    #[error("snapshot is damaged")]
    Damaged,
    /// Another version of the program wrote it.
    #[error("snapshot has version {found} instead of {expected}")]
    OtherVersion {
        /// What this program writes.
        expected: u32,
        /// What was found.
        found: u32,
    },
    /// It is the state of another detector.
    #[error("snapshot is of {found} instead of {expected}")]
    OtherDetector {
        /// Whose it should be.
        expected: String,
        /// Whose it is.
        found: String,
    },
}

/// One detector's figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DetectorStats {
    /// The detector's name.
    pub name: &'static str,
    /// Keys in memory.
    pub keys: u64,
    /// Episodes that are open.
    pub open_episodes: u64,
    /// Observations read.
    pub observations_total: u64,
    /// Observations that came after their watermark.
    pub late_total: u64,
    /// Deliveries of an observation that was already counted.
    pub duplicates_total: u64,
    /// Keys forgotten because their tenant was over its budget.
    pub evicted_total: u64,
}
