//! Simulates seeds, and says which fail.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use normalize::Schemas;
use simulate::{Plan, run, sweep};

/// Runs the stages through crashes, zombies, moves and full disks, and compares the outcome with an
/// undisturbed run's.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first seed. A failing one replays exactly with --first SEED --seeds 1 and the same --lines.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Lines of each seed.
    #[arg(long, default_value_t = 800)]
    lines: usize,
    /// Print what happens.
    #[arg(long)]
    story: bool,
}

fn main() -> ExitCode {
    let Args { seeds, first, lines, story } = Args::parse();
    let schemas = Arc::new(Schemas::built_in());
    let plan = Plan { seed: first, lines, tells: story };
    sweep("cargo xtask simulate", &plan, seeds, |plan| run(plan, &schemas))
}
