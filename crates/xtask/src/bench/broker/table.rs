//! The figures as Markdown, one broker beside the other.

use super::{BrokerBench, Run};
use crate::bench::figures::median;

type Figure = (&'static str, fn(&Run) -> f64, usize);

/// What is shown, from which figure, with how many decimals.
const FIGURES: &[Figure] = &[
    ("records produced a second (idempotent, acks=all, lz4)", |run| run.produced_per_second, 0),
    ("records consumed a second", |run| run.consumed_per_second, 0),
    ("broker's CPU seconds per million produced", |run| run.produce_cpu_seconds_per_million, 2),
    ("broker's CPU seconds per million consumed", |run| run.consume_cpu_seconds_per_million, 2),
    ("latency produce to consume, p50 (ms)", |run| run.latency.p50_ms, 2),
    ("latency produce to consume, p99 (ms)", |run| run.latency.p99_ms, 2),
    ("latency produce to consume, p99.9 (ms)", |run| run.latency.p999_ms, 2),
    ("resident memory at most (MiB)", |run| run.resident_bytes_max as f64 / 1_048_576.0, 0),
];

/// Medians, with the extremes in brackets.
pub(super) fn table(options: &BrokerBench, names: &[&str], runs: &[Vec<Run>], load_average: &str) -> String {
    let BrokerBench { records, rate, latency_seconds, repeats, .. } = options;
    let mut text = format!(
        "{:.1} million records of 300 bytes, latency at {rate} a second for {latency_seconds} s, {repeats} runs in \
         turns, medians (least to most); load average {load_average}\n\n| what | {} |\n|---|{}\n",
        *records as f64 / 1e6,
        names.join(" | "),
        "---:|".repeat(names.len()),
    );
    for (what, figure, decimals) in FIGURES {
        let cells: Vec<String> = runs.iter().map(|runs| cell(runs, *figure, *decimals)).collect();
        text.push_str(&format!("| {what} | {} |\n", cells.join(" | ")));
    }
    text
}

fn cell(runs: &[Run], figure: fn(&Run) -> f64, decimals: usize) -> String {
    let values: Vec<f64> = runs.iter().map(figure).collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    let middle = median(values);
    format!("{middle:.decimals$} ({least:.decimals$} to {most:.decimals$})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_median_between_the_extremes() {
        let run = |rate: f64| Run { produced_per_second: rate, ..Run::default() };
        let runs = [run(3.0), run(1.0), run(2.5)];
        assert_eq!(cell(&runs, |run| run.produced_per_second, 1), "2.5 (1.0 to 3.0)");
    }
}
