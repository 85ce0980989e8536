//! Things of which one is nothing and many are something: tokens for one user, calls beyond a limit,
//! webhooks with wrong signatures, frames that a page's policy forbids, accounts that are locked. Of some one is
//! enough: a webhook that comes again, a key over a wire that anybody can read.
//!
//! So many within a window that slides over event time are told, once a day of event time and key. In
//! whatever order they come, it is the same days that are told, with the same counts.

mod config;
mod describe;
mod rule;

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Signal, Tenant};
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::episode::CELL_MS;
use crate::keyed::{Kept, SlotId};
use crate::rows;
use crate::rules::{PerTenant, Rules};
use crate::seen::Seen;
use crate::stable;
use crate::tally::Tally;
use crate::telling::Telling;
use crate::watermark::Watermarks;
use crate::witness::{Witness, delivery};

pub use config::ThresholdConfig;
pub use rule::CLASSES;
use rule::Rule;

pub(crate) const NAME: &str = "threshold";
const STATE_VERSION: u32 = 2;

/// Deliveries of one key that are told apart.
const DELIVERIES_MAX: usize = 1_024;
/// Accounts of one key that are told apart within its window.
const ACCOUNTS_MAX: usize = 1_024;
const SECOND_MS: i64 = 1_000;
/// How long after its window anything may still come.
const LATE_MS: i64 = 3_600_000;

/// The detector.
pub(crate) struct Threshold {
    book: Book<Counted>,
    rules: PerTenant<ThresholdConfig>,
}

/// What is counted of one key. Its name begins with the signal's.
#[derive(Default, Serialize, Deserialize)]
struct Counted {
    seen: Seen,
    /// How often it happened of late, by second.
    times: BTreeMap<EventTime, u32>,
    /// To whom, where that is what counts.
    accounts: BTreeSet<(EventTime, u64)>,
    days: BTreeMap<EventTime, Day>,
}

/// What happened on one day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Day {
    tally: Tally,
    /// The most that any window held that ended on it.
    most: u64,
    is_real: bool,
    ingested_at: EventTime,
    late: bool,
    told: Telling,
}

impl Kept for Counted {
    fn rank(&self) -> u8 {
        u8::from(self.days.values().any(|day| day.told.is_told()))
    }
}

impl Counted {
    /// Counts what happened; false if it was counted before.
    fn add(&mut self, o: &Observation<'_>, time: EventTime, watermark: EventTime, rule: Rule) -> bool {
        if !self.seen.insert(delivery(o), DELIVERIES_MAX) {
            return false;
        }
        *self.times.entry(time.floor(SECOND_MS)).or_default() += 1;
        if rule.counts_accounts() {
            let account = o.user_ref.as_deref().map_or_else(|| delivery(o), |user| stable::hash(&[user]));
            self.accounts.insert((time.floor(SECOND_MS), account));
            if self.accounts.len() > ACCOUNTS_MAX {
                self.accounts.pop_first();
            }
        }
        let late = time < watermark;
        let day = self.days.entry(day_of(time, watermark)).or_default();
        let witness = std::sync::Arc::new(Witness::new(o, rule.said(o)));
        if day.tally.first_seen().is_none_or(|first| time < first) {
            day.ingested_at = o.ingest_time.unwrap_or_default();
        }
        day.tally.add(&witness, 1);
        day.is_real |= o.env.as_deref() != Some("sandbox");
        day.late |= late;
        day.told.has_news();
        self.measure(time, watermark, rule);
        true
    }

    /// Counts the windows that hold this moment.
    fn measure(&mut self, time: EventTime, watermark: EventTime, rule: Rule) {
        let second = time.floor(SECOND_MS);
        for (&end, _) in self.times.range(second..second + rule.window_ms) {
            let start = end - rule.window_ms + 1;
            let count = match rule.counts_accounts() {
                true => {
                    let accounts = self.accounts.range((start, 0)..=(end, u64::MAX));
                    accounts.map(|(_, account)| account).collect::<BTreeSet<_>>().len() as u64
                }
                false => self.times.range(start..=end).map(|(_, times)| u64::from(*times)).sum(),
            };
            if let Some(day) = self.days.get_mut(&day_of(end, watermark))
                && count > day.most
            {
                day.most = count;
                day.told.has_news();
            }
        }
    }

