//! `faults`: the whole system, several processes of it, through what may happen to them, held
//! against a replay of the same log afterwards.
//!
//! A partner's traffic with attacks in it is sent while processes are killed, stopped and woken,
//! added and taken away, brokers or answers of theirs lost, disks filled and clocks set. Then: every
//! line that was acknowledged is stored once, no change of an alert is stored twice, and the alerts
//! are those of `watchfire replay` by id.

mod brokers;
mod churn;
mod clock;
mod disk;
mod fleet;
mod ground;
mod harm;
mod logs;
mod outage;
mod proxy;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use self::brokers::Brokers;
use self::disk::Disk;
use self::fleet::Fleet;
use self::ground::Ground;
use self::harm::Harm;
use self::verdict::Verdict;
use crate::{command, program};

/// Flags of `faults`.
#[derive(clap::Args)]
pub(crate) struct Faults {
    /// Which ones [default: all].
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Harm>,
    /// How often each.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// How many lines are sent meanwhile.
    #[arg(long, default_value_t = 40_000)]
    lines: u64,
    /// How many a second.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// A script that starts Apache Kafka, three brokers of it, instead of our own broker.
    #[arg(long, value_name = "SCRIPT")]
    kafka: Option<PathBuf>,
    /// A librdkafka property of the processes, e.g. group.protocol=consumer; several times.
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE")]
    properties: Vec<String>,
    /// The program, instead of one that is built.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where everything is put; kept afterwards.
    #[arg(long, default_value = "target/faults")]
    dir: PathBuf,
}

pub(crate) fn run(options: &Faults) -> anyhow::Result<()> {
    let binary = program::watchfire(options.binary.as_deref())?;
    let wanted = if options.only.is_empty() { Harm::value_variants() } else { &options.only };
    println!(
        "| fault | lines | lost | doubled | alerts | missing | other | changes doubled | kept up | caught up after |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let mut all_well = true;
    for &harm in wanted {
        let name = harm.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        if let Err(why) = Ground::prepare(harm, &options.dir()?, options.kafka.is_some()) {
            ensure!(options.only.is_empty(), "{name} cannot be run here: {why:#}");
            println!("| {name} | not run: {why:#} |");
            continue;
        }
        for run in 1..=options.runs {
            let verdict = one(options, &binary, harm, run).with_context(|| format!("{name}, run {run}"))?;
            println!("| {name} {}", verdict.row());
            all_well &= verdict.is_well(harm);
        }
    }
    ensure!(all_well, "lines or alerts were lost, doubled, made up or far too late");
    Ok(())
}

impl Faults {
    /// The folder, made if it is not there.
    fn dir(&self) -> anyhow::Result<PathBuf> {
        let dir = command::root().join(&self.dir);
        std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        dir.canonicalize().with_context(|| format!("find {}", dir.display()))
    }

    /// How long lines are sent.
    fn sending(&self) -> Duration {
        Duration::from_secs(self.lines / self.rate.max(1))
    }
}

/// One fault, on an empty system.
fn one(options: &Faults, binary: &Path, harm: Harm, run: u64) -> anyhow::Result<Verdict> {
    let dir = options.dir()?;
    Disk::unmount_below(&dir)?;
    std::fs::remove_dir_all(&dir).with_context(|| format!("empty {}", dir.display()))?;
    std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    let ground = Ground::prepare(harm, &dir, options.kafka.is_some())?;
    let mut brokers = Brokers::start(binary, &dir, options.kafka.as_deref())?;
    if harm.is_on_the_way() {
        brokers.stand_behind_a_proxy()?;
    }
    let mut fleet = Fleet::start(binary, &dir, brokers, ground, &options.properties)?;
    let sender = fleet.send(options.lines, options.rate, run)?;
    harm.inflict(&mut fleet, run, options.sending())?;
    fleet.check_alive()?;
    // It ends when everything was acknowledged.
    sender.finish().context("watchfire generate")?;
    let tail = fleet.send_tail(run)?;
    let verdict = Verdict::reach(&mut fleet, options.lines + tail)?;
    fleet.await_lasting_health()?;
    fleet.stop()?;
    Ok(verdict)
}
