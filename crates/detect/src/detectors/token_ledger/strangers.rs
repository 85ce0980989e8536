//! Tokens that nobody issued, as one network or one partner presented them.

use std::collections::{BTreeMap, BTreeSet};

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::TokenLedgerConfig;
use super::days::Day;
use super::describe;
use super::ledger::Shown;
use crate::detector::AlertChanges;
use crate::episode::CELL_MS;
use crate::keyed::{Kept, Key};
use crate::tally::Breakdown;

/// The name under which a partner's tokens are counted as a whole. No network is called so.
pub(super) const WHOLE: &str = "*";
/// More presentations of one network are not kept.
const FACTS_MAX: usize = 4_096;
/// How long after its window anything may still come.
const LATE_MS: i64 = 3_600_000;
/// A partner's pages, and not one or two clients, are where tokens of so many networks come from.
const NETS_MIN: usize = 3;

/// What is counted.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Strangers {
    facts: BTreeSet<Fact>,
    days: BTreeMap<EventTime, StrangeDay>,
}

/// One presentation: when, and of which token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Fact {
    time: EventTime,
    token: u64,
}

/// What was presented on one day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct StrangeDay {
    pub(super) day: Day,
    /// The most different tokens within one window.
    pub(super) most: usize,
    pub(super) nets: Breakdown,
}

impl Kept for Strangers {
    fn rank(&self) -> u8 {
        u8::from(self.open() > 0)
    }
}

impl Strangers {
    /// How many alerts are open.
    pub(super) fn open(&self) -> u64 {
        self.days.values().filter(|day| day.day.told.is_told()).count() as u64
    }

    /// Whether there is something to tell of it.
    pub(super) fn is_plain(&self, config: &TokenLedgerConfig) -> bool {
        self.days.values().any(|day| day.most >= config.unknown_tokens)
    }

    /// Counts a presentation; false if it was counted before.
    pub(super) fn add(&mut self, shown: &Shown, watermark: EventTime, config: &TokenLedgerConfig) -> bool {
        let time = shown.seen.witness.time;
        if !self.facts.insert(Fact { time, token: shown.token }) {
            return false;
        }
        if self.facts.len() > FACTS_MAX {
            self.facts.pop_first();
        }
        // A day that is over was told; what comes after it is told with the day on which it comes.
        let of = if shown.seen.late { watermark } else { time }.floor(CELL_MS);
        let most = self.within(time, config);
        let day = self.days.entry(of).or_default();
        day.day.add(&shown.seen, 1);
        day.nets.add(if shown.net.is_empty() { "unknown" } else { &shown.net }, 1);
        day.most = day.most.max(most);
        true
    }

    /// How many different tokens the window holds that ends at a moment.
    fn within(&self, end: EventTime, config: &TokenLedgerConfig) -> usize {
        let beginning = Fact { time: end - config.unknown_window_ms + 1, token: 0 };
        let window = self.facts.range(beginning..).take_while(|fact| fact.time <= end);
        window.map(|fact| fact.token).collect::<BTreeSet<_>>().len()
    }

    /// Tells what there is to tell. Says when there may be more; never where it may be forgotten.
    pub(super) fn tell(
        &mut self,
        key: &Key,
        watermark: EventTime,
        config: &TokenLedgerConfig,
        alerts: &mut AlertChanges,
    ) -> Option<EventTime> {
        let mut wake = EventTime(i64::MAX);
        let is_over = |start: EventTime| watermark >= start + CELL_MS + config.skew_ms;
        for (&start, day) in &mut self.days {
            let is_open = !is_over(start);
            wake = wake.min(start + CELL_MS + config.skew_ms);
            if day.most >= config.unknown_tokens && (&*key.name != WHOLE || day.is_of_many_networks()) {
                let mut told = day.day.told;
                let alert = || Some(describe::strangers(key, start, day, is_open, config));
                let severity = describe::severity(day, config);
                let more = told.tell(severity, alert, watermark, is_open, alerts);
                wake = more.into_iter().fold(wake, EventTime::min);
                day.day.told = told;
            }
        }
        self.days.retain(|start, _| !is_over(*start));
        let from = Fact { time: watermark - config.unknown_window_ms - LATE_MS, token: 0 };
        self.facts = self.facts.split_off(&from);
        let facts = self.facts.first().map(|fact| fact.time + config.unknown_window_ms + LATE_MS + 1);
        let is_left = !self.facts.is_empty() || !self.days.is_empty();
        is_left.then(|| facts.into_iter().fold(wake, EventTime::min))
    }
}

impl StrangeDay {
    fn is_of_many_networks(&self) -> bool {
        self.nets.names() >= NETS_MIN || self.nets.top(1).first().is_some_and(|(name, _)| *name == "unknown")
    }
}
