//! How rare a value is, judged by all that the same stream showed before.
//!
//! Past values are kept as counts in bins of equal ratio. Within the body the probability is the
//! plain share of values as large; beyond it the tail is a power law whose exponent is Hill's
//! estimate (Hill 1975, "A simple general approach to inference about the tail of a distribution"),
//! as in peaks over threshold (Siffer et al., KDD 2017). A light tail gives a small exponent and so
//! a steep fall, a heavy one a slow fall: bursty counts and steady loads share one threshold.

/// Bins for each doubling of the value; a bin is 9 % wide.
const BINS_PER_DOUBLING: f64 = 8.0;
/// Values below 2^-10 spreads are nothing.
const LOWEST_DOUBLING: f64 = -10.0;
const BINS: usize = 34 * 8;
const LN_BIN: f64 = std::f64::consts::LN_2 / BINS_PER_DOUBLING;

/// The share of values that counts as tail.
const TAIL_SHARE: f64 = 0.03;
/// The exponent believed before there is evidence, and how many tail values it weighs.
const PRIOR_EXPONENT: f64 = 0.25;
const PRIOR_WEIGHT: f64 = 8.0;
/// How many values back weigh e times less: five weeks where they come every five minutes.
const HORIZON: f64 = 10_000.0;
/// Above this, growing weights are scaled back to 1.
const RESCALE_AT: f64 = 1e6;

/// Counts of past values, none of them negative.
pub(crate) struct Tail {
    counts: Vec<f64>,
    total: f64,
    /// What a new value weighs: it grows, so that old ones fade without being touched.
    unit: f64,
    /// The first bin of the tail, the weight in it and beyond, and the sum of its positions.
    first: usize,
    tail: f64,
    tail_positions: f64,
}

impl Tail {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0.0; BINS],
            total: 0.0,
            unit: 1.0,
            first: BINS - 1,
            tail: 0.0,
            tail_positions: 0.0,
        }
    }

    /// How many values it has seen, faded.
    pub(crate) fn seen(&self) -> f64 {
        self.total / self.unit
    }

    /// `-log10` of the probability of a value at least this large.
    pub(crate) fn surprise(&self, value: f64) -> f64 {
        let seen = self.seen();
        if seen < 1.0 {
            return 0.0;
        }
        let from = self.first - 1;
        if bin(value) < self.first || self.tail <= 0.0 {
            let above = self.tail + self.counts[bin(value).min(self.first)..self.first].iter().sum::<f64>();
            return -((above / self.unit + 1.0) / (seen + 1.0)).min(1.0).log10();
        }
        let count = self.tail / self.unit;
        let log_excesses = (self.tail_positions - from as f64 * self.tail) * LN_BIN / self.unit;
        let exponent = (log_excesses + PRIOR_WEIGHT * PRIOR_EXPONENT) / (count + PRIOR_WEIGHT);
        let log_excess = (position(value) - from as f64).clamp(0.0, BINS as f64) * LN_BIN;
        log_excess / exponent / std::f64::consts::LN_10 - ((count + 1.0) / (seen + 1.0)).log10()
    }

    /// Remembers a value; one that belongs to a run of like values weighs less than 1.
    pub(crate) fn add(&mut self, value: f64, weight: f64) {
        let (bin, gain) = (bin(value), self.unit * weight);
        self.counts[bin] += gain;
        self.total += gain;
        if bin >= self.first {
            self.tail += gain;
            self.tail_positions += gain * middle(bin);
        }
        self.move_threshold();
        self.unit *= 1.0 + 1.0 / HORIZON;
        if self.unit > RESCALE_AT {
            self.rescale();
        }
    }

    /// The tail is all the bins that hold no more than its share, and at least one that is not empty:
    /// a bin in which half of the values lie belongs to the body.
    fn move_threshold(&mut self) {
        let share = self.total * TAIL_SHARE;
        while self.first + 1 < BINS
            && self.tail >= share
            && self.tail - self.counts[self.first] > 1e-9 * share
        {
            self.tail -= self.counts[self.first];
            self.tail_positions -= self.counts[self.first] * middle(self.first);
            self.first += 1;
        }
        while self.first > 1 && (self.tail <= 0.0 || self.tail + self.counts[self.first - 1] < share) {
            self.first -= 1;
            self.tail += self.counts[self.first];
            self.tail_positions += self.counts[self.first] * middle(self.first);
        }
    }

    fn rescale(&mut self) {
        for count in &mut self.counts {
            *count /= self.unit;
        }
        self.total /= self.unit;
        self.unit = 1.0;
        let beyond = self.counts.iter().enumerate().skip(self.first);
        (self.tail, self.tail_positions) =
            beyond.fold((0.0, 0.0), |(tail, sum), (bin, count)| (tail + count, sum + count * middle(bin)));
    }
}

fn position(value: f64) -> f64 {
    if value > 0.0 { ((value.log2() - LOWEST_DOUBLING) * BINS_PER_DOUBLING).max(0.0) } else { 0.0 }
}

fn bin(value: f64) -> usize {
    (position(value) as usize).min(BINS - 1)
}

fn middle(bin: usize) -> f64 {
    bin as f64 + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(values: impl Iterator<Item = f64>) -> Tail {
        let mut tail = Tail::new();
        values.for_each(|value| tail.add(value, 1.0));
        tail
    }

    /// A thousand quantiles of a distribution, in an order that is not sorted.
    fn quantiles(quantile: impl Fn(f64) -> f64) -> impl Iterator<Item = f64> {
        (0..1000).map(move |index| quantile(((index * 617 % 1000) as f64 + 0.5) / 1000.0))
    }

    #[test]
    fn a_value_as_large_as_one_in_ten_has_a_surprise_of_one() {
        let tail = tail_of(quantiles(|share| 1.0 + share));
        assert!((tail.surprise(1.9) - 1.0).abs() < 0.3, "{}", tail.surprise(1.9));
    }

    #[test]
    fn three_times_the_largest_is_stranger_where_the_tail_is_light() {
        let light = tail_of(quantiles(|share| -(1.0 - share).ln()));
        let heavy = tail_of(quantiles(|share| 1.0 / (1.0 - share)));
        let (light, heavy) = (light.surprise(23.0), heavy.surprise(6000.0));
        assert!(light > heavy + 0.3, "{light} {heavy}");
    }

    #[test]
    fn the_old_fades() {
        let mut tail = tail_of(std::iter::repeat_n(8.0, 100));
        let fresh = tail.surprise(8.0);
        (0..100_000).for_each(|_| tail.add(1.0, 1.0));
        assert!(fresh < 0.6 && tail.surprise(8.0) > 3.0, "{fresh} {}", tail.surprise(8.0));
        (0..200_000).for_each(|_| tail.add(1.0, 1.0));
        assert!(tail.seen() < 11_000.0, "{}", tail.seen());
        assert!(tail.surprise(1.0) < 0.6, "{}", tail.surprise(1.0));
    }
}
