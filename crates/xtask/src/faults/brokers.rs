//! The brokers of a run: ours, or three of Apache Kafka.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::proxy::Proxy;
use crate::bench::Background;

pub(super) struct Brokers {
    pub(super) address: String,
    /// How long their first start took.
    pub(super) start_took: Duration,
    kind: Kind,
    proxy: Option<Proxy>,
}

enum Kind {
    Ours { binary: PathBuf, data: PathBuf, process: Option<Background> },
    Kafka { script: PathBuf },
}

impl Brokers {
    /// The folder of our own, and the name of its log.
    pub(super) const DATA: &str = "broker";

    pub(super) fn start(binary: &Path, dir: &Path, script: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(script) = script {
            say(script, &["stop", "--wipe"])?;
            let began = Instant::now();
            let start = || say(script, &["start", "--nodes", "3"]);
            // One random cluster id of 64 begins with a dash, which the script's tool takes for a flag.
            let address = start().or_else(|_| start())?;
            let (kind, start_took) = (Kind::Kafka { script: script.to_owned() }, began.elapsed());
            return Ok(Self { address, start_took, kind, proxy: None });
        }
        // The same port after a restart, as clients expect of a broker.
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr())?.to_string();
        let kind = Kind::Ours { binary: binary.to_owned(), data: dir.join(Self::DATA), process: None };
        let mut brokers = Self { address, start_took: Duration::ZERO, kind, proxy: None };
        brokers.revive()?;
        Ok(brokers)
    }

    /// Puts a proxy before them, which the processes of a fleet that starts afterwards go through.
    pub(super) fn stand_behind_a_proxy(&mut self) -> anyhow::Result<()> {
        self.proxy = Some(Proxy::before(&self.address)?);
        Ok(())
    }

    pub(super) fn proxy(&self) -> anyhow::Result<&Proxy> {
        self.proxy.as_ref().context("no proxy stands before the brokers")
    }

    /// What the processes of a fleet are told.
    pub(super) fn address_for_the_fleet(&self) -> &str {
        self.proxy.as_ref().map_or(&self.address, |proxy| &proxy.address)
    }

    /// Kills one without a word: ours, or one of the three.
    pub(super) fn kill(&mut self, number: u64) -> anyhow::Result<()> {
        match &mut self.kind {
            Kind::Ours { process, .. } => drop(process.take()),
            Kind::Kafka { script } => drop(say(script, &["kill", &(number % 3 + 1).to_string()])?),
        }
        Ok(())
    }

    /// Kills all of them.
    pub(super) fn kill_all(&mut self) -> anyhow::Result<()> {
        let several = if matches!(self.kind, Kind::Kafka { .. }) { 3 } else { 1 };
        (0..several).try_for_each(|number| self.kill(number))
    }

    /// Gives a dead one of the three a new disk, formatted for the cluster and empty.
    pub(super) fn wipe(&mut self, number: u64) -> anyhow::Result<()> {
        let Kind::Kafka { script } = &self.kind else { bail!("it takes three brokers") };
        let dir = PathBuf::from(say(script, &["dir"])?);
        let folder = |number: u64| dir.join((number % 3 + 1).to_string());
        let known = std::fs::read_to_string(folder(number + 1).join("data/meta.properties"))?;
        let cluster =
            known.lines().find_map(|line| line.strip_prefix("cluster.id=")).context("a cluster id")?;
        std::fs::remove_dir_all(folder(number).join("data")).context("empty the disk")?;
        let config = folder(number).join("server.properties").display().to_string();
        say(script, &["run", "kafka.tools.StorageTool", "format", "-t", cluster, "-c", &config])?;
        Ok(())
    }

    /// Starts those again that are dead, on their data.
    pub(super) fn revive(&mut self) -> anyhow::Result<()> {
        match &mut self.kind {
            Kind::Ours { binary, data, process } => {
                let mut broker = Command::new(binary);
                broker.arg("broker").arg("--data-dir").arg(&*data).args(["--listen", &self.address]);
                let log = data.with_extension("log");
                broker.stderr(File::options().create(true).append(true).open(log)?);
                *process = Some(Background::start(broker, "listens on")?.0);
            }
            Kind::Kafka { script } => {
                let status = output(script, &["status"])?;
                let down: Vec<_> = status.lines().filter_map(|line| line.strip_suffix(" down")).collect();
                match down[..] {
                    [one] => drop(say(script, &["revive", one])?),
                    // One alone would wait for the quorum.
                    _ => drop(say(script, &["start", "--nodes", "3", "--keep"])?),
                }
            }
        }
        Ok(())
    }

    /// Fails if ours has ended by itself.
    pub(super) fn check_alive(&mut self) -> anyhow::Result<()> {
        match &mut self.kind {
            Kind::Ours { process: Some(process), .. } => process.check_alive().context("the broker"),
            _ => Ok(()),
        }
    }

    pub(super) fn stop(self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Ours { process, .. } => drop(process),
            Kind::Kafka { script } => drop(say(&script, &["stop", "--wipe"])?),
        }
        Ok(())
    }
}

/// The last line that the script prints.
fn say(script: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    Ok(output(script, arguments)?.lines().last().unwrap_or_default().trim().to_owned())
}

fn output(script: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(script).args(arguments).output();
    let output = output.with_context(|| format!("start {}", script.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} {}: {stderr}", script.display(), arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
