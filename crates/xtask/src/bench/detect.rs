//! `bench detect` and `bench spikes`: how good the detectors are. Lines, labels and the judge are in
//! `detection`, an example of crate `stages`, and in `spikes`, one of crate `detect`, so that xtask need not
//! be built with them.

use crate::command;

/// Flags of `bench detect`.
#[derive(clap::Args)]
pub(crate) struct DetectBench {
    /// Lines, over all seeds.
    #[arg(long, default_value_t = 2_000_000)]
    events: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// How often each kind of attack and near-miss is played for a seed.
    #[arg(long, default_value_t = 3)]
    rounds: u64,
}

/// Flags of `bench spikes`.
#[derive(clap::Args)]
pub(crate) struct SpikesBench {
    /// Keys that have requests.
    #[arg(long, default_value_t = 200)]
    keys: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    first: u64,
}

pub(crate) fn run(options: &DetectBench) -> anyhow::Result<()> {
    let DetectBench { events, seeds, first, rounds } = options;
    let flags = [("--events", events), ("--seeds", seeds), ("--first", first), ("--rounds", rounds)];
    example("stages", "detection", &flags)
}

pub(crate) fn run_spikes(options: &SpikesBench) -> anyhow::Result<()> {
    let SpikesBench { keys, seeds, first } = options;
    example("detect", "spikes", &[("--keys", keys), ("--seeds", seeds), ("--first", first)])
}

fn example(package: &str, name: &str, flags: &[(&str, &u64)]) -> anyhow::Result<()> {
    let mut arguments = ["run", "--quiet", "--release", "--package", package, "--example", name, "--"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(flags.iter().flat_map(|(flag, value)| [(*flag).to_owned(), value.to_string()]));
    command::run("cargo", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}
