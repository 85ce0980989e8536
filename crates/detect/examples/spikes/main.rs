//! How often `request_spike` is wrong over weeks of ordinary load, and how many surges it finds:
//! `cargo xtask bench spikes`, or without xtask `cargo run --release -p detect --example spikes`.
//!
//! Requests counted by minute go into the detectors as they would from NORMALIZE, for 200 keys and four
//! weeks, with a day and a week, jobs that are unpunctual, new jobs and a change of the clocks. Prints
//! Markdown. Fails if there is more than one false episode per 100 keys and day.

mod run;

use std::process::ExitCode;

use testkit::load::LoadConfig;

use self::run::{Figures, run};

/// False episodes per 100 keys and day that are too many.
const FALSE_MAX: f64 = 1.0;

const USAGE: &str = "usage: spikes [--keys N] [--seeds N] [--first SEED]";

/// A load and what is odd about it.
fn loads(keys: usize) -> [(&'static str, LoadConfig); 5] {
    let plain = LoadConfig {
        keys,
        jitter_minutes: 0,
        summer_from_day: None,
        with_new_job: 0.0,
        ..LoadConfig::default()
    };
    let jitter = LoadConfig { jitter_minutes: 15, ..plain.clone() };
    let summer = LoadConfig { summer_from_day: Some(27), ..jitter.clone() };
    let new_jobs = LoadConfig { with_new_job: 0.1, ..summer.clone() };
    let small = LoadConfig { surge: 3.0, ..new_jobs.clone() };
    [
        ("jobs once a week", plain),
        ("… up to 15 minutes early or late", jitter),
        ("… and summer time begins", summer),
        ("… and 10 % of the keys start a new job", new_jobs),
        ("… and the surges are of 3", small),
    ]
}

fn main() -> ExitCode {
    let (keys, seeds) = match read(std::env::args().skip(1)) {
        Ok(read) => read,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    println!("{keys} keys, 28 days, seeds {} to {}\n", seeds.start, seeds.end - 1);
    println!("{}", run::HEADER);
    let mut most = 0.0_f64;
    for (name, load) in loads(keys) {
        let mut figures = Figures::default();
        for seed in seeds.clone() {
            figures.add(&run(&LoadConfig { seed, ..load.clone() }));
        }
        println!("| {name} ×{} | {figures} |", load.surge);
        most = most.max(figures.false_per_hundred_key_days());
    }
    if most <= FALSE_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many keys, and which seeds.
fn read(mut words: impl Iterator<Item = String>) -> Result<(usize, std::ops::Range<u64>), String> {
    let (mut keys, mut seeds, mut first) = (200, 3, 1);
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = value.parse().ok().filter(|number| *number > 0);
        let number: u64 = number.ok_or_else(|| format!("{flag}: {value} is no number above 0"))?;
        match flag.as_str() {
            "--keys" => keys = number as usize,
            "--seeds" => seeds = number,
            "--first" => first = number,
            _ => return Err(format!("{flag} is no flag")),
        }
    }
    Ok((keys, first..first + seeds))
}
