//! The experiment of `cargo xtask bench spikes` with few keys.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]

#[path = "../examples/spikes/run.rs"]
mod run;

use testkit::load::LoadConfig;

#[test]
fn surges_are_found_and_ordinary_weeks_are_not_told() {
    let mut figures = run::Figures::default();
    figures.add(&run::run(&LoadConfig { keys: 6, seed: 5, ..LoadConfig::default() }));
    assert!(figures.false_per_hundred_key_days() <= 1.0, "{}\n| {figures} |", run::HEADER);
    assert!(figures.found() >= 0.8, "{}\n| {figures} |", run::HEADER);
}
