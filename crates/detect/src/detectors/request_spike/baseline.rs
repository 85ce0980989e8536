//! What is usual: for each hour of the week the median minute, its spread and its highest.
//!
//! An hour is learned when it is over: sixty counts become one median, one median absolute
//! deviation and one maximum, and join what that hour of the week was before. That is about
//! 3 KB a key. A robust median needs no clean data; a slow ramp still cannot teach it much,
//! because one week may at most double what the weeks before had found.
//!
//! The minutes of an episode teach nothing, except that they were: what was odd in the same hour of the
//! week before is a habit, such as a weekly batch job, and no longer odd where it comes again about as
//! high. That is so for requests that were answered. What was mostly refused is a habit only after two
//! weeks of about one height, because attackers are refused and jobs are not. A habit that pauses is forgotten.

use event::EventTime;
use serde::{Deserialize, Serialize};

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
const HOURS_OF_WEEK: usize = 168;
/// An hour with fewer minutes than this teaches nothing.
const MINUTES_MIN: usize = 10;
/// After so many weeks the oldest no longer count.
const WEEKS_MAX: u8 = 4;
/// What was odd in so many weeks is a habit ...
const HABIT_WEEKS: u8 = 1;
/// ... and what was mostly refused, in so many.
const REFUSED_HABIT_WEEKS: u8 = 2;
/// Whose height differs by no more than this factor is the same job.
const HABIT_RATIO_MAX: f32 = 1.5;
/// Weeks between two runs of one job, at most.
const HABIT_GAP_WEEKS: i32 = 2;
/// MAD times this estimates the standard deviation.
const MAD_TO_SIGMA: f32 = 1.4826;

/// What one hour of the week was like, a minute.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Slot {
    weeks: u8,
    minutes: u16,
    median: f32,
    sigma: f32,
    max: f32,
    /// What was odd before `odd_week`.
    odd_before: Odd,
    /// The last week in which anything was odd, and what so far.
    odd_week: i32,
    odd_now: Odd,
}

/// What was odd in one hour of so many weeks.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Odd {
    weeks: u8,
    height: f32,
    /// Whether most of any of its minutes was refused.
    is_refused: bool,
}

impl Odd {
    /// How high it is where it is a habit, else nothing.
    fn habit(self) -> f32 {
        let needed = if self.is_refused { REFUSED_HABIT_WEEKS } else { HABIT_WEEKS };
        if self.weeks >= needed { self.height } else { 0.0 }
    }
}

/// What is usual at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Usual {
    pub(super) median: f64,
    pub(super) sigma: f64,
    pub(super) past_max: f64,
}

/// The learned history of one key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Baseline {
    first: Option<EventTime>,
    learned_minutes: u32,
    hour: EventTime,
    counts: Vec<u32>,
    slots: Vec<Slot>,
}

