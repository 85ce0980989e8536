//! The processes of a run: one that stores, alerts and answers; some that normalize and detect.

mod health;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use event::EventTime;
use serde_json::Value;

use super::brokers::Brokers;
use super::ground::Ground;
use crate::bench::Background;
use crate::command;

/// Normalizing and detecting processes at the beginning.
const WORKERS: usize = 2;
/// As a number, which wait(2) speaks in.
const SIGTERM: i32 = 15;
/// Lines a second of event time.
const DENSITY: u64 = 4;
/// Of so long before now there is traffic without attacks: an alert may wait five minutes for what
/// explains it.
const TAIL: Duration = Duration::from_secs(420);
/// Three brokers of Apache Kafka may take half a minute to start where the machine is busy.
const SHIPPER_PATIENCE: &str = "delivery.timeout.ms=120000";

/// Its processes end with it, also where a run fails.
pub(super) struct Fleet {
    binary: PathBuf,
    dir: PathBuf,
    pub(super) brokers: Brokers,
    keeper: Option<Background>,
    workers: Vec<Option<Background>>,
    url: String,
    token: PathBuf,
    pub(super) ground: Ground,
}

impl Fleet {
    /// The folder and the log of the process that stores.
    pub(super) const KEEPER: &str = "keeper";

    /// The folder and the log of a worker.
    pub(super) fn worker(number: usize) -> String {
        format!("worker-{number}")
    }

    /// `properties` are librdkafka's, as `KEY=VALUE`.
    pub(super) fn start(
        binary: &Path,
        dir: &Path,
        brokers: Brokers,
        ground: Ground,
        properties: &[String],
    ) -> anyhow::Result<Self> {
        fs::write(dir.join("privacy.key"), "7f".repeat(32)).context("write the privacy key")?;
        let mut config = format!(
            "[kafka]\nprefix = 'faults'\nbrokers = '{}'\ndiscovery_ms = 1000\n\
             [detect]\nsnapshot_interval_seconds = 5\nsnapshots_url = 'file://{dir}/snapshots'\n\
             [privacy]\nkey_file = '{dir}/privacy.key'\n\
             [query]\ntime_max_seconds = 120\n",
            brokers.address_for_the_fleet(),
            dir = dir.display(),
        );
        config += "[kafka.properties]\n";
        for property in properties {
            let (key, value) =
                property.split_once('=').with_context(|| format!("-X {property}: KEY=VALUE"))?;
            config += &format!("'{key}' = '{value}'\n");
        }
        fs::write(dir.join("watchfire.toml"), config).context("write the configuration")?;
        let mut fleet = Self {
            binary: binary.to_owned(),
            dir: dir.to_owned(),
            brokers,
            keeper: None,
            workers: Vec::new(),
            url: String::new(),
            token: dir.join("token"),
            ground,
        };
        fleet.start_keeper()?;
        (0..WORKERS).try_for_each(|_| fleet.add())?;
        fleet.await_workers()?;
        Ok(fleet)
    }

    fn serve(&self, name: &str, roles: &str) -> anyhow::Result<Command> {
        let log = File::options().create(true).append(true).open(self.dir.join(format!("{name}.log")))?;
        let mut serve = Command::new(&self.binary);
        serve.args(["serve", "--quiet", "--log", "info", "--roles", roles, "--listen", "127.0.0.1:0"]);
        serve.arg("--config").arg(self.dir.join("watchfire.toml"));
        serve.arg("--data-dir").arg(self.dir.join(name));
        serve.stdout(Stdio::piped()).stderr(log);
        if let Some(clocks) = &self.ground.clocks {
            clocks.give(&mut serve, name)?;
        }
        Ok(serve)
    }

