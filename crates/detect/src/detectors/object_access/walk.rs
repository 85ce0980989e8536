//! What is known of one account's calls, and what they come to.

use std::collections::{BTreeMap, BTreeSet};

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::ObjectAccessConfig;
use super::call::{Answer, Call, Fact};
use super::describe::{self, What};
use crate::detector::AlertChanges;
use crate::episode::CELL_MS;
use crate::keyed::{Kept, Key};
use crate::seen::Seen;
use crate::tally::Tally;
use crate::telling::Telling;

/// Refused calls of one account that are remembered.
const REFUSED_MAX: usize = 1_024;
/// Objects of one day that are told apart.
pub(super) const OBJECTS_MAX: usize = 1_024;
/// Calls that were answered: of these the newest.
const GIVEN_MAX: usize = 256;
/// Deliveries of one account that are told apart.
const DELIVERIES_MAX: usize = 2_048;
/// So many refused objects around a given one make it the find of a walk.
const AROUND_MIN: usize = 5;
/// How long facts are remembered: a window, and as late as anything may come.
const MEMORY_MS: i64 = 2 * 3_600_000;

/// The calls of one day that one alert is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) tally: Tally,
    pub(super) objects: BTreeSet<u64>,
    pub(super) forbidden: u64,
    /// Objects that were given and should not have been.
    pub(super) given: BTreeSet<u64>,
    /// Objects of other partners that were asked for and refused.
    pub(super) refused: BTreeSet<u64>,
    /// Whether it is plain that there is something to tell.
    is_plain: bool,
    pub(super) ingested_at: EventTime,
    pub(super) late: bool,
    told: Telling,
}

/// One account.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Account {
    seen: Seen,
    /// Calls of the last minutes by time and delivery.
    refused: BTreeMap<(EventTime, u64), Fact>,
    given: BTreeMap<(EventTime, u64), Fact>,
    last: EventTime,
    days: BTreeMap<(What, EventTime), Day>,
}

impl Kept for Account {
    fn rank(&self) -> u8 {
        match self.open() {
            0 => u8::from(!self.refused.is_empty()),
            _ => 2,
        }
    }
}

impl Account {
    /// How many alerts are open.
    pub(super) fn open(&self) -> u64 {
        self.days.values().filter(|day| day.told.is_told()).count() as u64
    }

    /// Takes in a call; false if it was known.
    pub(super) fn add(&mut self, call: Call, config: &ObjectAccessConfig) -> bool {
        if !self.seen.insert(call.delivery, DELIVERIES_MAX) {
            return false;
        }
        self.last = self.last.max(call.time);
        let at = (call.time, call.delivery);
        match call.fact.answer {
            Answer::Forbidden | Answer::Missing => {
                let day = self.days.entry((What::Walk, call.day)).or_default();
                day.add(&call);
                keep(&mut day.objects, call.fact.object);
                day.forbidden += u64::from(call.fact.answer == Answer::Forbidden);
                if call.fact.owner.is_some() {
                    let day = self.days.entry((What::Another, call.day)).or_default();
                    day.add(&call);
                    keep(&mut day.refused, call.fact.object);
                }
                insert(&mut self.refused, at, call.fact, REFUSED_MAX);
                self.judge(at.0, config);
            }
            Answer::Given => {
                insert(&mut self.given, at, call.fact, GIVEN_MAX);
                self.find(at, config);
            }
            Answer::GivenOfAnother => {
                let day = self.days.entry((What::Another, call.day)).or_default();
                day.add(&call);
                keep(&mut day.given, call.fact.object);
                day.is_plain = true;
            }
        }
        true
    }

