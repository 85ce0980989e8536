//! Keys that are made or changed, and rights that are given, from where or when they never are.
//!
//! Few people do such things, from few networks, and which these are is learnt from a partner's own past. A change is
//! judged once the watermark has passed it, in the order of event time, so that what was before it is all there. A
//! network that is new stays so for a day: what else is changed from it belongs to the same.
//!
//! A change that names no address can only be held against the hours at which changes are made, where those are set.

mod config;
mod describe;
mod partner;

use event::{EventTime, Observation, ObservationBatch, Severity, Signal, Tenant};

use crate::book::Book;
use crate::class::ClassInfo;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::keyed::SlotId;
use crate::rows;
use crate::rules::{PerTenant, Rules};
use crate::watermark::Watermarks;
use partner::Partner;

pub use config::AdminChangeConfig;

pub(crate) const NAME: &str = "admin_change";
const STATE_VERSION: u32 = 1;

/// Every class.
pub const CLASSES: &[ClassInfo] = &[ADMIN_CHANGE];

pub(super) const ADMIN_CHANGE: ClassInfo = ClassInfo {
    class: "identity.admin_change",
    severity: Severity::Medium,
    description: "A key was made or changed, or a right given, from a network that this partner's changes never came \
                  from, or outside of the hours at which they are made; low in a sandbox.",
    techniques: &["T1098.001"],
    owasp_api: Some("API2"),
    owasp_event: Some("privilege_permissions_changed"),
};

/// The detector.
pub(crate) struct AdminChange {
    book: Book<Partner>,
    rules: PerTenant<AdminChangeConfig>,
}

impl AdminChange {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            book: Book::new(NAME, STATE_VERSION, rules.config.keys_per_tenant_max),
            rules: rules.admin_change.clone(),
        }
    }

    fn take_in(&mut self, o: &Observation<'_>, watermark: EventTime) -> Option<SlotId> {
        let (tenant, time) = (o.tenant.as_deref()?, o.time?);
        let id = self.book.keys.find_or_insert(tenant, tenant, Partner::default)?;
        self.book.keys.touch(id, time);
        let (_, partner) = self.book.keys.get_mut(id)?;
        let is_news = partner.add(o, time, watermark);
        self.book.totals.observations += 1;
        self.book.totals.late += u64::from(time < watermark);
        self.book.totals.duplicates += u64::from(!is_news);
        Some(id)
    }

    /// Judges what can be judged, and tells what there is to tell.
    fn tell(&mut self, id: SlotId, watermark: EventTime, alerts: &mut AlertChanges) {
        let Some((key, partner)) = self.book.keys.get_mut(id) else { return };
        let config = self.rules.of(key.tenant.as_str());
        partner.settle(watermark, config);
        match partner.tell(&key.tenant, watermark, config, alerts) {
            Some(wake) => self.book.keys.wake_at(id, wake),
            None => drop(self.book.keys.remove(id)),
        }
    }
}

impl Detector for AdminChange {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        for o in rows::signals(observations, Signal::AdminChange) {
            let watermark = o.tenant.as_deref().and_then(|tenant| watermarks.of(tenant));
            let watermark = watermark.unwrap_or(EventTime::MIN);
            if let Some(id) = self.take_in(&o, watermark) {
                self.tell(id, watermark, alerts);
            }
        }
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        for id in self.book.keys.take_due(tenant, up_to) {
            self.tell(id, up_to, alerts);
        }
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.admin_change.clone();
    }

    fn snapshot(&self) -> DetectorState {
        self.book.snapshot()
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        self.book.restore(&state)
    }

    fn stats(&self) -> DetectorStats {
        self.book.stats(Partner::open)
    }
}

#[cfg(test)]
mod tests;