impl Baseline {
    /// Learns one minute; minutes come in order. `zone_offset_ms` places it in the partner's week.
    pub(super) fn learn(&mut self, minute: EventTime, count: u64, zone_offset_ms: i64) {
        let hour = minute.floor(HOUR_MS);
        if hour != self.hour {
            self.end_hour(zone_offset_ms);
            self.hour = hour;
        }
        self.first.get_or_insert(minute);
        self.learned_minutes = self.learned_minutes.saturating_add(1);
        self.counts.push(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Notes that a minute was out of the ordinary, instead of learning it.
    pub(super) fn note_odd(&mut self, minute: EventTime, count: u64, is_refused: bool, zone_offset_ms: i64) {
        if self.slots.is_empty() {
            return;
        }
        let week = week_of(minute, zone_offset_ms);
        let slot = &mut self.slots[hour_of_week(minute, zone_offset_ms)];
        if slot.odd_week != week {
            slot.odd_before = slot.odd_before(week);
            (slot.odd_week, slot.odd_now) = (week, Odd { weeks: 1, ..Odd::default() });
        }
        slot.odd_now.height = slot.odd_now.height.max(count as f32);
        slot.odd_now.is_refused |= is_refused;
    }

    /// How long this key has been watched.
    pub(super) fn age_ms(&self, now: EventTime) -> i64 {
        self.first.map_or(0, |first| now - first)
    }

    /// How many minutes were learned.
    pub(super) fn learned_minutes(&self) -> u32 {
        self.learned_minutes
    }

    /// What is usual for a key younger than a day: the busiest hour it has had.
    pub(super) fn of_all_hours(&self) -> Option<Usual> {
        let now = (self.counts.len() >= MINUTES_MIN).then(|| summarize(&self.counts));
        widest(self.slots.iter().filter(|slot| slot.weeks > 0).copied().chain(now))
    }

    /// What is usual at this hour of the day, an hour more or less.
    pub(super) fn of_hour_of_day(&self, now: EventTime, zone_offset_ms: i64) -> Option<Usual> {
        let hour = hour_of_week(now, zone_offset_ms);
        let near = [hour + 23, hour, hour + 1];
        let days = near.into_iter().filter_map(|hour| self.mean_of_days(hour % 24));
        let usual = widest(days)?;
        Some(Usual { past_max: usual.past_max.max(self.habit(now, zone_offset_ms)), ..usual })
    }

    /// What is usual at this hour of the week, an hour more or less; with little history drawn
    /// towards the hour of the day.
    pub(super) fn of_hour_of_week(&self, now: EventTime, zone_offset_ms: i64) -> Option<Usual> {
        let hour = hour_of_week(now, zone_offset_ms);
        let slots: Vec<Slot> = self.near(hour).filter(|slot| slot.weeks > 0).copied().collect();
        let minutes = slots.iter().map(|slot| f64::from(slot.minutes)).fold(0.0, f64::max);
        let day = self.of_hour_of_day(now, zone_offset_ms);
        let Some(week) = widest(slots.into_iter()) else { return day };
        let weight = minutes / (minutes + 180.0);
        let day = day.unwrap_or(week);
        let mix = |week: f64, day: f64| weight * week + (1.0 - weight) * day;
        Some(Usual {
            median: mix(week.median, day.median),
            sigma: mix(week.sigma, day.sigma),
            past_max: week.past_max.max(self.habit(now, zone_offset_ms)),
        })
    }

    /// How high what is odd by habit is at this hour of the week, an hour more or less.
    fn habit(&self, now: EventTime, zone_offset_ms: i64) -> f64 {
        let week = week_of(now, zone_offset_ms);
        let near = self.near(hour_of_week(now, zone_offset_ms));
        f64::from(near.map(|slot| slot.odd_before(week).habit()).fold(0.0, f32::max))
    }

    /// An hour of the week and its neighbours.
    fn near(&self, hour: usize) -> impl Iterator<Item = &Slot> {
        let near = [hour + HOURS_OF_WEEK - 1, hour, hour + 1];
        near.into_iter().filter_map(|hour| self.slots.get(hour % HOURS_OF_WEEK))
    }

    /// The least that is usual at this hour of the week, an hour more or less, where all three are known.
    pub(super) fn least_of_hour_of_week(&self, now: EventTime, zone_offset_ms: i64) -> Option<f64> {
        let hour = hour_of_week(now, zone_offset_ms);
        let near = [hour + HOURS_OF_WEEK - 1, hour, hour + 1];
        near.into_iter().try_fold(f64::INFINITY, |least, hour| {
            let slot = self.slots.get(hour % HOURS_OF_WEEK).filter(|slot| slot.weeks > 0)?;
            Some(least.min(f64::from(slot.median)))
        })
    }

    /// One hour of the day over all the days that had it.
    fn mean_of_days(&self, hour_of_day: usize) -> Option<Slot> {
        let days: Vec<_> =
            self.slots.iter().skip(hour_of_day).step_by(24).filter(|slot| slot.weeks > 0).collect();
        let count = days.len() as f32;
        let mean = |value: fn(&Slot) -> f32| days.iter().map(|slot| value(slot)).sum::<f32>() / count;
        (!days.is_empty()).then(|| Slot {
            weeks: 1,
            median: mean(|slot| slot.median),
            sigma: mean(|slot| slot.sigma),
            max: days.iter().map(|slot| slot.max).fold(0.0, f32::max),
            ..Slot::default()
        })
    }

    fn end_hour(&mut self, zone_offset_ms: i64) {
        let counts = std::mem::take(&mut self.counts);
        if counts.len() < MINUTES_MIN {
            return;
        }
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); HOURS_OF_WEEK];
        }
        self.slots[hour_of_week(self.hour, zone_offset_ms)].add(summarize(&counts));
    }
}

impl Slot {
    fn add(&mut self, hour: Slot) {
        if self.weeks == 0 {
            *self =
                Slot { odd_before: self.odd_before, odd_week: self.odd_week, odd_now: self.odd_now, ..hour };
            return;
        }
        let median = hour.median.min(2.0 * self.median + 60.0);
        self.weeks = (self.weeks + 1).min(WEEKS_MAX);
        self.minutes = (self.minutes + hour.minutes).min(60 * u16::from(WEEKS_MAX));
        self.median += (median - self.median) / f32::from(self.weeks);
        self.sigma += (hour.sigma - self.sigma) / f32::from(self.weeks);
        self.max = hour.max.max(0.9 * self.max);
    }

    /// What was odd in the weeks before this one: in those that lie close enough together and are about as
    /// high as each other.
    fn odd_before(&self, week: i32) -> Odd {
        if self.odd_week == week {
            return self.odd_before;
        }
        let (before, now) = (self.odd_before, self.odd_now);
        if now.weeks == 0 || week - self.odd_week > HABIT_GAP_WEEKS {
            return Odd::default();
        }
        let (low, high) = (before.height.min(now.height), before.height.max(now.height));
        if before.weeks == 0 || high > HABIT_RATIO_MAX * low {
            return now;
        }
        let is_refused = before.is_refused || now.is_refused;
        Odd { weeks: before.weeks.saturating_add(1), height: high, is_refused }
    }
}

