//! What is measured, and what the programs under measurement tell of themselves.

use std::collections::BTreeMap;

use event::Alert;
use serde::Deserialize;

use super::process::Measured;
use super::recall::Recall;

/// What `watchfire bench-limits` prints.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Limits {
    pub(crate) records: u64,
    pub(crate) mean_bytes: f64,
    pub(crate) consume_cpu_seconds_per_million: f64,
    pub(crate) parse_cpu_seconds_per_million: f64,
}

/// What `watchfire serve --exit-when-idle` leaves in `summary.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) stages: BTreeMap<String, Stage>,
    pub(crate) alerts: Vec<Alert>,
}

/// One stage of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stage {
    pub(crate) records: u64,
    pub(crate) cpu_seconds: f64,
}

/// One repeat.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) measured: Measured,
    pub(crate) stages: BTreeMap<String, Stage>,
    pub(crate) stored_bytes: u64,
    pub(crate) recall: BTreeMap<String, Recall>,
    pub(crate) limits: Limits,
}

impl Run {
    /// Events in millions, as the normalize stage counted its records.
    pub(crate) fn millions(&self) -> f64 {
        let read = self.stages.get("normalize").map_or(self.limits.records, |stage| stage.records);
        read.max(1) as f64 / 1e6
    }

    /// CPU seconds per million of the Kafka client's threads: they compress, check and carry.
    pub(crate) fn cpu_of_kafka_client(&self) -> f64 {
        let threads = self.measured.cpu_seconds_by_thread.iter();
        threads.filter(|(name, _)| name.starts_with("rdk:")).map(|(_, seconds)| seconds).sum::<f64>()
            / self.millions()
    }

    /// CPU seconds per million of what runs neither on a stage's own thread nor on the Kafka client's.
    pub(crate) fn cpu_beside_stages(&self) -> f64 {
        let stages: f64 = self.stages.values().map(|stage| stage.cpu_seconds).sum();
        ((self.measured.cpu_seconds - stages) / self.millions() - self.cpu_of_kafka_client()).max(0.0)
    }
}

/// The middle one; the mean of the middle two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert!(median(Vec::new()).is_nan());
    }
}
