//! The harness of `cargo xtask bench detect` with fewer lines: every attack is found, and nothing is told
//! of what only looks like one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]

#[path = "../examples/detection/run.rs"]
mod run;
#[path = "../examples/detection/system.rs"]
mod system;

#[test]
fn every_attack_is_found_and_no_near_miss_is_told() {
    let options = run::Options { seed: 6, lines: 60_000, rounds: 1, attack_every_ms: 1_800_000 };
    let judged = run::run(&options);
    assert!(judged.lines > 50_000);
    assert!(judged.quality.is_flawless(), "{}", judged.quality);
}
