//! API keys that are used as they should not be: from where they never were, in a browser, in another
//! environment, after they were revoked, or long after others came in their place.
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

use crate::book::Book;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::keyed::SlotId;
use crate::rows;
use crate::rules::{PerTenant, Rules};
use crate::watermark::Watermarks;
use crate::witness::delivery;
use key::{ApiKey, Use};

pub use classes::CLASSES;
pub use config::KeyUseConfig;

pub(crate) const NAME: &str = "key_use";
const STATE_VERSION: u32 = 2;

/// Deliveries of one key that are told apart.
const DELIVERIES_MAX: usize = 256;

/// The detector.
pub(crate) struct KeyUse {
    book: Book<ApiKey>,
    rules: PerTenant<KeyUseConfig>,
}

impl KeyUse {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            book: Book::new(NAME, STATE_VERSION, rules.config.keys_per_tenant_max),
            rules: rules.key_use.clone(),
        }
    }

    /// Takes in what happened to a key; none if it was known.
    fn take_in(&mut self, o: &Observation<'_>, watermarks: &Watermarks) -> Option<SlotId> {
        let (tenant, name) = (o.tenant.as_deref()?, o.api_key.as_deref()?);
        let watermark = watermarks.of(tenant).unwrap_or(EventTime::MIN);
        let time = o.time.filter(|_| Use::is_one(o))?;
        let id = self.book.keys.find_or_insert(tenant, name, ApiKey::default)?;
        self.book.keys.touch(id, time);
        let (_, key) = self.book.keys.get_mut(id)?;
        if !key.seen.insert(delivery(o), DELIVERIES_MAX) {
            self.book.totals.duplicates += 1;
            return None;
        }
        let config = self.rules.of(tenant);
        // Nearly all are, and there is nothing to tell of them.
        if key.is_as_ever(o, watermark, config) {
            return None;
        }
        let found = Use::new(o, time, watermark);
        self.book.totals.late += u64::from(found.late);
        key.add(&found, watermark, config);
        Some(id)
    }

    /// Tells what there is to tell of a key.
    fn tell(&mut self, id: SlotId, now: EventTime, watermark: EventTime, alerts: &mut AlertChanges) {
        let Some((key, state)) = self.book.keys.get_mut(id) else { return };
        let config = self.rules.of(key.tenant.as_str());
        let wake = state.tell(key, now, watermark, config, alerts);
        if let Some(wake) = wake {
            self.book.keys.wake_at(id, wake);
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
            self.book.totals.observations += 1;
            if let (Some(id), Some(tenant)) = (self.take_in(&o, watermarks), o.tenant.as_deref()) {
                let watermark = watermarks.of(tenant).unwrap_or(EventTime::MIN);
                self.tell(id, o.time.unwrap_or_default(), watermark, alerts);
            }
        }
        drop(self.book.keys.evict());
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        for id in self.book.keys.take_due(tenant, up_to) {
            let Some((_, key)) = self.book.keys.get_mut(id) else { continue };
            key.settle(up_to, self.rules.of(tenant.as_str()));
            self.tell(id, up_to, up_to, alerts);
            let config = self.rules.of(tenant.as_str());
            if self.book.keys.get_mut(id).is_some_and(|(_, key)| key.is_idle(up_to, config)) {
                self.book.keys.remove(id);
            }
        }
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.key_use.clone();
    }

    fn snapshot(&self) -> DetectorState {
        self.book.snapshot()
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        self.book.restore(&state)
    }

    fn stats(&self) -> DetectorStats {
        self.book.stats(ApiKey::open)
    }
}

#[cfg(test)]
mod tests;
