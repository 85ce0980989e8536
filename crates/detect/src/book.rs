//! What a detector that keeps one kind of thing by key remembers and counts: as a snapshot, and as figures.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::detector::{BadState, DetectorState, DetectorStats};
use crate::keyed::{Kept, Keyed, Slot};

/// Its keys and its counts.
pub(crate) struct Book<V> {
    pub(crate) keys: Keyed<V>,
    pub(crate) totals: Totals,
    name: &'static str,
    version: u32,
}

/// Observations read, those that came late, and those that were known.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) observations: u64,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
}

#[derive(Deserialize)]
struct Saved<V> {
    keys: Vec<Slot<V>>,
    totals: Totals,
    evicted: u64,
}

#[derive(Serialize)]
struct Saving<'a, V> {
    keys: Vec<&'a Slot<V>>,
    totals: Totals,
    evicted: u64,
}

impl<V: Kept + Serialize + DeserializeOwned> Book<V> {
    /// An empty one, of the detector of this name. The version is that of a value's layout.
    pub(crate) fn new(name: &'static str, version: u32, keys_per_tenant_max: usize) -> Self {
        Self { keys: Keyed::new(keys_per_tenant_max), totals: Totals::default(), name, version }
    }

    pub(crate) fn snapshot(&self) -> DetectorState {
        let saving =
            Saving { keys: self.keys.slots(), totals: self.totals, evicted: self.keys.evicted_total };
        DetectorState::write(self.name, self.version, &saving)
    }

    pub(crate) fn restore(&mut self, state: &DetectorState) -> Result<(), BadState> {
        let saved: Saved<V> = state.read(self.name, self.version)?;
        self.keys.restore(saved.keys, saved.evicted);
        self.totals = saved.totals;
        Ok(())
    }

    /// Figures for metrics; `open` says how many alerts of a key are open.
    pub(crate) fn stats(&self, open: impl Fn(&V) -> u64) -> DetectorStats {
        DetectorStats {
            name: self.name,
            keys: self.keys.len() as u64,
            open_episodes: self.keys.values().map(open).sum(),
            observations_total: self.totals.observations,
            late_total: self.totals.late,
            duplicates_total: self.totals.duplicates,
            evicted_total: self.keys.evicted_total,
        }
    }
}
