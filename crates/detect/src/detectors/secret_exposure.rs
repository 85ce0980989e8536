//! Secrets where they do not belong: a key in a user agent, a password in a message, a token in an
//! address. Normalization took them out; who wrote them there has to stop, and the secret is burnt.
//!
//! What is told is the leak, not each secret: of one feed, one kind of secret and one place, once a
//! day. A day is a day of event time, so that every fact belongs to one episode in whatever order
//! facts come, and a leak that goes on is told again the next day.

mod describe;

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Severity, Tenant};
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::class::ClassInfo;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::episode::CELL_MS;
use crate::keyed::{Kept, Key, SlotId};
use crate::rows;
use crate::rules::{Parameters, Rules};
use crate::seen::Seen;
use crate::tally::Tally;
use crate::telling::Telling;
use crate::watermark::Watermarks;
use crate::witness::{Witness, delivery};
use describe::{describe, severity};

pub(crate) const NAME: &str = "secret_exposure";
const STATE_VERSION: u32 = 1;

/// Deliveries of one leak that are told apart.
const DELIVERIES_MAX: usize = 4_096;
/// Secrets of one leak that are told apart, and named in its alert.
const SECRETS_MAX: usize = 64;
/// What holds the parts of a key apart; no topic, kind or place has one.
const BETWEEN: char = '\u{1f}';

/// Every class.
pub const CLASSES: &[ClassInfo] = &[EXPOSED];

pub(super) const EXPOSED: ClassInfo = ClassInfo {
    class: "secret.exposed",
    severity: Severity::Medium,
    description: "A key, password or token stood where a log must not have one, such as a URL, a user agent or \
                  a message; high for API keys and the like, low where only a sandbox is concerned.",
    techniques: &["T1552.001"],
    owasp_api: Some("API8"),
    owasp_event: Some("input_validation_fail"),
};

// --- config ------------------------------------------------------------------------------------

/// Nothing can be set: one secret is one too many.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretExposureConfig {}

impl Parameters for SecretExposureConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        Ok(())
    }
}

// --- state -------------------------------------------------------------------------------------

/// The detector.
pub(crate) struct SecretExposure {
    book: Book<Leak>,
}

/// One kind of secret in one place of one feed on one day.
#[derive(Default, Serialize, Deserialize)]
struct Leak {
    day: EventTime,
    tally: Tally,
    seen: Seen,
    /// Fingerprints of the secrets, as far as they have any.
    secrets: BTreeSet<Box<str>>,
    has_more_secrets: bool,
    /// Whether it concerns more than a sandbox.
    is_real: bool,
    first: Option<Arc<Witness>>,
    ingested_at: EventTime,
    late: bool,
    told: Telling,
}

impl Kept for Leak {
    fn rank(&self) -> u8 {
        u8::from(self.told.is_told())
    }
}

impl Leak {
    /// Counts an observation; false if it was counted before.
    fn add(&mut self, o: &Observation<'_>, what: String, late: bool) -> bool {
        if !self.seen.insert(delivery(o), DELIVERIES_MAX) {
            return false;
        }
        let witness = Arc::new(Witness::new(o, what));
        if self.first.as_ref().is_none_or(|first| witness < *first) {
            self.ingested_at = o.ingest_time.unwrap_or_default();
            self.first = Some(Arc::clone(&witness));
        }
        self.tally.add(&witness, 1);
        if let Some(secret) = o.token_fp.as_deref() {
            self.secrets.insert(secret.into());
            // Those that are kept are the least, which is a choice that order has no part in.
            if self.secrets.len() > SECRETS_MAX {
                self.secrets.pop_last();
                self.has_more_secrets = true;
            }
        }
        self.is_real |= o.env.as_deref() != Some("sandbox");
        self.late |= late;
        self.told.has_news();
        true
    }
}

/// The parts of a key: topic, kind of secret, place and day.
fn parts(key: &Key) -> Option<(&str, &str, &str)> {
    let mut parts = key.name.split(BETWEEN);
    Some((parts.next()?, parts.next()?, parts.next()?))
}

// --- logic -------------------------------------------------------------------------------------

impl SecretExposure {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self { book: Book::new(NAME, STATE_VERSION, rules.config.keys_per_tenant_max) }
    }

    fn take_in(&mut self, o: &Observation<'_>, watermarks: &Watermarks) -> Option<SlotId> {
        let (tenant, topic, time) = (o.tenant.as_deref()?, o.kafka_topic.as_deref()?, o.time?);
        let (kind, place) = (o.reason.as_deref()?, o.action.as_deref()?);
        let watermark = watermarks.of(tenant);
        let late = watermark.is_some_and(|watermark| time < watermark);
        // A day that is over has been told; what comes after it is told with the day on which it comes.
        let day = time.max(watermark.filter(|_| late).unwrap_or(time)).floor(CELL_MS);
        self.book.totals.late += u64::from(late);
        let name = format!("{topic}{BETWEEN}{kind}{BETWEEN}{place}{BETWEEN}{}", day.millis());
        let id = self.book.keys.find_or_insert(tenant, &name, || Leak { day, ..Leak::default() })?;
        let (_, leak) = self.book.keys.get_mut(id)?;
        let is_news = leak.add(o, format!("{} in {place}", describe::said(kind)), late);
        self.book.totals.duplicates += u64::from(!is_news);
        self.book.keys.touch(id, time);
        is_news.then_some(id)
    }

    /// Tells of a leak, if there is something to tell.
    fn tell(&mut self, id: SlotId, now: EventTime, is_open: bool, alerts: &mut AlertChanges) {
        let Some((key, leak)) = self.book.keys.get_mut(id) else { return };
        let mut told = leak.told;
        let more = told.tell(severity(key, leak), || describe(key, leak, is_open), now, is_open, alerts);
        leak.told = told;
        let day_end = leak.day + CELL_MS;
        self.book.keys.wake_at(id, more.map_or(day_end, |more| more.min(day_end)));
    }
}

impl Detector for SecretExposure {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let mut news = Vec::new();
        for (_, o) in rows::of_kind(observations, &[ObservationKind::Secret]) {
            self.book.totals.observations += 1;
            news.extend(self.take_in(&o, watermarks).map(|id| (id, o.time.unwrap_or_default())));
        }
        for (id, time) in news {
            self.tell(id, time, true, alerts);
        }
        drop(self.book.keys.evict());
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        for id in self.book.keys.take_due(tenant, up_to) {
            let Some((_, leak)) = self.book.keys.get_mut(id) else { continue };
            let is_over = up_to >= leak.day + CELL_MS;
            self.tell(id, up_to, !is_over, alerts);
            if is_over {
                self.book.keys.remove(id);
            }
        }
    }

    fn learn(&mut self, _: &Rules) {}

    fn snapshot(&self) -> DetectorState {
        self.book.snapshot()
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        self.book.restore(&state)
    }

    fn stats(&self) -> DetectorStats {
        self.book.stats(|leak| u64::from(leak.told.is_told()))
    }
}

#[cfg(test)]
mod tests;
