//! `bench end-to-end`: the whole path on one machine, the broker in a process of its own.
//!
//! The broker (ours, or the cluster that `--kafka` names) is loaded once. Then each repeat reads
//! everything from the beginning under a new prefix of topics and groups, with an empty data
//! folder, until nothing is left to do. What is measured is the serving process alone; what
//! reading and parsing cost by themselves is measured in the same minute beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use testkit::traffic::{Label, Traffic, TrafficConfig};

use super::figures::{Limits, Run, Summary};
use super::process::{Background, measure};
use super::recall::recall;
use super::report;
use crate::{command, program};

/// Flags of `bench end-to-end`.
#[derive(clap::Args)]
pub(crate) struct EndToEnd {
    /// How many lines.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// A cluster to use instead of our own broker; it should hold no raw logs yet.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// How often; the table shows medians.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Seed of the traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many partners.
    #[arg(long, default_value_t = 8)]
    partners: usize,
    /// Also without transactions, in turns, to show what exactly once costs.
    #[arg(long)]
    at_least_once: bool,
    /// Lines a second of event time.
    #[arg(long, default_value_t = 50.0)]
    density: f64,
    /// The program, instead of one that is built.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where everything is put; kept afterwards.
    #[arg(long, default_value = "target/bench")]
    dir: PathBuf,
}

pub(crate) fn run(options: &EndToEnd) -> anyhow::Result<()> {
    ensure!(options.repeats > 0, "--repeats: at least 1");
    let bench = Bench::prepare(options)?;
    let broker = bench.start_broker()?;
    let kafka = broker
        .as_ref()
        .map_or_else(|| options.kafka.clone().unwrap_or_default(), |(_, address)| address.clone());
    bench.load(&kafka)?;
    let labels = bench.labels()?;
    let (mut runs, mut plain) = (Vec::new(), Vec::new());
    for repeat in 0..options.repeats {
        eprintln!("run {} of {}", repeat + 1, options.repeats);
        let limits = bench.limits(&kafka, repeat)?;
        if options.at_least_once {
            let (name, limits) = (format!("{repeat}-plain"), limits.clone());
            plain.push(bench.serve(&kafka, &name, "at-least-once", limits, &labels)?);
        }
        runs.push(bench.serve(&kafka, &repeat.to_string(), "exactly-once", limits, &labels)?);
    }
    drop(broker);
    println!("{}", report::table(&runs, &plain));
    Ok(())
}

struct Bench<'a> {
    options: &'a EndToEnd,
    dir: PathBuf,
    binary: PathBuf,
}

impl<'a> Bench<'a> {
    fn prepare(options: &'a EndToEnd) -> anyhow::Result<Self> {
        let dir = command::root().join(&options.dir);
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("empty {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        Ok(Self { options, dir, binary: program::watchfire(options.binary.as_deref())? })
    }

    fn watchfire(&self, command: &str) -> Command {
        let mut watchfire = Command::new(&self.binary);
        watchfire.arg(command);
        watchfire
    }

    /// Our own broker, unless there is a cluster; its address is in its first line.
    fn start_broker(&self) -> anyhow::Result<Option<(Background, String)>> {
        if self.options.kafka.is_some() {
            return Ok(None);
        }
        let mut broker = self.watchfire("broker");
        broker.arg("--data-dir").arg(self.dir.join("broker")).args(["--listen", "127.0.0.1:0"]);
        let (broker, line) = Background::start(broker, "listens on")?;
        let address = line.split_whitespace().find(|word| word.parse::<std::net::SocketAddr>().is_ok());
        let address = address.with_context(|| format!("an address in the broker's line: {line}"))?.to_owned();
        Ok(Some((broker, address)))
    }

    fn load(&self, kafka: &str) -> anyhow::Result<()> {
        let EndToEnd { events, seed, partners, density, .. } = self.options;
        let mut generate = self.watchfire("generate");
        generate.args(["--attacks", "--kafka", kafka]).arg("--labels").arg(self.dir.join("labels.jsonl"));
        generate.args(["--events", &events.to_string(), "--seed", &seed.to_string()]);
        generate.args(["--partners", &partners.to_string(), "--density", &density.to_string()]);
        let status = generate.status().context("start watchfire generate")?;
        ensure!(status.success(), "watchfire generate: {status}");
        Ok(())
    }

    fn labels(&self) -> anyhow::Result<Vec<Label>> {
        let text = fs::read_to_string(self.dir.join("labels.jsonl")).context("read the labels")?;
        text.lines().map(|line| serde_json::from_str(line).context("read a label")).collect()
    }

    /// What reading and parsing alone cost, now, on this machine.
    fn limits(&self, kafka: &str, repeat: usize) -> anyhow::Result<Limits> {
        let mut limits = self.watchfire("bench-limits");
        limits.args(["--kafka", kafka, "--group", &format!("bench-limits-{repeat}")]);
        let output = limits.output().context("start watchfire bench-limits")?;
        ensure!(
            output.status.success(),
            "watchfire bench-limits: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(text.lines().last().unwrap_or_default()).context("read the limits")
    }

    fn serve(
        &self,
        kafka: &str,
        name: &str,
        delivery: &str,
        limits: Limits,
        labels: &[Label],
    ) -> anyhow::Result<Run> {
        let data = self.dir.join(format!("run-{name}"));
        fs::create_dir_all(&data)?;
        let config = data.join("watchfire.toml");
        fs::write(&config, self.config(name, delivery))?;
        let mut serve = self.watchfire("serve");
        serve.arg("--config").arg(&config).arg("--data-dir").arg(&data);
        serve.args(["--kafka", kafka, "--listen", "127.0.0.1:0", "--exit-when-idle", "--quiet"]);
        let measured = measure(serve)?;
        let summary = fs::read_to_string(data.join("summary.json")).context("read summary.json")?;
        let summary: Summary = serde_json::from_str(&summary).context("read summary.json")?;
        let stored_bytes = size_of(&data.join("tables"))?;
        Ok(Run {
            measured,
            stored_bytes,
            recall: recall(labels, &summary.alerts),
            stages: summary.stages,
            limits,
        })
    }

    /// Own topics and groups for each run, and what the generated partners have agreed to.
    fn config(&self, name: &str, delivery: &str) -> String {
        let EndToEnd { seed, partners, density, .. } = *self.options;
        let config = TrafficConfig { seed, partners, events_per_second: density, ..TrafficConfig::default() };
        let mut toml =
            format!("[kafka]\nprefix = \"bench-{}-{name}\"\ndelivery = \"{delivery}\"\n", std::process::id());
        for (tenant, requests_per_minute) in Traffic::new(config).contracts() {
            toml.push_str(&format!("\n[partners.{tenant}]\nrequests_per_minute = {requests_per_minute:?}\n"));
        }
        toml
    }
}

/// Bytes of all files below.
pub(super) fn size_of(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size_of(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
