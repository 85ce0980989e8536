//! A few seeds in every run of the tests; `cargo xtask simulate --seeds N` runs more.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::Arc;

use normalize::Schemas;
use simulate::run::{Weather, once};
use simulate::{Counts, Plan, run};

fn plan(seed: u64) -> Plan {
    Plan { seed, lines: 300, tells: true }
}

#[test]
fn a_run_through_bad_weather_ends_as_one_in_calm() {
    let schemas = Arc::new(Schemas::built_in());
    let mut counts = Counts::default();
    for seed in 1..=6 {
        let verdict = run(&plan(seed), &schemas);
        assert_eq!(verdict.differences, [], "seed {seed}:\n{}", verdict.story.join("\n"));
        counts.add(verdict.counts);
    }
    assert!(counts.deaths > 20 && counts.alerts > 0 && counts.rows >= 1800, "{counts:?}");
}

#[test]
fn a_seed_replays_exactly() {
    let schemas = Arc::new(Schemas::built_in());
    let mut told = 0;
    for seed in 7..=9 {
        let (first, second) = (run(&plan(seed), &schemas), run(&plan(seed), &schemas));
        assert_eq!(first.story, second.story);
        assert_eq!(first.counts, second.counts);
        told += first.story.len();
    }
    assert!(told > 10, "{told}");
}

#[test]
fn alerts_come_to_a_risk_in_some_seeds() {
    let schemas = Arc::new(Schemas::built_in());
    let risks = |seed: u64| {
        let alerts = once(&plan(seed), &schemas, Weather::Calm, &[]).records("watchfire.alerts");
        let is_risk = |payload: &[u8]| String::from_utf8_lossy(payload).contains(r#""class":"risk.entity""#);
        alerts.iter().filter(|record| is_risk(&record.payload)).count()
    };
    let risks: Vec<_> = (1..=6).map(risks).collect();
    assert!(risks.iter().sum::<usize>() > 0, "{risks:?}");
}
