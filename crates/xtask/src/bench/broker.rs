//! `bench broker`: our broker and Apache Kafka, in turns, under the same load on the same machine.
//!
//! Each run starts a broker on an empty folder, lets a JVM get warm, and then measures producing,
//! consuming and latency by what Linux counts for the broker's process alone. The load comes from
//! librdkafka in another process (`load`, an example of crate `broker`).

mod restart;
mod servers;
mod table;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;

use self::servers::{Running, Server};
use super::process::{cpu_seconds_of, high_water_mark};
use crate::{command, program};

/// Flags of `bench broker`.
#[derive(clap::Args)]
pub(crate) struct BrokerBench {
    /// Records of 300 bytes to produce and consume in each run.
    #[arg(long, default_value_t = 2_000_000)]
    records: u64,
    /// Records to produce and consume before that, which do not count.
    #[arg(long, default_value_t = 500_000)]
    warm_up: u64,
    /// Records a second while latency is measured.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// How long latency is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    latency_seconds: u64,
    /// How often; the table shows medians.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// A script that runs Apache Kafka: `start` starts one on an empty folder and prints its address,
    /// `stop --wipe` ends it, and in the folder that `dir` names `1/pid` holds its process id. Without
    /// it our broker is measured alone.
    #[arg(long, value_name = "SCRIPT")]
    kafka: Option<PathBuf>,
    /// A `watchfire` that is built already [default: one is built].
    #[arg(long, value_name = "PATH", conflicts_with = "alone")]
    binary: Option<PathBuf>,
    /// The broker without the rest of Watchfire (`serve`, an example of its crate), which is quick to
    /// build.
    #[arg(long)]
    alone: bool,
    /// Also how long a restart takes with so much log, after a clean stop and after a kill.
    #[arg(long, value_name = "GIB")]
    restart_gib: Option<u64>,
    /// Where everything is put; emptied first.
    #[arg(long, default_value = "target/bench-broker")]
    dir: PathBuf,
}

/// What one broker did in one run.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    produced_per_second: f64,
    consumed_per_second: f64,
    produce_cpu_seconds_per_million: f64,
    consume_cpu_seconds_per_million: f64,
    latency: Latency,
    resident_bytes_max: u64,
}

/// From the moment that a record was due to be sent to the moment that a consumer has it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Latency {
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
}

/// What the load says of itself.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Load {
    records: u64,
    seconds: f64,
}

pub(crate) fn run(options: &BrokerBench) -> anyhow::Result<()> {
    ensure!(options.repeats > 0 && options.records > 0 && options.rate > 0, "give at least 1 of each");
    let bench = Bench::prepare(options)?;
    let mut servers = vec![Server::Ours { binary: bench.binary.clone(), alone: options.alone }];
    servers.extend(options.kafka.clone().map(|script| Server::Kafka { script }));
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); servers.len()];
    for repeat in 0..options.repeats {
        // In turns, and each first as often as the other.
        let order: Vec<usize> = (0..servers.len()).map(|turn| (turn + repeat) % servers.len()).collect();
        for server in order {
            eprintln!("run {} of {}: {}", repeat + 1, options.repeats, servers[server].name());
            runs[server].push(bench.measure(&servers[server])?);
        }
    }
    let names: Vec<&str> = servers.iter().map(Server::name).collect();
    println!("{}", table::table(options, &names, &runs, &load_average()));
    if let Some(gib) = options.restart_gib {
        println!("{}", restart::measure(&bench, &servers[0], gib)?);
    }
    Ok(())
}

struct Bench<'a> {
    options: &'a BrokerBench,
    dir: PathBuf,
    binary: PathBuf,
    load: PathBuf,
}

impl<'a> Bench<'a> {
    fn prepare(options: &'a BrokerBench) -> anyhow::Result<Self> {
        let release = program::target_dir()?.join("release");
        let examples =
            ["build", "--release", "--package", "broker", "--example", "load", "--example", "serve"];
        command::run("cargo", &examples)?;
        let binary = match &options.binary {
            None if options.alone => release.join("examples/serve"),
            named => program::watchfire(named.as_deref())?,
        };
        let dir = command::root().join(&options.dir);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| format!("empty {}", dir.display()))?;
        }
        std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        Ok(Self { options, dir, binary, load: release.join("examples/load") })
    }

    fn measure(&self, server: &Server) -> anyhow::Result<Run> {
        let BrokerBench { records, warm_up, rate, latency_seconds, .. } = *self.options;
        let running = server.start(&self.dir.join("data"))?;
        if warm_up > 0 {
            self.load::<Load>(&running, "produce", "warm-up", &[warm_up])?;
            self.load::<Load>(&running, "consume", "warm-up", &[warm_up])?;
        }
        let produced = self.metered(&running, "produce", records)?;
        let consumed = self.metered(&running, "consume", records)?;
        let latency = self.load(&running, "latency", "latency", &[rate, latency_seconds])?;
        let resident_bytes_max = high_water_mark(running.pid);
        running.stop()?;
        Ok(Run {
            produced_per_second: produced.0,
            produce_cpu_seconds_per_million: produced.1,
            consumed_per_second: consumed.0,
            consume_cpu_seconds_per_million: consumed.1,
            latency,
            resident_bytes_max,
        })
    }

    /// Records a second, and CPU seconds of the broker per million records.
    fn metered(&self, running: &Running, what: &str, records: u64) -> anyhow::Result<(f64, f64)> {
        let before = cpu_seconds_of(running.pid)?;
        let load: Load = self.load(running, what, "bench", &[records])?;
        let used = cpu_seconds_of(running.pid)? - before;
        Ok((load.records as f64 / load.seconds, used / (load.records as f64 / 1e6)))
    }

    fn load<T: for<'de> Deserialize<'de>>(
        &self,
        running: &Running,
        what: &str,
        topic: &str,
        numbers: &[u64],
    ) -> anyhow::Result<T> {
        let mut load = Command::new(&self.load);
        load.args([what, &running.address, topic]).args(numbers.iter().map(u64::to_string));
        let output = load.output().with_context(|| format!("start {}", self.load.display()))?;
        ensure!(output.status.success(), "{load:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).with_context(|| format!("read what {what} says"))
    }
}

/// How busy the machine was with everything, in the last minute and the last five.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