fn summarize(counts: &[u32]) -> Slot {
    let median = median_of(counts.iter().map(|count| *count as f32).collect());
    let spread = median_of(counts.iter().map(|count| (*count as f32 - median).abs()).collect());
    Slot {
        weeks: 1,
        minutes: counts.len() as u16,
        median,
        sigma: MAD_TO_SIGMA * spread,
        max: counts.iter().copied().max().unwrap_or_default() as f32,
        ..Slot::default()
    }
}

fn median_of(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The highest of each figure: neighbouring hours absorb jitter and daylight saving.
fn widest(slots: impl Iterator<Item = Slot>) -> Option<Usual> {
    slots.fold(None, |known: Option<Usual>, slot| {
        let usual = Usual {
            median: f64::from(slot.median),
            sigma: f64::from(slot.sigma),
            past_max: f64::from(slot.max),
        };
        Some(known.map_or(usual, |known| Usual {
            median: known.median.max(usual.median),
            sigma: known.sigma.max(usual.sigma),
            past_max: known.past_max.max(usual.past_max),
        }))
    })
}

fn week_of(time: EventTime, zone_offset_ms: i64) -> i32 {
    ((time + zone_offset_ms + 3 * DAY_MS).millis().div_euclid(7 * DAY_MS)) as i32
}

/// 0 is the first hour of a Monday where the partner is.
fn hour_of_week(time: EventTime, zone_offset_ms: i64) -> usize {
    // The epoch was a Thursday.
    let hours = (time + zone_offset_ms).millis().div_euclid(HOUR_MS) + 3 * 24;
    hours.rem_euclid(HOURS_OF_WEEK as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday_where_the_partner_is() {
        let monday = EventTime(1_773_619_200_000); // 2026-03-16T00:00:00Z
        assert_eq!(hour_of_week(monday, 0), 0);
        assert_eq!(hour_of_week(monday, HOUR_MS), 1);
        assert_eq!(hour_of_week(monday, -HOUR_MS), 167);
    }

    #[test]
    fn one_week_can_at_most_double_what_is_usual() {
        let mut baseline = Baseline::default();
        for week in 0..2 {
            let start = EventTime(week * 7 * DAY_MS);
            (0..60).for_each(|n| baseline.learn(start + n * 60_000, if week == 0 { 100 } else { 9_000 }, 0));
            baseline.learn(start + HOUR_MS, 0, 0);
        }
        let usual = baseline.of_hour_of_week(EventTime(14 * DAY_MS), 0).unwrap();
        assert!(usual.median <= 180.0, "{usual:?}");
    }

    /// A quiet key whose first hour of the week was odd in these weeks, each with this height:
    /// the highest minute that is usual there in week 9.
    fn past_max(odd: &[(i64, u64)], is_refused: bool) -> f64 {
        let mut baseline = Baseline::default();
        for week in 0..9 {
            let monday = EventTime((7 * week + 4) * DAY_MS);
            (0..60).for_each(|n| baseline.learn(monday + n * 60_000, 100, 0));
            baseline.learn(monday + HOUR_MS, 0, 0);
            if let Some((_, height)) = odd.iter().find(|(odd, _)| *odd == week) {
                baseline.note_odd(monday, *height, is_refused, 0);
            }
        }
        baseline.of_hour_of_week(EventTime((7 * 9 + 4) * DAY_MS), 0).unwrap().past_max
    }

    #[test]
    fn what_was_odd_and_answered_a_week_or_two_ago_is_a_habit() {
        assert_eq!(past_max(&[(8, 1_000)], false), 1_000.0);
        assert_eq!(past_max(&[(7, 1_000)], false), 1_000.0);
        assert_eq!(past_max(&[(7, 1_000), (8, 1_100)], false), 1_100.0);
        assert_eq!(past_max(&[(6, 1_000)], false), 100.0);
    }

    #[test]
    fn what_was_refused_is_a_habit_after_two_weeks_at_one_height() {
        assert_eq!(past_max(&[(8, 1_000)], true), 100.0);
        assert_eq!(past_max(&[(7, 1_000), (8, 1_100)], true), 1_100.0);
        assert_eq!(past_max(&[(6, 1_000), (8, 1_100)], true), 1_100.0);
    }

    #[test]
    fn two_refused_attacks_of_different_heights_are_no_habit() {
        assert_eq!(past_max(&[(7, 1_000), (8, 5_000)], true), 100.0);
        assert_eq!(past_max(&[(7, 5_000), (8, 1_000)], true), 100.0);
    }

    #[test]
    fn a_habit_that_pauses_is_forgotten_with_its_height() {
        assert_eq!(past_max(&[(0, 9_000), (1, 9_000), (7, 1_000), (8, 1_000)], false), 1_000.0);
        assert_eq!(past_max(&[(0, 9_000), (1, 9_000)], false), 100.0);
    }
}
