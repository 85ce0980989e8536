//! Simulates seeds until one fails, and says which.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use normalize::Schemas;
use simulate::{Counts, Plan, run};

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
    let args = Args::parse();
    let schemas = Arc::new(Schemas::built_in());
    let progress = ProgressBar::new(args.seeds);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} seeds {eta}") {
        progress.set_style(style);
    }
    let (mut counts, mut failed) = (Counts::default(), Vec::new());
    for seed in args.first..args.first + args.seeds {
        let verdict = run(&Plan { seed, lines: args.lines, tells: args.story }, &schemas);
        verdict.story.iter().for_each(|line| println!("{line}"));
        counts.add(verdict.counts);
        if !verdict.differences.is_empty() {
            failed.push(seed);
            progress.suspend(|| report(seed, args.lines, &verdict.differences));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    println!("{} seeds, {} failed: {counts}", args.seeds, failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(seed: u64, lines: usize, differences: &[simulate::Difference]) {
    println!(
        "seed {seed} failed; again: cargo xtask simulate --first {seed} --seeds 1 --lines {lines} --story"
    );
    for difference in differences.iter().take(10) {
        println!("  {difference}");
    }
    if differences.len() > 10 {
        println!("  and {} more", differences.len() - 10);
    }
}
