//! The figures as Markdown: medians over the repeats, with the extremes where they matter.

use std::fmt::Write;

use super::figures::{Run, median};
use super::recall::{Recall, UNLABELLED};

/// One table of costs, one of what was found. `plain` are runs in turns without transactions.
pub(crate) fn table(runs: &[Run], plain: &[Run]) -> String {
    let mut text = String::new();
    costs(runs, &mut text)
        .and_then(|()| without_transactions(plain, &mut text))
        .and_then(|()| found(runs, &mut text))
        .expect("a String takes every write");
    text
}

fn costs(runs: &[Run], text: &mut String) -> std::fmt::Result {
    let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    let (low, high) = extremes(runs, |run| run.measured.cpu_seconds / run.millions());
    let millions = of(Run::millions);
    writeln!(
        text,
        "{millions:.2} million lines of {:.0} bytes, {} runs, medians\n",
        of(|run| run.limits.mean_bytes),
        runs.len()
    )?;
    writeln!(text, "| what | figure |\n|---|---:|")?;
    let end_to_end = of(|run| run.measured.cpu_seconds / run.millions());
    writeln!(
        text,
        "| CPU seconds per million, the whole process | {end_to_end:.2} ({low:.2} to {high:.2}) |"
    )?;
    let mut stages: Vec<&String> = runs.iter().flat_map(|run| run.stages.keys()).collect();
    stages.sort_unstable();
    stages.dedup();
    for name in stages {
        let cpu = |run: &Run| run.stages.get(name).map_or(0.0, |stage| stage.cpu_seconds) / run.millions();
        writeln!(text, "| … of which {name} | {:.2} |", median(runs.iter().map(cpu).collect()))?;
    }
    writeln!(
        text,
        "| … of which the Kafka client's threads (compression, checksums, network) | {:.2} |",
        of(Run::cpu_of_kafka_client)
    )?;
    writeln!(
        text,
        "| … of which other threads (table files, database, runtime) | {:.2} |",
        of(Run::cpu_beside_stages)
    )?;
    writeln!(
        text,
        "| the same run, reading the topics alone | {:.2} |",
        of(|run| run.limits.consume_cpu_seconds_per_million)
    )?;
    writeln!(
        text,
        "| the same run, parsing JSON alone | {:.2} |",
        of(|run| run.limits.parse_cpu_seconds_per_million)
    )?;
    writeln!(
        text,
        "| lines a second, start and stop included | {:.0} |",
        of(|run| run.millions() * 1e6 / run.measured.wall_seconds)
    )?;
    writeln!(
        text,
        "| resident memory at most | {:.0} MiB |",
        of(|run| run.measured.resident_bytes_max as f64 / 1_048_576.0)
    )?;
    writeln!(
        text,
        "| stored | {:.0} bytes a line |",
        of(|run| run.stored_bytes as f64 / 1e6 / run.millions())
    )
}

fn without_transactions(plain: &[Run], text: &mut String) -> std::fmt::Result {
    if plain.is_empty() {
        return Ok(());
    }
    let of = |figure: fn(&Run) -> f64| median(plain.iter().map(figure).collect());
    writeln!(
        text,
        "| without transactions (at least once): CPU seconds per million | {:.2} |",
        of(|run| run.measured.cpu_seconds / run.millions())
    )?;
    writeln!(
        text,
        "| without transactions: lines a second | {:.0} |",
        of(|run| run.millions() * 1e6 / run.measured.wall_seconds)
    )
}

fn extremes(runs: &[Run], figure: impl Fn(&Run) -> f64) -> (f64, f64) {
    runs.iter().map(figure).fold((f64::INFINITY, 0.0), |(low, high), value| (low.min(value), high.max(value)))
}

/// The worst run counts: an attack that is found in two runs of three is not found.
fn found(runs: &[Run], text: &mut String) -> std::fmt::Result {
    let Some(first) = runs.first() else { return Ok(()) };
    writeln!(text, "\n| attack | put in | found |\n|---|---:|---:|")?;
    for (attack, Recall { put_in, .. }) in &first.recall {
        let found = runs.iter().filter_map(|run| run.recall.get(attack)).map(|recall| recall.found);
        let worst = if attack == UNLABELLED { found.max() } else { found.min() };
        writeln!(text, "| {attack} | {put_in} | {} |", worst.unwrap_or(0))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::figures::{Limits, Stage};
    use crate::bench::process::Measured;

    fn run(cpu_seconds: f64, found: u64) -> Run {
        Run {
            measured: Measured {
                cpu_seconds,
                cpu_seconds_by_thread: BTreeMap::from([
                    ("rdk:main".to_owned(), 1.0),
                    ("other".to_owned(), 9.0),
                ]),
                wall_seconds: 4.0,
                resident_bytes_max: 300 << 20,
            },
            stages: BTreeMap::from([(
                "normalize".to_owned(),
                Stage { records: 2_000_000, cpu_seconds: 3.0 },
            )]),
            stored_bytes: 90_000_000,
            recall: BTreeMap::from([("request_flood".to_owned(), Recall { put_in: 2, found })]),
            limits: Limits {
                records: 2_000_000,
                mean_bytes: 381.0,
                consume_cpu_seconds_per_million: 0.5,
                parse_cpu_seconds_per_million: 0.4,
            },
        }
    }

    #[test]
    fn the_table_shows_medians_and_the_worst_recall() {
        let table = table(&[run(6.0, 2), run(8.0, 1), run(7.0, 2)], &[run(5.5, 2)]);
        assert!(table.starts_with("2.00 million lines of 381 bytes, 3 runs"), "{table}");
        assert!(table.contains("| 3.50 (3.00 to 4.00) |"), "{table}");
        assert!(table.contains("| … of which normalize | 1.50 |"), "{table}");
        assert!(
            table.contains("network) | 0.50 |")
                && table.contains("runtime) | 1.50 |")
                && table.contains("| 500000 |")
                && table.contains("| 300 MiB |")
                && table.contains("| 45 bytes a line |")
        );
        assert!(table.contains("(at least once): CPU seconds per million | 2.75 |"), "{table}");
        assert!(table.contains("| request_flood | 2 | 1 |"), "{table}");
    }
}
