//! One account that asks for object after object that is not its own, or is given one.
//!
//! Broken object level authorization (OWASP API1:2023) shows in two ways. Somebody walks over ids and is
//! refused again and again: so many different objects within ten minutes are told, however often one was
//! asked for. Or somebody is given what is another partner's: once is enough; to ask for a few, of several partners,
//! is, too. And where a walk is on, an
//! object that is given between those that were refused is the hole that was looked for.
//!
//! What is told belongs to a day of event time, so that every fact belongs to one alert in whatever order
//! facts come.

mod call;
mod describe;
mod walk;

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Severity, Tenant};
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::class::ClassInfo;
use crate::config::in_range;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::keyed::SlotId;
use crate::rows;
use crate::rules::{Parameters, PerTenant, Rules};
use crate::watermark::Watermarks;
use call::Call;
use walk::Account;

pub(crate) const NAME: &str = "object_access";
const STATE_VERSION: u32 = 2;

/// Every class.
pub const CLASSES: &[ClassInfo] = &[PROBE, CROSS_PARTNER];

pub(super) const PROBE: ClassInfo = ClassInfo {
    class: "authz.bola_probe",
    severity: Severity::High,
    description: "One account was refused many different objects within ten minutes: somebody looks for ids that are \
                  not checked. Critical where one between them was given.",
    techniques: &["T1087"],
    owasp_api: Some("API1"),
    owasp_event: Some("authz_fail"),
};

pub(super) const CROSS_PARTNER: ClassInfo = ClassInfo {
    class: "authz.cross_partner",
    severity: Severity::Critical,
    description: "An account of one partner was given an object of another; high where it only asked for several, of \
                  several others, and was refused.",
    techniques: &["T1199"],
    owasp_api: Some("API1"),
    owasp_event: Some("malicious_direct_reference"),
};

/// Thresholds of the detector of calls for other people's objects.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectAccessConfig {
    /// How long a walk over ids is looked at.
    pub window_ms: i64,
    /// How many different objects that one account is forbidden (403) within it are told.
    pub forbidden_min: usize,
    /// How many where they are only not found (404), or some of both.
    pub missing_min: usize,
    /// How many different objects of other partners, all refused, are told ...
    pub others_objects_min: usize,
    /// ... where they are of so many partners.
    pub others_partners_min: usize,
}

impl Default for ObjectAccessConfig {
    fn default() -> Self {
        Self {
            window_ms: 600_000,
            forbidden_min: 10,
            missing_min: 30,
            others_objects_min: 3,
            others_partners_min: 2,
        }
    }
}

impl Parameters for ObjectAccessConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        in_range("object_access.window_ms", self.window_ms, 60_000, 3_600_000)?;
        in_range("object_access.forbidden_min", self.forbidden_min as i64, 2, 1_000)?;
        in_range("object_access.others_objects_min", self.others_objects_min as i64, 2, 1_000)?;
        in_range("object_access.others_partners_min", self.others_partners_min as i64, 1, 1_000)?;
        in_range("object_access.missing_min", self.missing_min as i64, self.forbidden_min as i64, 1_000)
    }
}

/// The detector.
pub(crate) struct ObjectAccess {
    book: Book<Account>,
    rules: PerTenant<ObjectAccessConfig>,
}

impl ObjectAccess {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            book: Book::new(NAME, STATE_VERSION, rules.config.keys_per_tenant_max),
            rules: rules.object_access.clone(),
        }
    }

    fn take_in(&mut self, o: &Observation<'_>, watermarks: &Watermarks) -> Option<SlotId> {
        let tenant = o.tenant.as_deref()?;
        let watermark = watermarks.of(tenant).unwrap_or(EventTime::MIN);
        let call = Call::new(o, watermark)?;
        self.book.totals.observations += 1;
        self.book.totals.late += u64::from(call.late);
        let id = self.book.keys.find_or_insert(tenant, &call.account, Account::default)?;
        self.book.keys.touch(id, call.time);
        let (_, account) = self.book.keys.get_mut(id)?;
        let is_news = account.add(call, self.rules.of(tenant));
        self.book.totals.duplicates += u64::from(!is_news);
        is_news.then_some(id)
    }

    fn tell(&mut self, id: SlotId, now: EventTime, watermark: EventTime, alerts: &mut AlertChanges) {
        let Some((key, account)) = self.book.keys.get_mut(id) else { return };
        let config = self.rules.of(key.tenant.as_str());
        let wake = account.tell(key, now, watermark, config, alerts);
        self.book.keys.wake_at(id, wake);
    }
}

impl Detector for ObjectAccess {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let kinds = [ObservationKind::AuthByAccount, ObservationKind::KeyUse, ObservationKind::Access];
        for (_, o) in rows::having(observations, &kinds, "object") {
            if let (Some(id), Some(tenant)) = (self.take_in(&o, watermarks), o.tenant.as_deref()) {
                let watermark = watermarks.of(tenant).unwrap_or(EventTime::MIN);
                self.tell(id, o.time.unwrap_or_default(), watermark, alerts);
            }
        }
        drop(self.book.keys.evict());
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        for id in self.book.keys.take_due(tenant, up_to) {
            self.tell(id, up_to, up_to, alerts);
            if self.book.keys.get_mut(id).is_some_and(|(_, account)| account.forget(up_to)) {
                self.book.keys.remove(id);
            }
        }
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.object_access.clone();
    }

    fn snapshot(&self) -> DetectorState {
        self.book.snapshot()
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        self.book.restore(&state)
    }

    fn stats(&self) -> DetectorStats {
        self.book.stats(Account::open)
    }
}

#[cfg(test)]
mod tests;
