//! How many of the tokens that were issued within an hour were redeemed, held against the hours before.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{EventTime, Observation, Tenant};
use serde::{Deserialize, Serialize};

use super::TokenLedgerConfig;
use super::days::{Day, Seen};
use super::describe;
use super::ledger::Ledger;
use crate::detector::AlertChanges;
use crate::episode::CELL_MS;
use crate::witness::{Witness, delivery};

const HOUR_MS: i64 = 3_600_000;
/// Hours that are remembered: a week of them.
const PAST_MAX: usize = 168;
/// Hours longer ago than this are not usual any more.
const PAST_MS: i64 = 14 * 86_400_000;
/// Issues of one hour that are kept as evidence: its first.
const SHOWN_MAX: usize = 4;
/// Of an hour with fewer tokens nothing is learned.
const LEARNED_MIN: u64 = 10;

/// One tenant's hours.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Hours {
    /// The first issues of each hour that is not judged yet, by time and delivery.
    waiting: BTreeMap<EventTime, BTreeMap<(EventTime, u64), Seen>>,
    judged_to: EventTime,
    /// How many tokens were issued and redeemed in the hours before.
    past: BTreeMap<EventTime, (u64, u64)>,
    days: BTreeMap<EventTime, HoursDay>,
}

/// Hours of one day whose tokens were not redeemed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HoursDay {
    pub(super) day: Day,
    pub(super) first: EventTime,
    pub(super) end: EventTime,
    pub(super) issued: u64,
    pub(super) redeemed: u64,
    /// The share that was not redeemed in the hours before the first of them.
    pub(super) usual: f64,
}

impl Hours {
    /// Notes that a token was issued.
    pub(super) fn note(&mut self, o: &Observation<'_>, watermark: EventTime) {
        let Some(time) = o.time.filter(|time| time.floor(HOUR_MS) >= self.judged_to) else { return };
        let shown = self.waiting.entry(time.floor(HOUR_MS)).or_default();
        let at = (time, delivery(o));
        let is_among = shown.len() < SHOWN_MAX || shown.last_key_value().is_some_and(|(last, _)| at < *last);
        if !is_among || shown.contains_key(&at) {
            return;
        }
        let seen = Seen {
            witness: Arc::new(Witness::new(o, "session token issued".to_owned())),
            ingested_at: o.ingest_time.unwrap_or_default(),
            is_real: o.env.as_deref() != Some("sandbox"),
            late: time < watermark,
        };
        shown.insert(at, seen);
        if shown.len() > SHOWN_MAX {
            shown.pop_last();
        }
    }

    /// Judges the hours whose tokens have ended, and tells what there is to tell.
    pub(super) fn settle(
        &mut self,
        tenant: &Tenant,
        up_to: EventTime,
        ledger: &Ledger,
        config: &TokenLedgerConfig,
        alerts: &mut AlertChanges,
    ) {
        let wait_ms = HOUR_MS + config.ttl_ms + config.skew_ms;
        while let Some(hour) = self.waiting.first_entry()
            && *hour.key() + wait_ms <= up_to
        {
            let (hour, shown) = hour.remove_entry();
            self.judge(hour, &shown, ledger, config);
        }
        self.judged_to = self.judged_to.max((up_to - wait_ms).floor(HOUR_MS) + HOUR_MS);
        let over_ms = CELL_MS + wait_ms;
        for (&start, day) in &mut self.days {
            let is_open = up_to < start + over_ms;
            let mut told = day.day.told;
            let alert = || Some(describe::unredeemed(tenant, start, day, is_open, config));
            // At most once an hour there is news.
            told.tell(super::UNREDEEMED.severity, alert, up_to, is_open, alerts);
            day.day.told = told;
        }
        self.days.retain(|start, _| up_to < *start + over_ms);
        self.past.retain(|hour, _| up_to - *hour < PAST_MS);
    }

    fn judge(
        &mut self,
        hour: EventTime,
        shown: &BTreeMap<(EventTime, u64), Seen>,
        ledger: &Ledger,
        config: &TokenLedgerConfig,
    ) {
        let (issued, redeemed) = ledger.issued_and_redeemed(hour, hour + HOUR_MS, config);
        let usual = self.usual(config);
        let share = unredeemed(issued, redeemed);
        match usual.filter(|usual| *usual <= config.unredeemed_usual_max) {
            Some(usual) if issued >= config.issued_min && share >= config.unredeemed_share => {
                let day = self.days.entry(hour.floor(CELL_MS)).or_default();
                if day.issued == 0 {
                    (day.first, day.usual) = (hour, usual);
                }
                day.end = hour + HOUR_MS;
                day.issued += issued;
                day.redeemed += redeemed;
                let mut weight = issued.saturating_sub(shown.len() as u64) + 1;
                for seen in shown.values() {
                    day.day.add(seen, weight);
                    weight = 1;
                }
            }
            _ if issued >= LEARNED_MIN => {
                self.past.insert(hour, (issued, redeemed));
                if self.past.len() > PAST_MAX {
                    self.past.pop_first();
                }
            }
            _ => {}
        }
    }

    /// The share of tokens that is usually not redeemed, if enough is known.
    fn usual(&self, config: &TokenLedgerConfig) -> Option<f64> {
        let sum = |(a, b): (u64, u64), (c, d): &(u64, u64)| (a + c, b + d);
        let (issued, redeemed) = self.past.values().fold((0, 0), sum);
        (self.past.len() >= config.usual_hours_min).then(|| unredeemed(issued, redeemed))
    }

    pub(super) fn open(&self) -> u64 {
        self.days.values().filter(|day| day.day.told.is_told()).count() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.past.is_empty() && self.days.is_empty()
    }
}

/// The share that was not redeemed.
pub(super) fn unredeemed(issued: u64, redeemed: u64) -> f64 {
    if issued == 0 { 0.0 } else { 1.0 - redeemed as f64 / issued as f64 }
}
