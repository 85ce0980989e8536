//! One seed after another, with what failed and how to see it again.

use std::fmt::Display;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::{Counts, Plan, Verdict};

/// Differences that are printed of a seed.
const SHOWN: usize = 10;
/// Where progress is not drawn, a line tells of it after so many seeds.
const TOLD_EVERY: u64 = 250;

/// Runs `seeds` seeds from that of the plan on, and says which failed. `command` is what runs them.
pub fn sweep<D: Display>(
    command: &str,
    first: &Plan,
    seeds: u64,
    run: impl Fn(&Plan) -> Verdict<D>,
) -> ExitCode {
    let progress = ProgressBar::new(seeds);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} seeds {eta}") {
        progress.set_style(style);
    }
    let (mut counts, mut failed) = (Counts::default(), 0);
    for seed in first.seed..first.seed + seeds {
        let plan = Plan { seed, ..*first };
        let verdict = run(&plan);
        verdict.story.iter().for_each(|line| println!("{line}"));
        counts.add(verdict.counts);
        if !verdict.differences.is_empty() {
            failed += 1;
            progress.suspend(|| report(command, &plan, &verdict.differences));
        }
        progress.inc(1);
        let done = progress.position();
        if progress.is_hidden() && done.is_multiple_of(TOLD_EVERY) && done < seeds {
            eprintln!("{done} of {seeds} seeds, {failed} failed, {:.0} s", progress.elapsed().as_secs_f64());
        }
    }
    progress.finish_and_clear();
    println!("{seeds} seeds, {failed} failed: {counts}");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report<D: Display>(command: &str, plan: &Plan, differences: &[D]) {
    let Plan { seed, lines, .. } = plan;
    println!("seed {seed} failed; again: {command} --first {seed} --seeds 1 --lines {lines} --story");
    differences.iter().take(SHOWN).for_each(|difference| println!("  {difference}"));
    if differences.len() > SHOWN {
        println!("  and {} more", differences.len() - SHOWN);
    }
}
