//! How long something takes, counted in buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Each bucket's upper bound: from a disk with a cache that survives power cuts to one in trouble.
const BOUNDS_MICROS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

/// Counts durations by how long they are.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// One for each bound, and one for what is longer.
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    /// Counts `count` of them that took `took` together.
    pub(crate) fn observe(&self, count: u64, took: Duration) {
        if count == 0 {
            return;
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let micros = (nanos / count).div_ceil(1_000);
        let bucket = BOUNDS_MICROS.partition_point(|&bound| bound < micros);
        self.buckets[bucket].fetch_add(count, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// All of them together.
    pub(crate) fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64()
    }

    /// Upper bounds in seconds, and how many there are in each bucket alone.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS_MICROS.iter().map(|&micros| Duration::from_micros(micros).as_secs_f64());
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        bounds.chain([f64::INFINITY]).zip(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_first_bucket_that_takes_it() {
        let histogram = Histogram::default();
        histogram.observe(1, Duration::from_micros(100));
        histogram.observe(1, Duration::from_micros(101));
        histogram.observe(2, Duration::from_millis(4));
        histogram.observe(1, Duration::from_secs(60));
        histogram.observe(0, Duration::from_secs(1));
        let filled: Vec<_> = histogram.buckets().into_iter().filter(|&(_, count)| count > 0).collect();
        assert_eq!(filled, [(0.0001, 1), (0.00025, 1), (0.0025, 2), (f64::INFINITY, 1)]);
        assert_eq!(histogram.count(), 5);
        assert!((histogram.seconds() - 60.004_201).abs() < 1e-9, "{}", histogram.seconds());
    }
}
