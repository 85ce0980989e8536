//! How a feed usually comes: how long it pauses, and at which times of the week it rests.

use std::collections::VecDeque;

use event::EventTime;
use serde::{Deserialize, Serialize};

use super::SourceHealthConfig;

/// The week is looked at in stretches of ten minutes.
const STRETCH_MS: i64 = 600_000;
const PER_DAY: i64 = 144;
const PER_WEEK: i64 = 7 * PER_DAY;
/// Among so many pauses the longest is their 99.5th percentile.
const PAUSES_MAX: usize = 200;
/// Stretches are counted up to here, then halved: what was so two months ago counts little.
const COUNT_MAX: u8 = 8;
/// A silence that was told teaches nothing, or an outage would be usual the next time; but a longer
/// one than this is a night or a weekend.
const LESSON_MS: i64 = 14_400_000;
/// Nothing further ahead is looked at: two weeks.
const AHEAD_MAX: i64 = 2 * PER_WEEK;

/// The pauses and the week of one feed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cadence {
    pauses: VecDeque<i64>,
    week: Vec<Stretch>,
    day: Vec<Stretch>,
}

/// How often something came in this stretch, and how often nothing did.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Stretch {
    busy: u8,
    quiet: u8,
}

impl Stretch {
    fn count(&mut self, is_busy: bool) {
        let count = if is_busy { &mut self.busy } else { &mut self.quiet };
        *count += 1;
        if *count == COUNT_MAX {
            (self.busy, self.quiet) = (self.busy / 2, self.quiet / 2);
        }
    }

    fn is_known(self) -> bool {
        self.busy + self.quiet > 0
    }

    /// Whether something is to be expected: it came three times as often as not.
    fn is_busy(self) -> bool {
        self.busy >= 3 * self.quiet
    }
}

/// What a pause was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// No longer than others.
    Usual,
    /// Longer, at a time at which the feed rests.
    Rest,
    /// Longer, at a time at which it does not.
    Silence,
}

impl Cadence {
    /// The longest pause that is nothing unusual; `None` where too little is known.
    pub(super) fn pause_max_ms(&self, config: &SourceHealthConfig) -> Option<i64> {
        let longest = self.pauses.iter().max().filter(|_| self.pauses.len() >= config.pauses_min)?;
        let too_long_ms = *longest as f64 * config.silent_pause_ratio * self.few_pauses_ratio();
        Some(config.silent_after_ms.max(too_long_ms as i64))
    }

    /// By how much the longest of so few pauses falls short of their 99.5th percentile. Lines that come by chance
    /// make pauses whose longest grows as the logarithm of their number.
    fn few_pauses_ratio(&self) -> f64 {
        (PAUSES_MAX as f64).ln() / (self.pauses.len().clamp(2, PAUSES_MAX) as f64).ln()
    }

    /// The first lines came.
    pub(super) fn begin(&mut self, at: EventTime, zone_offset_ms: i64) {
        self.count(stretch(at, zone_offset_ms), true);
    }

    /// Lines came again after a pause.
    pub(super) fn learn(&mut self, pause: Pause, from: EventTime, to: EventTime, zone_offset_ms: i64) {
        let (before, now) = (stretch(from, zone_offset_ms), stretch(to, zone_offset_ms));
        // A feed that comes once an hour does not rest in between.
        let is_busy = pause == Pause::Usual;
        if pause != Pause::Silence || to - from >= LESSON_MS {
            (before + 1..now).take(AHEAD_MAX as usize).for_each(|between| self.count(between, is_busy));
        }
        if now > before {
            self.count(now, true);
        }
        if pause == Pause::Usual {
            self.pauses.push_back(to - from);
        }
        if self.pauses.len() > PAUSES_MAX {
            self.pauses.pop_front();
        }
    }

    fn count(&mut self, stretch: i64, is_busy: bool) {
        self.week.resize(PER_WEEK as usize, Stretch::default());
        self.day.resize(PER_DAY as usize, Stretch::default());
        self.week[stretch.rem_euclid(PER_WEEK) as usize].count(is_busy);
        self.day[stretch.rem_euclid(PER_DAY) as usize].count(is_busy);
    }

    /// What is known of this stretch: by the weeks before, else by the days before.
    fn known(&self, stretch: i64) -> Option<Stretch> {
        let of = |known: &[Stretch], length: i64| {
            let known = known.get(stretch.rem_euclid(length) as usize).copied();
            known.filter(|known| known.is_known())
        };
        of(&self.week, PER_WEEK).or_else(|| of(&self.day, PER_DAY))
    }

    /// Whether something usually comes at that time, as far as is known.
    pub(super) fn is_known_to_be_busy(&self, at: EventTime, zone_offset_ms: i64) -> bool {
        self.known(stretch(at, zone_offset_ms)).is_some_and(Stretch::is_busy)
    }

    /// When a pause that began so is too long, rest left out; `None` if not within two weeks.
    pub(super) fn overdue_at(&self, from: EventTime, most_ms: i64, zone_offset_ms: i64) -> Option<EventTime> {
        let (mut at, mut left_ms) = (from + zone_offset_ms, most_ms);
        let first = stretch(from, zone_offset_ms);
        for stretch in first..first + AHEAD_MAX {
            let end = EventTime((stretch + 1) * STRETCH_MS);
            if self.known(stretch).is_none_or(Stretch::is_busy) {
                if end - at > left_ms {
                    return Some(at + left_ms - zone_offset_ms);
                }
                left_ms -= end - at;
            }
            at = end;
        }
        None
    }
}

/// Stretches since 1970 by the clocks of a zone.
fn stretch(time: EventTime, zone_offset_ms: i64) -> i64 {
    (time + zone_offset_ms).millis().div_euclid(STRETCH_MS)
}
