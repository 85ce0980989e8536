//! API keys that are used as they should not be: from where they never were, in a browser, in another
//! environment, or after they were revoked.
//!
//! A key that its partner's servers hold shows in few networks, countries and programs, and which these
//! are is learnt from its own past. What a single use tells is told at once. What needs the past is told
//! once nothing that may still arrive can change it, which is nearly always at once, too.

mod classes;
mod config;
mod describe;
mod finding;
mod key;
mod place;

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Tenant};
use serde::{Deserialize, Serialize};

use crate::config::DetectConfig;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::keyed::{Keyed, Slot, SlotId};
use crate::rows;
use crate::watermark::Watermarks;
use crate::witness::delivery;
use key::{ApiKey, Use};

pub use classes::CLASSES;
pub use config::KeyUseConfig;

pub(crate) const NAME: &str = "key_use";
const STATE_VERSION: u32 = 1;

/// Deliveries of one key that are told apart.
const DELIVERIES_MAX: usize = 256;

/// The detector.
pub(crate) struct KeyUse {
    keys: Keyed<ApiKey>,
    config: KeyUseConfig,
    totals: Totals,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Totals {
    observations: u64,
    late: u64,
    duplicates: u64,
}

#[derive(Deserialize)]
struct Saved {
    keys: Vec<Slot<ApiKey>>,
    totals: Totals,
    evicted: u64,
}

#[derive(Serialize)]
struct Saving<'a> {
    keys: Vec<&'a Slot<ApiKey>>,
    totals: Totals,
    evicted: u64,
}

impl KeyUse {
    pub(crate) fn new(config: &DetectConfig) -> Self {
        Self {
            keys: Keyed::new(config.keys_per_tenant_max),
            config: config.key_use.clone(),
            totals: Totals::default(),
        }
    }

    /// Takes in what happened to a key; none if it was known.
    fn take_in(&mut self, o: &Observation<'_>, watermarks: &Watermarks) -> Option<SlotId> {
        let (tenant, name) = (o.tenant.as_deref()?, o.api_key.as_deref()?);
        let watermark = watermarks.of(tenant).unwrap_or(EventTime::MIN);
        let time = o.time.filter(|_| Use::is_one(o))?;
        let id = self.keys.find_or_insert(tenant, name, ApiKey::default)?;
        self.keys.touch(id, time);
        let (_, key) = self.keys.get_mut(id)?;
        if !key.seen.insert(delivery(o), DELIVERIES_MAX) {
            self.totals.duplicates += 1;
            return None;
        }
        // Nearly all are, and there is nothing to tell of them.
        if key.is_as_ever(o, watermark, &self.config) {
            return None;
        }
        let found = Use::new(o, time, watermark);
        self.totals.late += u64::from(found.late);
        key.add(&found, watermark, &self.config);
        Some(id)
    }

    /// Tells what there is to tell of a key.
    fn tell(&mut self, id: SlotId, now: EventTime, watermark: EventTime, alerts: &mut AlertChanges) {
        let Some((key, state)) = self.keys.get_mut(id) else { return };
        let wake = state.tell(key, now, watermark, &self.config, alerts);
        if let Some(wake) = wake {
            self.keys.wake_at(id, wake);
        }
    }
}

impl Detector for KeyUse {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let kinds = [ObservationKind::AuthByAccount, ObservationKind::KeyUse];
        for (_, o) in rows::having(observations, &kinds, "key_use") {
            self.totals.observations += 1;
            if let (Some(id), Some(tenant)) = (self.take_in(&o, watermarks), o.tenant.as_deref()) {
                let watermark = watermarks.of(tenant).unwrap_or(EventTime::MIN);
                self.tell(id, o.time.unwrap_or_default(), watermark, alerts);
            }
        }
        drop(self.keys.evict());
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        for id in self.keys.take_due(tenant, up_to) {
            let Some((_, key)) = self.keys.get_mut(id) else { continue };
            key.settle(up_to, &self.config);
            self.tell(id, up_to, up_to, alerts);
            if self.keys.get_mut(id).is_some_and(|(_, key)| key.is_idle(up_to, &self.config)) {
                self.keys.remove(id);
            }
        }
    }

    fn snapshot(&self) -> DetectorState {
        let saving =
            Saving { keys: self.keys.slots(), totals: self.totals, evicted: self.keys.evicted_total };
        DetectorState::write(NAME, STATE_VERSION, &saving)
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        let saved: Saved = state.read(NAME, STATE_VERSION)?;
        self.keys.restore(saved.keys, saved.evicted);
        self.totals = saved.totals;
        Ok(())
    }

    fn stats(&self) -> DetectorStats {
        DetectorStats {
            name: NAME,
            keys: self.keys.len() as u64,
            open_episodes: self.keys.values().map(ApiKey::open).sum(),
            observations_total: self.totals.observations,
            late_total: self.totals.late,
            duplicates_total: self.totals.duplicates,
            evicted_total: self.keys.evicted_total,
        }
    }
}

#[cfg(test)]
mod tests;
