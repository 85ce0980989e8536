//! The recent past of a series: when each value came, and sums, so that the mean of any stretch is
//! two look-ups.

use std::collections::VecDeque;

/// How many values are kept: sixteen weeks of five minutes, three of one minute.
const KEPT: usize = 1 << 15;

#[derive(Clone, Copy)]
struct Moment {
    /// Seconds since 1970, never going back.
    at: f64,
    /// The sum of all values up to and with this one.
    sum: f64,
    /// The sum of all steps from one value to the next.
    steps: f64,
}

/// Places are counted from the first value of the series on; what was let go is not there.
pub(crate) struct History {
    moments: VecDeque<Moment>,
    /// The place of the oldest kept moment.
    oldest: usize,
    last: Option<f64>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { moments: VecDeque::new(), oldest: 0, last: None }
    }

    /// A moment that lies before the last one counts as at the same time.
    pub(crate) fn add(&mut self, at: f64, value: f64) {
        let before = self.moments.back().copied().unwrap_or(Moment { at, sum: 0.0, steps: 0.0 });
        let step = self.last.map_or(0.0, |last| (value - last).abs());
        self.moments.push_back(Moment {
            at: at.max(before.at),
            sum: before.sum + value,
            steps: before.steps + step,
        });
        self.last = Some(value);
        if self.moments.len() > KEPT {
            self.moments.pop_front();
            self.oldest += 1;
        }
    }

    /// How many values there were in all.
    pub(crate) fn count(&self) -> usize {
        self.oldest + self.moments.len()
    }

    pub(crate) fn at(&self, place: usize) -> Option<f64> {
        Some(self.moments.get(place.checked_sub(self.oldest)?)?.at)
    }

    /// The mean of the `length` values before `end`.
    pub(crate) fn mean(&self, length: usize, end: usize) -> Option<f64> {
        let (first, last) = self.ends(length, end)?;
        Some((last.sum - first.sum) / length as f64)
    }

    /// The mean step between neighbours among the `length` values before `end`.
    pub(crate) fn mean_step(&self, length: usize, end: usize) -> Option<f64> {
        let (first, last) = self.ends(length, end)?;
        Some((last.steps - first.steps) / length as f64)
    }

    fn ends(&self, length: usize, end: usize) -> Option<(Moment, Moment)> {
        let last = *self.moments.get(end.checked_sub(1)?.checked_sub(self.oldest)?)?;
        let start = end.checked_sub(length)?;
        if start == 0 {
            return Some((Moment { at: 0.0, sum: 0.0, steps: 0.0 }, last));
        }
        Some((*self.moments.get((start - 1).checked_sub(self.oldest)?)?, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_has_its_mean_and_what_was_let_go_has_none() {
        let mut history = History::new();
        for index in 0..KEPT + 10 {
            history.add(index as f64, index as f64);
        }
        let end = history.count();
        assert_eq!(history.mean(2, end), Some(end as f64 - 1.5));
        assert_eq!(history.mean_step(4, end), Some(1.0));
        assert_eq!(history.mean(2, 5), None);
        assert_eq!(history.at(5), None);
    }
}
