//! `bench latency`: how long after a line was appended an alert about it is heard of, at fixed rates.
//!
//! A server with every detector, lines that come steadily, and somebody who listens at
//! `GET /v1/alerts/stream`. A latency is from the broker's time of the line that met a rule first to the moment
//! that the listener has the alert. Rules that wait for a window to close have that wait in it; event time runs
//! as much faster than the clock as lines come faster than `--density`.

mod listener;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use self::listener::{Heard, Listener};
use super::process::{Background, cpu_seconds_of, high_water_mark};
use crate::{command, program};

/// Alerts about lines of the first seconds are left out: topics are only being found then.
const WARM_UP: Duration = Duration::from_secs(10);
/// What is still on its way is waited for so long.
const TAIL: Duration = Duration::from_secs(5);

/// Flags of `bench latency`.
#[derive(clap::Args)]
pub(crate) struct LatencyBench {
    /// Lines a second, one run each.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 5_000, 10_000])]
    rates: Vec<u64>,
    /// How long each run is, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// A cluster to use instead of our own broker; it should hold no raw logs.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// The program, instead of one that is built.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where everything is put; kept afterwards.
    #[arg(long, default_value = "target/bench-latency")]
    dir: PathBuf,
}

pub(crate) fn run(options: &LatencyBench) -> anyhow::Result<()> {
    ensure!(!options.rates.is_empty() && !options.rates.contains(&0), "--rates: numbers above 0");
    ensure!(options.seconds > 2 * WARM_UP.as_secs(), "--seconds: more than {}", 2 * WARM_UP.as_secs());
    let binary = program::watchfire(options.binary.as_deref())?;
    let dir = command::root().join(&options.dir);
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("empty {}", dir.display()))?;
    }
    let mut runs = Vec::new();
    for &rate in &options.rates {
        eprintln!("{rate} lines a second for {} s", options.seconds);
        let dir = dir.join(rate.to_string());
        fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        runs.push(Bench { options, binary: &binary, dir, rate }.measure()?);
    }
    println!("{}", table(&runs));
    Ok(())
}

/// One rate's run.
struct Bench<'a> {
    options: &'a LatencyBench,
    binary: &'a PathBuf,
    dir: PathBuf,
    rate: u64,
}

/// What came of it.
struct Run {
    rate: u64,
    heard: Vec<Heard>,
    cpu_seconds_per_million: f64,
    resident_bytes_max: u64,
}

impl Bench<'_> {
    fn watchfire(&self, command: &str) -> Command {
        let mut watchfire = Command::new(self.binary);
        watchfire.arg(command);
        watchfire
    }

    fn measure(&self) -> anyhow::Result<Run> {
        let (listen, broker) = (free_port()?, free_port()?);
        let mut serve = self.watchfire("serve");
        serve.arg("--data-dir").arg(&self.dir).args(["--listen", &listen.to_string(), "--quiet"]);
        let kafka = match &self.options.kafka {
            Some(kafka) => {
                serve.args(["--kafka", kafka]);
                serve.env("WATCHFIRE_KAFKA_PREFIX", format!("latency-{}-{}", std::process::id(), self.rate));
                kafka.clone()
            }
            None => {
                serve.env("WATCHFIRE_BROKER_LISTEN", broker.to_string());
                broker.to_string()
            }
        };
        let (server, _) = Background::start(serve, "stop ")?;
        let listener = Listener::start(listen, &self.token()?)?;
        let (began, before) = (Instant::now(), cpu_seconds_of(server.id())?);
        let warm = listener::now() + WARM_UP;
        self.send(&kafka)?;
        wait_for_the_last();
        let cpu_seconds = cpu_seconds_of(server.id())? - before;
        let resident_bytes_max = high_water_mark(server.id());
        eprintln!("took {:.0} s", began.elapsed().as_secs_f64());
        server.terminate()?;
        let mut heard = listener.heard()?;
        heard.retain(|heard| heard.ingested_at >= warm);
        let millions = (self.rate * self.options.seconds) as f64 / 1e6;
        Ok(Run {
            rate: self.rate,
            heard,
            cpu_seconds_per_million: cpu_seconds / millions,
            resident_bytes_max,
        })
    }

    fn token(&self) -> anyhow::Result<String> {
        let mut token = self.watchfire("token");
        token.args(["create", "--role", "analyst", "--data-dir"]).arg(&self.dir);
        let output = token.output().context("start watchfire token create")?;
        ensure!(
            output.status.success(),
            "watchfire token create: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn send(&self, kafka: &str) -> anyhow::Result<()> {
        let mut generate = self.watchfire("generate");
        generate.args(["--attacks", "--kafka", kafka, "--rate", &self.rate.to_string()]);
        generate.args(["--events", &(self.rate * self.options.seconds).to_string()]);
        let status = generate.status().context("start watchfire generate")?;
        ensure!(status.success(), "watchfire generate: {status}");
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "nobody can say that no more alerts will come")]
fn wait_for_the_last() {
    std::thread::sleep(TAIL);
}

/// One that was free a moment ago.
fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    listener.local_addr().context("ask for the port")
}

fn table(runs: &[Run]) -> String {
    let mut text = String::new();
    rates(runs, &mut text)
        .and_then(|()| detectors(runs.last(), &mut text))
        .expect("a String takes every write");
    text
}

fn rates(runs: &[Run], text: &mut String) -> std::fmt::Result {
    writeln!(text, "| lines a second | alerts | p50 | p99 | p99.9 | CPU s/M | resident MiB |")?;
    writeln!(text, "|---:|---:|---:|---:|---:|---:|---:|")?;
    for run in runs {
        let latencies = run.heard.iter().map(|heard| heard.latency_ms).collect();
        let resident = run.resident_bytes_max as f64 / 1_048_576.0;
        writeln!(
            text,
            "| {} | {} | {:.2} | {resident:.0} |",
            run.rate,
            quantiles(latencies),
            run.cpu_seconds_per_million
        )?;
    }
    Ok(())
}

fn detectors(run: Option<&Run>, text: &mut String) -> std::fmt::Result {
    let Some(run) = run else { return Ok(()) };
    let mut by_detector: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for heard in &run.heard {
        by_detector.entry(&heard.detector).or_default().push(heard.latency_ms);
    }
    writeln!(text, "\n| detector, at {} lines a second | alerts | p50 | p99 | p99.9 |", run.rate)?;
    writeln!(text, "|---|---:|---:|---:|---:|")?;
    for (detector, latencies) in by_detector {
        writeln!(text, "| {detector} | {} |", quantiles(latencies))?;
    }
    Ok(())
}

/// How many, and the latency that half, 99 % and 99.9 % of them do not exceed.
fn quantiles(mut latencies: Vec<i64>) -> String {
    latencies.sort_unstable();
    let at = |share: f64| {
        let rank = (share * latencies.len() as f64).ceil() as usize;
        latencies.get(rank.saturating_sub(1)).map_or("–".to_owned(), |ms| format!("{ms} ms"))
    };
    format!("{} | {} | {} | {}", latencies.len(), at(0.5), at(0.99), at(0.999))
}

#[cfg(test)]
mod tests {
    use super::quantiles;

    #[test]
    fn a_quantile_is_what_so_many_do_not_exceed() {
        assert_eq!(quantiles((1..=1_000).rev().collect()), "1000 | 500 ms | 990 ms | 999 ms");
        assert_eq!(quantiles(vec![7]), "1 | 7 ms | 7 ms | 7 ms");
        assert_eq!(quantiles(Vec::new()), "0 | – | – | –");
    }
}
