//! One user's uses in the order in which they happened, and between which of them nobody can travel.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::config::ImpossibleTravelConfig;
use super::describe;
use super::place::Place;
use crate::detector::AlertChanges;
use crate::episode::CELL_MS;
use crate::keyed::{Kept, Key};
use crate::seen::Seen;
use crate::tally::Tally;
use crate::telling::Telling;
use crate::witness::{Witness, delivery};

const HOUR_MS: f64 = 3_600_000.0;
/// From any place to any other it is no more than 20,020 km: what is longer ago than this is no news.
const MEMORY_MS: i64 = 24 * 3_600_000;
/// Uses that are remembered, of each place one for each [`ImpossibleTravelConfig::gap_ms`].
const USES_MAX: usize = 64;
/// So far apart uses are of one place when it comes to remembering them, in km.
const SAME_PLACE_KM: f64 = 50.0;
/// Uses that wait for the watermark.
const WAITING_MAX: usize = 1_024;
/// Deliveries that are told apart.
const DELIVERIES_MAX: usize = 1_024;

/// When, and of several at one moment which: a delivery's hash.
type At = (EventTime, u64);

/// An accepted use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Use {
    pub(super) witness: Arc<Witness>,
    pub(super) place: Place,
    ingested_at: EventTime,
    is_real: bool,
    late: bool,
    /// The day of the alert that it is part of.
    day: EventTime,
    is_told: bool,
}

/// Two uses between which nobody can travel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Journey {
    pub(super) from: Use,
    pub(super) to: Use,
    pub(super) km: f64,
    pub(super) ms: i64,
}

impl Journey {
    fn between(one: &Use, other: &Use) -> Self {
        let (from, to) = if one.witness <= other.witness { (one, other) } else { (other, one) };
        let ms = to.witness.time - from.witness.time;
        Self { km: from.place.km_to(&to.place), ms, from: from.clone(), to: to.clone() }
    }

    pub(super) fn kmh(&self) -> f64 {
        self.km / (self.ms as f64 / HOUR_MS)
    }

    fn is_impossible(&self, config: &ImpossibleTravelConfig) -> bool {
        self.ms >= config.gap_ms && self.km > config.distance_km && self.kmh() > config.speed_kmh
    }
}

/// The journeys of one day that one alert is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) tally: Tally,
    /// The fastest, and of several the first.
    pub(super) journey: Journey,
    pub(super) journeys: u64,
    pub(super) is_real: bool,
    pub(super) ingested_at: EventTime,
    pub(super) late: bool,
    told: Telling,
}

/// One user.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct User {
    seen: Seen,
    waiting: BTreeMap<At, Use>,
    uses: BTreeMap<At, Use>,
    last: EventTime,
    days: BTreeMap<EventTime, Day>,
}

impl Kept for User {
    fn rank(&self) -> u8 {
        u8::from(self.open() > 0)
    }
}

impl User {
    /// How many alerts are open.
    pub(super) fn open(&self) -> u64 {
        self.days.values().filter(|day| day.told.is_told()).count() as u64
    }

    /// Takes in a use, which waits until all that was before it is known; false if it was known itself.
    pub(super) fn add(
        &mut self,
        o: &Observation<'_>,
        time: EventTime,
        place: Place,
        watermark: EventTime,
    ) -> bool {
        let delivery = delivery(o);
        if !self.seen.insert(delivery, DELIVERIES_MAX) {
            return false;
        }
        let late = time < watermark;
        let what =
            place.country.as_deref().map_or("let in".to_owned(), |country| format!("let in from {country}"));
        let used = Use {
            witness: Arc::new(Witness::new(o, what)),
            place,
            ingested_at: o.ingest_time.unwrap_or_default(),
            is_real: o.env.as_deref() != Some("sandbox"),
            late,
            day: if late { watermark } else { time }.floor(CELL_MS),
            is_told: false,
        };
        self.waiting.insert((time, delivery), used);
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_last();
        }
        true
    }

    /// Judges the uses that the watermark has passed, in order.
    pub(super) fn settle(&mut self, watermark: EventTime, config: &ImpossibleTravelConfig) {
        while let Some(used) = self.waiting.first_entry()
            && used.key().0 < watermark
        {
            let (at, used) = used.remove_entry();
            self.judge(at, used, config);
        }
    }

    /// Holds a use against those that are remembered: the nearest in time from which nobody comes there counts.
    fn judge(&mut self, at: At, mut used: Use, config: &ImpossibleTravelConfig) {
        self.last = self.last.max(at.0);
        let last = self.last;
        self.uses.retain(|(time, _), _| last - *time <= MEMORY_MS);
        let impossible = |other: &Use| {
            let journey = Journey::between(other, &used);
            journey.is_impossible(config).then_some(journey)
        };
        let journeys = self.uses.iter().filter_map(|(other, known)| Some((*other, impossible(known)?)));
        if let Some((other, journey)) = journeys.min_by_key(|(other, journey)| (journey.ms, *other)) {
            used.is_told = true;
            self.tell_of(journey, &used);
            if let Some(known) = self.uses.get_mut(&other) {
                known.is_told = true;
            }
        }
        self.remember(at, used, config);
    }

    fn tell_of(&mut self, journey: Journey, used: &Use) {
        let day = self.days.entry(used.day).or_insert_with(|| Day {
            tally: Tally::default(),
            journey: journey.clone(),
            journeys: 0,
            is_real: false,
            ingested_at: used.ingested_at,
            late: false,
            told: Telling::default(),
        });
        for end in [&journey.from, &journey.to] {
            // The other end may be part of an earlier journey.
            if end.witness == used.witness || !end.is_told {
                day.tally.add(&end.witness, 1);
            }
            day.is_real |= end.is_real;
        }
        day.journeys += 1;
        day.late |= used.late;
        if journey.kmh() > day.journey.kmh() {
            day.journey = journey;
        }
        day.told.has_news();
    }

    /// Of a place that is used all the time one use in a while is enough to compare others with.
    fn remember(&mut self, at: At, used: Use, config: &ImpossibleTravelConfig) {
        let near = (at.0 - config.gap_ms, 0)..=(at.0 + config.gap_ms, u64::MAX);
        if self.uses.range(near).any(|(_, known)| known.place.km_to(&used.place) <= SAME_PLACE_KM) {
            return;
        }
        self.uses.insert(at, used);
        if self.uses.len() > USES_MAX {
            self.uses.pop_first();
        }
    }

    /// Tells what there is to tell. Says when there may be more; never where it may be forgotten.
    pub(super) fn tell(
        &mut self,
        key: &Key,
        watermark: EventTime,
        config: &ImpossibleTravelConfig,
        alerts: &mut AlertChanges,
    ) -> Option<EventTime> {
        let mut wake = self.last + MEMORY_MS + 1;
        for (start, day) in &mut self.days {
            // What happened in its last moment is judged once the watermark has come past it.
            let end = *start + CELL_MS + 1;
            let is_open = watermark < end;
            let mut told = day.told;
            let alert = || Some(describe::alert(key, *start, day, is_open, config));
            let more = told.tell(describe::severity(day), alert, watermark, is_open, alerts);
            wake = more.into_iter().fold(wake.min(end), EventTime::min);
            day.told = told;
        }
        self.days.retain(|start, _| watermark <= *start + CELL_MS);
        let waits = self.waiting.first_key_value().map(|((time, _), _)| *time + 1);
        let is_left = waits.is_some() || !self.days.is_empty() || watermark <= self.last + MEMORY_MS;
        is_left.then(|| waits.into_iter().fold(wake, EventTime::min))
    }
}
