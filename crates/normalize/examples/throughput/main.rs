//! What an event of each format costs: `cargo xtask bench normalize`, or without xtask
//! `cargo run --release -p normalize --example throughput`.
//!
//! Prints a Markdown table with CPU seconds for a million events, on one core, as the median of several
//! rounds; beside it, from the same rounds, what it costs to parse the lines and do nothing else.

mod lines;
mod measure;
mod table;

use std::sync::Arc;

use normalize::Schemas;

use self::lines::Format;
use self::measure::{Figures, Meter};

/// That of the program itself.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What was asked for.
struct Options {
    lines: usize,
    rounds: usize,
    /// Only formats whose name holds this.
    format: Option<String>,
    json: bool,
}

fn main() {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}\nusage: throughput [--lines N] [--rounds N] [--format NAME] [--json]");
            std::process::exit(2);
        }
    };
    let schemas = Arc::new(Schemas::built_in());
    let asked = |format: &Format| options.format.as_ref().is_none_or(|part| format.name.contains(part));
    let mut all: Vec<(String, Figures)> = Vec::new();
    for format in lines::formats(&schemas.names()).into_iter().filter(asked) {
        eprintln!("{}", format.name);
        let meter = Meter::new(&schemas, &format, options.lines);
        all.push((format.name, meter.measure(options.rounds)));
    }
    print!("{}", if options.json { table::json(&all) } else { table::markdown(&all, &options) });
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { lines: 8_000, rounds: 5, format: None, json: false };
        while let Some(flag) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--lines" => options.lines = positive(&value()?)?,
                "--rounds" => options.rounds = positive(&value()?)?,
                "--format" => options.format = Some(value()?),
                "--json" => options.json = true,
                _ => return Err(format!("{flag} is no flag")),
            }
        }
        Ok(options)
    }
}

fn positive(number: &str) -> Result<usize, String> {
    number.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{number} is no number above 0"))
}
