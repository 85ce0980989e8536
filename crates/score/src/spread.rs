//! The middle and the width of all values so far, from a sorted sample that thins itself.

/// How many values the sample holds before every other one is let go.
const SAMPLE: usize = 2048;
/// The width of a normal distribution between its tenth and ninetieth percentile, in deviations.
const NORMAL_DECILES: f64 = 2.563;
/// Where most values are one and the same, deciles say nothing: the width is then at least this
/// share of the mean distance from the median.
const LEAST_OF_MEAN_DISTANCE: f64 = 0.5;

pub(crate) struct Spread {
    sorted: Vec<f64>,
    arrived: Vec<f64>,
    /// Every how many values one is taken.
    stride: u64,
    count: u64,
    distances: f64,
}

impl Spread {
    pub(crate) fn new() -> Self {
        Self { sorted: Vec::new(), arrived: Vec::new(), stride: 1, count: 0, distances: 0.0 }
    }

    pub(crate) fn add(&mut self, value: f64) {
        if self.count.is_multiple_of(self.stride) {
            let at = self.sorted.partition_point(|other| *other < value);
            self.sorted.insert(at, value);
            self.arrived.push(value);
        }
        if self.arrived.len() == SAMPLE {
            self.thin();
        }
        self.count += 1;
        self.distances += (value - self.middle()).abs();
    }

    /// Lets every other value go, so that the sample still spans the whole history.
    fn thin(&mut self) {
        let mut keep = false;
        self.arrived.retain(|_| {
            keep = !keep;
            keep
        });
        self.sorted.clone_from(&self.arrived);
        self.sorted.sort_by(f64::total_cmp);
        self.stride *= 2;
    }

    pub(crate) fn middle(&self) -> f64 {
        self.quantile(0.5)
    }

    /// About one standard deviation of what is ordinary; never zero.
    pub(crate) fn width(&self) -> f64 {
        let deciles = (self.quantile(0.9) - self.quantile(0.1)) / NORMAL_DECILES;
        let distance = self.distances / self.count.max(1) as f64;
        let width = deciles.max(LEAST_OF_MEAN_DISTANCE * distance);
        if width > 0.0 { width } else { 1e-9 * (1.0 + self.middle().abs()) }
    }

    fn quantile(&self, share: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        self.sorted.get((last as f64 * share) as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_width_span_the_whole_history() {
        let mut spread = Spread::new();
        (0..100_000).for_each(|index| spread.add(f64::from(index % 1000)));
        assert!((spread.middle() - 500.0).abs() < 20.0, "{}", spread.middle());
        assert!((spread.width() - 312.0).abs() < 20.0, "{}", spread.width());
    }

    #[test]
    fn rare_values_among_equal_ones_still_give_a_width() {
        let mut spread = Spread::new();
        (0..1000).for_each(|index| spread.add(if index % 50 == 0 { 100.0 } else { 0.0 }));
        assert!(spread.width() > 0.5, "{}", spread.width());
    }
}
