//! A few seeds in every run of the tests; `cargo xtask simulate --keep --seeds N` runs more.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::Arc;

use normalize::Schemas;
use simulate::{Counts, Plan};
use simulate_keep::run;

fn plan(seed: u64) -> Plan {
    Plan { seed, lines: 150, tells: true }
}

#[test]
fn what_is_kept_through_bad_weather_is_what_was_sent() {
    let schemas = Arc::new(Schemas::built_in());
    let mut counts = Counts::default();
    for seed in 1..=3 {
        let verdict = run(&plan(seed), &schemas);
        assert!(
            verdict.differences.is_empty(),
            "seed {seed}: {:#?}\n{}",
            verdict.differences,
            verdict.story.join("\n")
        );
        counts.add(verdict.counts);
    }
    assert!(counts.deaths > 20 && counts.alerts > 0 && counts.rows >= 450, "{counts}");
}

#[test]
fn a_seed_replays_exactly() {
    let schemas = Arc::new(Schemas::built_in());
    let (first, second) = (run(&plan(7), &schemas), run(&plan(7), &schemas));
    assert_eq!(first.story, second.story);
    assert_eq!(first.counts, second.counts);
    assert!(first.story.len() > 10, "{}", first.story.len());
}
