//! What the same time of day, and of the week, brought before.
//!
//! Each look-back is a place in the history that walks along with the newest value, one day (or
//! week) behind it, two days, and so on. What is usual is the median of what stands there, so one
//! bad day does not make the next one strange.

use crate::history::History;

/// How many days, and weeks, are looked back.
const TURNS: usize = 7;
/// A period of fewer values than this says nothing about phases.
const FEWEST_PER_PERIOD: f64 = 8.0;

pub(crate) struct Season {
    /// Seconds.
    period: f64,
    /// For each turn the place of the last value at least so long ago.
    places: [usize; TURNS],
}

impl Season {
    pub(crate) fn new(period: f64) -> Self {
        Self { period, places: [0; TURNS] }
    }

    /// Walks along to the newest value.
    pub(crate) fn advance(&mut self, history: &History) {
        let Some(now) = history.count().checked_sub(1).and_then(|last| history.at(last)) else { return };
        for (turn, place) in self.places.iter_mut().enumerate() {
            let then = now - self.period * (turn + 1) as f64;
            while *place + 1 < history.count() && history.at(*place + 1).is_none_or(|at| at <= then) {
                *place += 1;
            }
        }
    }

    /// The median of the means of `length` values up to this phase in the turns before; nothing before
    /// two whole turns have passed, and nothing for gaps.
    pub(crate) fn usual(&self, history: &History, length: usize) -> Option<f64> {
        let count = history.count();
        let now = history.at(count.checked_sub(1)?)?;
        let mut seen = [0.0; TURNS];
        let mut turns = 0;
        for (turn, place) in self.places.iter().enumerate() {
            let (Some(at), Some(mean)) = (history.at(*place), history.mean(length, place + 1)) else { break };
            let then = now - self.period * (turn + 1) as f64;
            if at > then {
                break;
            }
            let values = (count - 1 - place) as f64 / (turn + 1) as f64;
            if values < FEWEST_PER_PERIOD {
                return None;
            }
            if then - at < self.period / FEWEST_PER_PERIOD {
                seen[turns] = mean;
                turns += 1;
            }
        }
        let started = self.places[1] > 0;
        let seen = &mut seen[..turns];
        seen.sort_by(f64::total_cmp);
        seen.get(turns / 2).copied().filter(|_| started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours of some days, each the hour of the day, and what is usual after the last.
    fn usual_after(hours: usize, value: impl Fn(usize) -> Option<f64>) -> Option<f64> {
        let (mut season, mut history) = (Season::new(24.0 * 3600.0), History::new());
        for hour in 0..hours {
            let Some(value) = value(hour) else { continue };
            history.add(hour as f64 * 3600.0, value);
            season.advance(&history);
        }
        season.usual(&history, 1)
    }

    #[test]
    fn the_usual_is_what_this_hour_brought_on_most_days() {
        let value = |hour: usize| if hour / 24 == 5 { 99.0 } else { (hour % 24) as f64 };
        assert_eq!(usual_after(24 * 8 + 7, |hour| Some(value(hour))), Some(6.0));
    }

    #[test]
    fn nothing_is_usual_before_two_days_have_passed() {
        assert_eq!(usual_after(40, |hour| Some(hour as f64)), None);
    }

    #[test]
    fn hours_that_are_missing_do_not_shift_the_day() {
        let value = |hour: usize| (!(30..35).contains(&hour)).then_some((hour % 24) as f64);
        assert_eq!(usual_after(24 * 4 + 3, value), Some(2.0));
    }

    #[test]
    fn a_value_a_day_has_no_hours() {
        assert_eq!(usual_after(24 * 20, |hour| (hour % 24 == 0).then_some(1.0)), None);
    }
}
