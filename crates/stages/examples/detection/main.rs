//! How good the detectors are: `cargo xtask bench detect`, or without xtask
//! `cargo run --release -p stages --example detection`.
//!
//! Seeded traffic of a day and some hours, with attacks of every kind and what only looks like one, as raw
//! lines through NORMALIZE and DETECT. Prints Markdown: by class what was found, missed and told wrongly,
//! and how long it took; and what DETECT costs. Fails if an attack is missed or anything else is told.

mod cost;
mod run;
mod system;

use std::process::ExitCode;

use testkit::quality::Quality;

use self::cost::cost;
use self::run::{Options, run};

const USAGE: &str = "usage: detection [--events N] [--seeds N] [--first SEED] [--rounds N]";

fn main() -> ExitCode {
    let (options, seeds) = match read(std::env::args().skip(1)) {
        Ok(read) => read,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut quality = Quality::default();
    let (mut lines, mut cpu_seconds) = (0, Vec::new());
    for seed in options.seed..options.seed + seeds {
        eprintln!("seed {seed}");
        let options = Options { seed, ..options };
        let of_seed = run(&options);
        lines += of_seed.lines;
        cpu_seconds.push(cost(&options));
        quality.add(of_seed.quality);
    }
    cpu_seconds.sort_by(f64::total_cmp);
    let (least, most) = (cpu_seconds[0], cpu_seconds[cpu_seconds.len() - 1]);
    println!("{:.2} million lines, {seeds} seeds\n", lines as f64 / 1e6);
    println!("{quality}");
    println!("CPU seconds of DETECT alone for a million lines: {least:.2} to {most:.2}");
    if quality.is_flawless() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The options of the first run, and of how many seeds.
fn read(mut words: impl Iterator<Item = String>) -> Result<(Options, u64), String> {
    let (mut events, mut seeds, mut first, mut rounds) = (2_000_000, 5, 1, 3);
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = value.parse().ok().filter(|number| *number > 0);
        let number: u64 = number.ok_or_else(|| format!("{flag}: {value} is no number above 0"))?;
        match flag.as_str() {
            "--events" => events = number,
            "--seeds" => seeds = number,
            "--first" => first = number,
            "--rounds" => rounds = number,
            _ => return Err(format!("{flag} is no flag")),
        }
    }
    Ok((
        Options { seed: first, lines: events / seeds, rounds: rounds as usize, attack_every_ms: 600_000 },
        seeds,
    ))
}
