//! A user who is let in at two places between which nobody can travel in that time.
//!
//! What counts are uses by people: logins, and session tokens that were redeemed, each with the place of its
//! address. API keys are used by servers, which stand in several places; accounts that are known to be shared are
//! left out, and so are addresses of which it is known that they let others out. A use is judged once the watermark
//! has passed it, in the order of event time, against those of the day before it; one alert is about one user's day.

mod config;
mod describe;
mod place;
mod user;

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Severity, Tenant};

use crate::book::Book;
use crate::class::ClassInfo;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::keyed::SlotId;
use crate::rows;
use crate::rules::{PerTenant, Rules};
use crate::watermark::Watermarks;
use place::Place;
use user::User;

pub use config::ImpossibleTravelConfig;

pub(crate) const NAME: &str = "impossible_travel";
const STATE_VERSION: u32 = 1;

/// Every class.
pub const CLASSES: &[ClassInfo] = &[TRAVEL];

pub(super) const TRAVEL: ClassInfo = ClassInfo {
    class: "user.impossible_travel",
    severity: Severity::Medium,
    description: "A user was let in at two places between which nobody can travel in that time; low in a sandbox.",
    techniques: &["T1078"],
    owasp_api: Some("API2"),
    owasp_event: Some("authn_impossible_travel"),
};

/// The detector.
pub(crate) struct ImpossibleTravel {
    book: Book<User>,
    rules: PerTenant<ImpossibleTravelConfig>,
}

impl ImpossibleTravel {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            book: Book::new(NAME, STATE_VERSION, rules.config.keys_per_tenant_max),
            rules: rules.impossible_travel.clone(),
        }
    }

    fn take_in(&mut self, o: &Observation<'_>, watermark: EventTime) -> Option<SlotId> {
        let (tenant, user, time) = (o.tenant.as_deref()?, o.user_ref.as_deref()?, o.time?);
        let place = Place::of(o)?;
        let config = self.rules.of(tenant);
        let is_veiled = place.asn.is_some_and(|asn| config.hosting_asns.contains(&asn));
        if is_veiled || config.shared_users.iter().any(|shared| shared.eq_ignore_ascii_case(user)) {
            return None;
        }
        let id = self.book.keys.find_or_insert(tenant, user, User::default)?;
        self.book.keys.touch(id, time);
        let (_, known) = self.book.keys.get_mut(id)?;
        let is_news = known.add(o, time, place, watermark);
        self.book.totals.late += u64::from(time < watermark);
        self.book.totals.duplicates += u64::from(!is_news);
        Some(id)
    }

    /// Judges what can be judged, and tells what there is to tell.
    fn tell(&mut self, id: SlotId, watermark: EventTime, alerts: &mut AlertChanges) {
        let Some((key, user)) = self.book.keys.get_mut(id) else { return };
        let config = self.rules.of(key.tenant.as_str());
        user.settle(watermark, config);
        match user.tell(key, watermark, config, alerts) {
            Some(wake) => self.book.keys.wake_at(id, wake),
            None => drop(self.book.keys.remove(id)),
        }
    }
}

impl Detector for ImpossibleTravel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        for (_, o) in rows::having(observations, &[ObservationKind::UserUse], "user_ref") {
            self.book.totals.observations += 1;
            let watermark = o.tenant.as_deref().and_then(|tenant| watermarks.of(tenant));
            let watermark = watermark.unwrap_or(EventTime::MIN);
            if let Some(id) = self.take_in(&o, watermark) {
                self.tell(id, watermark, alerts);
            }
        }
        drop(self.book.keys.evict());
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        for id in self.book.keys.take_due(tenant, up_to) {
            self.tell(id, up_to, alerts);
        }
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.impossible_travel.clone();
    }

    fn snapshot(&self) -> DetectorState {
        self.book.snapshot()
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        self.book.restore(&state)
    }

    fn stats(&self) -> DetectorStats {
        self.book.stats(User::open)
    }
}

#[cfg(test)]
mod tests;