    /// Forgets moments that no window can hold any more, and days that were told to their end.
    fn forget(&mut self, up_to: EventTime, rule: Rule) -> bool {
        let from = up_to - rule.window_ms - LATE_MS;
        self.times = self.times.split_off(&from);
        self.accounts = self.accounts.split_off(&(from, 0));
        self.days.retain(|day, _| up_to < *day + CELL_MS);
        self.times.is_empty() && self.days.is_empty()
    }
}

/// The day that something is counted with. One that is over was told; what comes after it is told with
/// the day on which it comes.
fn day_of(time: EventTime, watermark: EventTime) -> EventTime {
    time.max(watermark).floor(CELL_MS)
}

impl Threshold {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            book: Book::new(NAME, STATE_VERSION, rules.config.keys_per_tenant_max),
            rules: rules.threshold.clone(),
        }
    }

    fn take_in(&mut self, o: &Observation<'_>, watermark: EventTime) -> Option<SlotId> {
        let (tenant, time, entity) = (o.tenant.as_deref()?, o.time?, o.entity.as_deref()?);
        let signal = Signal::from_name(o.reason.as_deref()?)?;
        let rule = self.rules.of(tenant).rule(signal)?;
        let name = rule::key(signal, entity);
        let id = self.book.keys.find_or_insert(tenant, &name, Counted::default)?;
        self.book.keys.touch(id, time);
        let (_, counted) = self.book.keys.get_mut(id)?;
        let is_news = counted.add(o, time, watermark, rule);
        self.book.totals.late += u64::from(time < watermark);
        self.book.totals.duplicates += u64::from(!is_news);
        is_news.then_some(id)
    }

    /// Tells what there is to tell of a key, and forgets what is over.
    fn tell(&mut self, id: SlotId, now: EventTime, watermark: EventTime, alerts: &mut AlertChanges) {
        let Some((key, counted)) = self.book.keys.get_mut(id) else { return };
        let config = self.rules.of(key.tenant.as_str());
        let Some(rule) = rule::of(&key.name, config) else { return };
        let mut wake =
            counted.times.first_key_value().map(|(first, _)| *first + rule.window_ms + LATE_MS + 1);
        for (&start, day) in &mut counted.days {
            let is_open = watermark < start + CELL_MS;
            let mut more = Some(start + CELL_MS);
            if day.most >= rule.count {
                let mut told = day.told;
                let alert = || Some(describe::alert(key, rule, start, day, is_open));
                let severity = describe::severity(rule, day);
                more = told.tell(severity, alert, now, is_open, alerts).or(more);
                day.told = told;
            }
            wake = wake.into_iter().chain(more).min();
        }
        match counted.forget(watermark, rule) {
            true => drop(self.book.keys.remove(id)),
            false => wake.into_iter().for_each(|wake| self.book.keys.wake_at(id, wake)),
        }
    }
}

impl Detector for Threshold {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        for (_, o) in rows::of_kind(observations, &[ObservationKind::Signal]) {
            self.book.totals.observations += 1;
            let watermark = o.tenant.as_deref().and_then(|tenant| watermarks.of(tenant));
            let watermark = watermark.unwrap_or(EventTime::MIN);
            if let Some(id) = self.take_in(&o, watermark) {
                self.tell(id, o.time.unwrap_or_default(), watermark, alerts);
            }
        }
        drop(self.book.keys.evict());
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        for id in self.book.keys.take_due(tenant, up_to) {
            self.tell(id, up_to, up_to, alerts);
        }
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.threshold.clone();
    }

    fn snapshot(&self) -> DetectorState {
        self.book.snapshot()
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        self.book.restore(&state)
    }

    fn stats(&self) -> DetectorStats {
        self.book.stats(|counted| counted.days.values().filter(|day| day.told.is_told()).count() as u64)
    }
}

#[cfg(test)]
mod tests;
