//! Simulates seeds with STORE and ALERTING taking part, and says which fail.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use normalize::Schemas;
use simulate::{Counts, Plan};
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
    let args = Args::parse();
    let schemas = Arc::new(Schemas::built_in());
    let progress = ProgressBar::new(args.seeds);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} seeds {eta}") {
        progress.set_style(style);
    }
    let (mut counts, mut failed) = (Counts::default(), 0);
    for seed in args.first..args.first + args.seeds {
        let verdict = run(&Plan { seed, lines: args.lines, tells: args.story }, &schemas);
        verdict.story.iter().for_each(|line| println!("{line}"));
        counts.add(verdict.counts);
        if !verdict.differences.is_empty() {
            failed += 1;
            progress.suspend(|| report(seed, args.lines, &verdict.differences));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    println!("{} seeds, {failed} failed: {counts}", args.seeds);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(seed: u64, lines: usize, differences: &[String]) {
    println!(
        "seed {seed} failed; again: cargo xtask simulate --keep --first {seed} --seeds 1 --lines {lines} --story"
    );
    differences.iter().take(10).for_each(|difference| println!("  {difference}"));
    if differences.len() > 10 {
        println!("  and {} more", differences.len() - 10);
    }
}
