//! The brokers under measurement, started on empty folders and ended.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::bench::process::Background;

/// A kind of broker.
pub(super) enum Server {
    /// Ours: `watchfire`, or the broker without the rest of it.
    Ours { binary: PathBuf, alone: bool },
    /// Apache Kafka, by a script.
    Kafka { script: PathBuf },
}

/// One that runs.
pub(super) struct Running {
    pub(super) address: String,
    pub(super) pid: u32,
    process: Process,
}

enum Process {
    Ours { process: Background, data: PathBuf },
    Kafka { script: PathBuf },
}

impl Server {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ours { .. } => "Watchfire",
            Self::Kafka { .. } => "Apache Kafka",
        }
    }

    pub(super) fn start(&self, data: &Path) -> anyhow::Result<Running> {
        match self {
            Self::Ours { binary, alone } => start_ours(binary, *alone, data),
            Self::Kafka { script } => start_kafka(script),
        }
    }
}

/// Its address is in its first line.
fn start_ours(binary: &Path, alone: bool, data: &Path) -> anyhow::Result<Running> {
    let mut broker = Command::new(binary);
    if alone {
        broker.arg(data).arg("0");
    } else {
        broker.arg("broker").arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
    }
    let (process, line) = Background::start(broker, "127.0.0.1:")?;
    let address = line.split_whitespace().find(|word| word.parse::<std::net::SocketAddr>().is_ok());
    let address = address.with_context(|| format!("an address in the broker's line: {line}"))?.to_owned();
    let pid = process.id();
    Ok(Running { address, pid, process: Process::Ours { process, data: data.to_owned() } })
}

fn start_kafka(script: &Path) -> anyhow::Result<Running> {
    say(script, &["stop", "--wipe"])?;
    let address = say(script, &["start"])?;
    let pid = PathBuf::from(say(script, &["dir"])?).join("1/pid");
    let pid = std::fs::read_to_string(&pid).with_context(|| format!("read {}", pid.display()))?;
    let pid = pid.trim().parse().context("read the broker's process id")?;
    Ok(Running { address, pid, process: Process::Kafka { script: script.to_owned() } })
}

/// Runs the script to its end; the last line that it prints.
fn say(script: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(script).args(arguments).output();
    let output = output.with_context(|| format!("start {}", script.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} {}: {stderr}", script.display(), arguments.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().trim().to_owned())
}

impl Running {
    /// Ends it, and leaves nothing of its data.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        match self.process {
            Process::Ours { process, data } => {
                drop(process);
                std::fs::remove_dir_all(&data).with_context(|| format!("empty {}", data.display()))
            }
            Process::Kafka { script } => say(&script, &["stop", "--wipe"]).map(drop),
        }
    }

    /// Ends ours without a word, and keeps its data.
    pub(super) fn kill(self) {
        drop(self.process);
    }

    /// Asks ours to stop, waits until it has, and keeps its data.
    pub(super) fn terminate(self) -> anyhow::Result<()> {
        match self.process {
            Process::Ours { process, .. } => process.terminate(),
            Process::Kafka { script } => say(&script, &["stop"]).map(drop),
        }
    }
}
