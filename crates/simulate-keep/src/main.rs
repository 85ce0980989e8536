//! Simulates seeds with STORE and ALERTING taking part, and says which fail.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use normalize::Schemas;
use simulate::{Plan, sweep};
use simulate_keep::run;

/// Runs all stages through crashes, zombies, moves and storage that fails, and compares what is kept
/// with what was sent and with an undisturbed run's.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 30)]
    seeds: u64,
    /// The first seed. A failing one replays exactly with --first SEED --seeds 1 and the same --lines.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Lines of each seed.
    #[arg(long, default_value_t = 300)]
    lines: usize,
    /// Print what happens.
    #[arg(long)]
    story: bool,
}

fn main() -> ExitCode {
    let Args { seeds, first, lines, story } = Args::parse();
    let schemas = Arc::new(Schemas::built_in());
    let plan = Plan { seed: first, lines, tells: story };
    sweep("cargo xtask simulate --keep", &plan, seeds, |plan| run(plan, &schemas))
}
