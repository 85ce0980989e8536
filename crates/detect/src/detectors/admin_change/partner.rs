//! What is known of one partner's changes, and what a change tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{EventTime, Observation, Tenant};
use serde::{Deserialize, Serialize};

use super::config::AdminChangeConfig;
use super::describe;
use crate::detector::AlertChanges;
use crate::episode::CELL_MS;
use crate::keyed::Kept;
use crate::seen::Seen;
use crate::tally::{Breakdown, Tally};
use crate::telling::Telling;
use crate::witness::{Witness, delivery};

const HOUR_MS: i64 = 3_600_000;
/// 1970-01-01 was a Thursday: so many days after a Monday.
const FIRST_WEEKDAY: i64 = 3;
/// Networks of one partner that are remembered.
const NETS_MAX: usize = 256;
/// Changes that wait for the watermark.
const WAITING_MAX: usize = 1_024;
/// Deliveries that are told apart.
const DELIVERIES_MAX: usize = 1_024;

/// Why a change is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Why {
    /// It came from this network, which is new.
    NewNetwork(Box<str>),
    /// It was made outside of the hours.
    OutOfHours,
}

/// A change that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Change {
    witness: Arc<Witness>,
    net: Option<Box<str>>,
    who: Box<str>,
    ingested_at: EventTime,
    is_real: bool,
    late: bool,
    day: EventTime,
}

/// A network that changes came from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Known {
    first: EventTime,
    last: EventTime,
    was_new: bool,
}

/// The changes of one day that one alert is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) tally: Tally,
    pub(super) who: Breakdown,
    pub(super) is_real: bool,
    pub(super) ingested_at: EventTime,
    pub(super) late: bool,
    told: Telling,
}

/// One partner.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Partner {
    seen: Seen,
    waiting: BTreeMap<(EventTime, u64), Change>,
    first: Option<EventTime>,
    last: EventTime,
    changes: u64,
    nets: BTreeMap<Box<str>, Known>,
    days: BTreeMap<(EventTime, Why), Day>,
}

impl Kept for Partner {
    fn rank(&self) -> u8 {
        u8::from(self.open() > 0)
    }
}

impl Partner {
    /// How many alerts are open.
    pub(super) fn open(&self) -> u64 {
        self.days.values().filter(|day| day.told.is_told()).count() as u64
    }

    /// Takes in a change, which waits until all that was before it is known; false if it was known itself.
    pub(super) fn add(&mut self, o: &Observation<'_>, time: EventTime, watermark: EventTime) -> bool {
        let delivery = delivery(o);
        if !self.seen.insert(delivery, DELIVERIES_MAX) {
            return false;
        }
        let late = time < watermark;
        let action = o.action.as_deref().unwrap_or("changed");
        let change = Change {
            witness: Arc::new(Witness::new(o, action.to_owned())),
            net: o.src_net.as_deref().map(Box::from),
            who: o.user_ref.as_deref().or(o.api_key.as_deref()).unwrap_or("unknown").into(),
            ingested_at: o.ingest_time.unwrap_or_default(),
            is_real: o.env.as_deref() != Some("sandbox"),
            late,
            day: if late { watermark } else { time }.floor(CELL_MS),
        };
        self.waiting.insert((time, delivery), change);
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_last();
        }
        true
    }

    /// Judges the changes that the watermark has passed, in order.
    pub(super) fn settle(&mut self, watermark: EventTime, config: &AdminChangeConfig) {
        while let Some(change) = self.waiting.first_entry()
            && change.key().0 < watermark
        {
            let ((time, _), change) = change.remove_entry();
            self.judge(time, &change, config);
        }
    }

    fn judge(&mut self, time: EventTime, change: &Change, config: &AdminChangeConfig) {
        let has_past = self.changes >= config.changes_min
            && self.first.is_some_and(|first| time - first >= config.history_ms);
        if let Some(net) = &change.net {
            let known = self.nets.get(net).copied().filter(|known| time - known.last < config.memory_ms);
            let known = known.unwrap_or(Known { first: time, last: time, was_new: has_past });
            if known.was_new && time - known.first < CELL_MS {
                self.day(change, Why::NewNetwork(net.clone()));
            }
            self.nets.insert(net.clone(), Known { last: known.last.max(time), ..known });
            self.forget_oldest();
        }
        if is_out_of_hours(time, config) {
            self.day(change, Why::OutOfHours);
        }
        self.changes += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = self.last.max(time);
    }

    fn day(&mut self, change: &Change, why: Why) {
        let day = self.days.entry((change.day, why)).or_default();
        if day.tally.first_seen().is_none_or(|first| change.witness.time < first) {
            day.ingested_at = change.ingested_at;
        }
        day.tally.add(&change.witness, 1);
        day.who.add(&change.who, 1);
        day.is_real |= change.is_real;
        day.late |= change.late;
        day.told.has_news();
    }

    fn forget_oldest(&mut self) {
        if self.nets.len() > NETS_MAX {
            let oldest = self.nets.iter().min_by_key(|(net, known)| (known.last, *net));
            if let Some(net) = oldest.map(|(net, _)| net.clone()) {
                self.nets.remove(&net);
            }
        }
    }

    /// Tells what there is to tell. Says when there may be more; never where it may be forgotten.
    pub(super) fn tell(
        &mut self,
        tenant: &Tenant,
        watermark: EventTime,
        config: &AdminChangeConfig,
        alerts: &mut AlertChanges,
    ) -> Option<EventTime> {
        let mut wake = self.last + config.memory_ms;
        for ((start, why), day) in &mut self.days {
            // What happened in its last moment is judged once the watermark has come past it.
            let end = *start + CELL_MS + 1;
            let is_open = watermark < end;
            let mut told = day.told;
            let alert = || Some(describe::alert(tenant, why, *start, day, is_open, config));
            let more = told.tell(describe::severity(day), alert, watermark, is_open, alerts);
            wake = more.into_iter().fold(wake.min(end), EventTime::min);
            day.told = told;
        }
        self.days.retain(|(start, _), _| watermark <= *start + CELL_MS);
        let waits = self.waiting.first_key_value().map(|((time, _), _)| *time + 1);
        let is_left = waits.is_some() || !self.days.is_empty() || watermark < self.last + config.memory_ms;
        is_left.then(|| waits.into_iter().fold(wake, EventTime::min))
    }
}

fn is_out_of_hours(time: EventTime, config: &AdminChangeConfig) -> bool {
    let (hour, day) = (time.millis() / HOUR_MS % 24, (time.millis() / CELL_MS + FIRST_WEEKDAY) % 7);
    let hours = i64::from(config.from_hour)..i64::from(config.until_hour);
    !hours.contains(&hour) || day >= i64::from(config.days_of_week)
}
