//! Writes seeded synthetic series of many kinds, with the windows an expert would mark, in NAB's form:
//! `cargo run --release -p score --example series -- FOLDER [SEEDS]`.
//!
//! The kinds are those of a monitored system (see `kinds.rs`). A window is centred on the moment
//! something begins, and a file's windows take a tenth of it together, as NAB's rules have it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

mod dice;
mod kinds;

use dice::Dice;
use kinds::{KINDS, Series};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or("name a folder to write to")?;
    let seeds: u64 = arguments.next().map_or(Ok(3), |seeds| seeds.parse())?;
    let mut windows = Vec::new();
    for (kind, make) in KINDS {
        fs::create_dir_all(Path::new(&folder).join("data").join(kind))?;
        for seed in 1..=seeds {
            let name = format!("{kind}/{kind}_{seed}.csv");
            let series = make(&mut Dice::new(seed.wrapping_mul(7919) ^ kind.len() as u64));
            fs::write(Path::new(&folder).join("data").join(&name), csv(&series))?;
            windows.push(format!(" \"{name}\": [{}]", marked(&series).join(", ")));
        }
    }
    fs::create_dir_all(Path::new(&folder).join("labels"))?;
    let labels = Path::new(&folder).join("labels/combined_windows.json");
    fs::write(labels, format!("{{\n{}\n}}\n", windows.join(",\n")))?;
    Ok(())
}

/// When a value of the series was taken.
fn stamp(series: &Series, index: usize) -> String {
    let start = chrono::DateTime::from_timestamp(1_396_310_400, 0).expect("April 2014 is a time");
    let at = start + chrono::TimeDelta::seconds(series.step_seconds * index as i64);
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn csv(series: &Series) -> String {
    let mut text = String::from("timestamp,value\n");
    for (index, value) in series.values.iter().enumerate() {
        writeln!(text, "{},{value}", stamp(series, index)).expect("a string takes what is written");
    }
    text
}

/// The windows, each as a JSON pair of stamps; those that overlap are one.
fn marked(series: &Series) -> Vec<String> {
    let length = series.values.len();
    let half = length / 20 / series.events.len().max(1);
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for event in &series.events {
        let (from, to) = (event.saturating_sub(half), (event + half).min(length - 1));
        match spans.last_mut() {
            Some(last) if last.1 >= from => last.1 = to,
            _ => spans.push((from, to)),
        }
    }
    let pair =
        |span: &(usize, usize)| format!("[\"{}\", \"{}\"]", stamp(series, span.0), stamp(series, span.1));
    spans.iter().map(pair).collect()
}