    fn start_keeper(&mut self) -> anyhow::Result<()> {
        let mut keeper =
            self.serve(Self::KEEPER, "store,alerting,api")?.spawn().context("start the keeper")?;
        let mut lines = BufReader::new(keeper.stdout.take().context("its output is piped")?).lines();
        for line in lines.by_ref() {
            let line = line?;
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("api"), Some(url)) => url.clone_into(&mut self.url),
                (Some("token"), Some(token)) => fs::write(&self.token, token)?,
                _ => {}
            }
            if line.contains("stop     Ctrl-C") {
                break;
            }
        }
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        self.keeper = Some(Background::of(keeper));
        Ok(())
    }

    /// One more worker.
    pub(super) fn add(&mut self) -> anyhow::Result<()> {
        self.workers.push(None);
        self.restart(self.workers.len() - 1)
    }

    /// Workers there are or were.
    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Starts a dead worker again.
    pub(super) fn restart(&mut self, worker: usize) -> anyhow::Result<()> {
        let mut serve = self.serve(&Self::worker(worker), "normalize,detect")?;
        let child = serve.stdout(Stdio::null()).spawn().context("start a worker")?;
        self.workers[worker] = Some(Background::of(child));
        Ok(())
    }

    /// Kills a worker without a word.
    pub(super) fn kill(&mut self, worker: usize) {
        drop(self.workers[worker].take());
    }

    /// Asks a worker to stop, and waits. One that still starts is ended by the signal itself.
    pub(super) fn terminate(&mut self, worker: usize) -> anyhow::Result<()> {
        let Some(process) = self.workers[worker].take() else { return Ok(()) };
        let status = process.terminated()?;
        ensure!(
            status.success() || status.signal() == Some(SIGTERM),
            "worker {worker} stopped with {status}"
        );
        Ok(())
    }

    /// Sends a worker a signal, e.g. `STOP` or `CONT`.
    pub(super) fn signal(&self, worker: usize, signal: &str) -> anyhow::Result<()> {
        let Some(process) = &self.workers[worker] else { return Ok(()) };
        command::run("kill", &[&format!("-{signal}"), &process.id().to_string()])
    }

    /// Kills the one that stores, and starts it again.
    pub(super) fn bounce_keeper(&mut self) -> anyhow::Result<()> {
        drop(self.keeper.take());
        self.start_keeper()
    }

    /// Begins to send traffic with attacks in it, which ends well before now.
    pub(super) fn send(&self, lines: u64, rate: u64, seed: u64) -> anyhow::Result<Background> {
        // At night as many lines take half as long again.
        let lasts = Duration::from_secs(lines * 3 / 2 / DENSITY);
        let mut generate = self.generate(lines, DENSITY, seed, lasts + 2 * TAIL)?;
        generate.args(["--attacks", "--rate", &rate.to_string()]);
        generate.spawn().map(Background::of).context("start watchfire generate")
    }

    /// Sends the traffic of the last minutes, without attacks: what waits for time to go on need not
    /// wait for silence. Returns how many lines that are.
    pub(super) fn send_tail(&self, seed: u64) -> anyhow::Result<u64> {
        let lines = TAIL.as_secs();
        let status = self.generate(lines, 1, seed, TAIL)?.status().context("start watchfire generate")?;
        ensure!(status.success(), "watchfire generate: {status}");
        Ok(lines)
    }

    /// Traffic of three partners that begins so long ago.
    #[expect(clippy::disallowed_methods, reason = "what is sent to running processes is of now")]
    fn generate(&self, lines: u64, density: u64, seed: u64, ago: Duration) -> anyhow::Result<Command> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let start = EventTime(i64::try_from(now.saturating_sub(ago).as_millis())?).to_rfc3339();
        let mut generate = Command::new(&self.binary);
        generate.args(["generate", "--partners", "3", "--start", &start]);
        generate.args(["--events", &lines.to_string(), "--density", &density.to_string()]);
        generate.args([
            "--seed",
            &seed.to_string(),
            "--kafka",
            &self.brokers.address,
            "-X",
            SHIPPER_PATIENCE,
        ]);
        generate.stdout(Stdio::null());
        Ok(generate)
    }

    /// Runs a command of the program, and parses the JSON lines that it prints.
    pub(super) fn ask(&self, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
        let output = Command::new(&self.binary).args(arguments).output().context("start watchfire")?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "watchfire {}: {stderr}", arguments.join(" "));
        let text = String::from_utf8(output.stdout)?;
        text.lines().map(|line| serde_json::from_str(line).context("read a JSON line")).collect()
    }

    pub(super) fn query(&self, sql: &str) -> anyhow::Result<Vec<Value>> {
        let token = self.token.display().to_string();
        self.ask(&["query", "--url", &self.url, "--token-file", &token, "--format", "ndjson", sql])
    }

    /// The alerts that the same log gives when it is replayed.
    pub(super) fn replay(&self) -> anyhow::Result<Vec<Value>> {
        let kafka = &self.brokers.address;
        let topics = self.ask(&["topics", "list", "--json", "--kafka", kafka])?;
        let names = topics.iter().filter_map(|topic| topic["topic"].as_str());
        let config = self.dir.join("watchfire.toml").display().to_string();
        let mut arguments = vec!["replay", "--config", &config, "--kafka", kafka, "--alerts", "-"];
        for name in names.filter(|name| name.starts_with("logs.")) {
            arguments.extend(["--topic", name]);
        }
        self.ask(&arguments)
    }

    /// Where everything is put.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        self.workers.clear();
        drop(self.keeper.take());
        self.brokers.stop()
    }
}
