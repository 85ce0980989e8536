//! Series made for the tests, and how to score one.

use chrono::{DateTime, TimeDelta};
use score::Scorer;

/// Scores values that come every five minutes.
pub(crate) fn scores(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut scorer = Scorer::new();
    let mut time = DateTime::from_timestamp(1_396_310_400, 0).expect("April 2014 is a time");
    let mut score = |value| {
        time += TimeDelta::minutes(5);
        scorer.score(time, value)
    };
    values.into_iter().map(&mut score).collect()
}

/// Even noise between -1 and 1, the same every time (a multiplicative hash of the place).
pub(crate) fn noise(place: usize) -> f64 {
    let mut bits = (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits ^= bits >> 31;
    bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits ^= bits >> 29;
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// A day of 288 values, with noise.
pub(crate) fn daily(place: usize) -> f64 {
    50.0 + 20.0 * (place as f64 / 288.0 * std::f64::consts::TAU).sin() + 2.0 * noise(place)
}

/// The places of alarms from `from` on.
pub(crate) fn alarms(scores: &[f64], from: usize) -> Vec<usize> {
    (from..scores.len()).filter(|place| scores[*place] >= score::THRESHOLD).collect()
}