    /// Judges the windows that hold a call that was refused at this time.
    fn judge(&mut self, time: EventTime, config: &ObjectAccessConfig) {
        let until = (time + config.window_ms + 1, 0);
        let ends: Vec<_> = self.refused.range((time, 0)..until).map(|(at, fact)| (*at, fact.day)).collect();
        for ((end, delivery), day) in ends {
            let window = self.refused.range((end - config.window_ms, 0)..=(end, delivery));
            let (mut forbidden, mut all) = (BTreeSet::new(), BTreeSet::new());
            let (mut of_others, mut others) = (BTreeSet::new(), BTreeSet::new());
            for fact in window.map(|(_, fact)| fact) {
                all.insert(fact.object);
                if fact.answer == Answer::Forbidden {
                    forbidden.insert(fact.object);
                }
                if let Some(owner) = fact.owner {
                    of_others.insert(fact.object);
                    others.insert(owner);
                }
            }
            if of_others.len() >= config.others_objects_min && others.len() >= config.others_partners_min {
                self.note_plain((What::Another, day));
            }
            if forbidden.len() >= config.forbidden_min || all.len() >= config.missing_min {
                self.note_plain((What::Walk, day));
            }
        }
        let near = self.given.range((time - config.window_ms, 0)..until).map(|(at, _)| *at);
        for at in near.collect::<Vec<_>>() {
            self.find(at, config);
        }
    }

    /// There is something to tell of a day.
    fn note_plain(&mut self, of: (What, EventTime)) {
        if let Some(day) = self.days.get_mut(&of).filter(|day| !day.is_plain) {
            day.told.has_news();
            day.is_plain = true;
        }
    }

    /// Whether an object that was given lies between those that were refused around that time.
    fn find(&mut self, at: (EventTime, u64), config: &ObjectAccessConfig) {
        let Some(fact) = self.given.get_mut(&at).filter(|fact| !fact.is_found) else { return };
        let Some(number) = fact.number else { return };
        let around = (at.0 - config.window_ms, 0)..(at.0 + config.window_ms + 1, 0);
        let refused = self.refused.range(around).map(|(_, refused)| refused);
        let numbers: BTreeSet<u64> = refused
            .filter(|refused| refused.kind == fact.kind)
            .filter_map(|refused| refused.number)
            .collect();
        let is_between = numbers.first().is_some_and(|first| *first < number)
            && numbers.last().is_some_and(|last| *last > number);
        if !is_between || numbers.len() < AROUND_MIN {
            return;
        }
        fact.is_found = true;
        let day = self.days.entry((What::Walk, fact.day)).or_default();
        keep(&mut day.given, fact.object);
        day.tally.add(&fact.witness, 1);
        day.told.has_news();
    }

    /// Tells what there is to tell. Says when there may be more.
    pub(super) fn tell(
        &mut self,
        key: &Key,
        now: EventTime,
        watermark: EventTime,
        config: &ObjectAccessConfig,
        alerts: &mut AlertChanges,
    ) -> EventTime {
        let mut wake = self.last + MEMORY_MS;
        for (&(what, start), day) in &mut self.days {
            let is_open = watermark < start + CELL_MS;
            wake = wake.min(start + CELL_MS);
            if day.is_plain {
                let mut told = day.told;
                let alert = || Some(describe::alert(key, what, start, day, is_open, config));
                let severity = describe::severity(what, day);
                wake =
                    told.tell(severity, alert, now, is_open, alerts).into_iter().fold(wake, EventTime::min);
                day.told = told;
            }
        }
        self.days.retain(|(_, start), _| watermark < *start + CELL_MS);
        wake
    }

    /// Forgets what is over; true if nothing is left.
    pub(super) fn forget(&mut self, up_to: EventTime) -> bool {
        let from = (up_to - MEMORY_MS, 0);
        self.refused = self.refused.split_off(&from);
        self.given = self.given.split_off(&from);
        self.refused.is_empty() && self.given.is_empty() && self.days.is_empty()
    }
}

impl Day {
    fn add(&mut self, call: &Call) {
        if self.tally.first_seen().is_none_or(|first| call.time < first) {
            self.ingested_at = call.ingested_at;
        }
        self.tally.add(&call.fact.witness, 1);
        self.late |= call.late;
        self.told.has_news();
    }
}

/// Counts an object once. Of too many the least are kept, which is a choice that order has no part in.
fn keep(objects: &mut BTreeSet<u64>, object: u64) {
    objects.insert(object);
    if objects.len() > OBJECTS_MAX {
        objects.pop_last();
    }
}

/// Remembers a fact; of too many the oldest is forgotten.
fn insert(facts: &mut BTreeMap<(EventTime, u64), Fact>, at: (EventTime, u64), fact: Fact, most: usize) {
    facts.insert(at, fact);
    if facts.len() > most {
        facts.pop_first();
    }
}
