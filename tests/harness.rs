//! Starts `watchfire serve` and talks to it as its users do.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test gives up: a bound for a hung process, not a measure.
const PATIENCE: Duration = Duration::from_secs(90);

/// The binary under test.
pub(crate) fn watchfire() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchfire"));
    // What the developer's shell has set must not reach the test.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WATCHFIRE_")) {
        command.env_remove(name);
    }
    command
}

/// The cluster to test on, if not the embedded broker.
pub(crate) fn cluster() -> Option<String> {
    std::env::var("KAFKA_BROKERS").ok().filter(|brokers| !brokers.is_empty())
}

/// A partner id that no other test and no earlier run uses, since a cluster may be shared.
pub(crate) fn partner(name: &str) -> String {
    let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("prt_{name}_{:x}", unique & 0xffff_ffff_ffff)
}

/// A data folder with a configuration, from which servers are started and started again.
pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) token: Option<String>,
}

impl Home {
    pub(crate) fn new(extra_config: &str) -> Self {
        Self::with_broker("", extra_config)
    }

    /// With more keys for the embedded broker, in which `{home}` is the folder.
    pub(crate) fn with_broker(broker: &str, extra_config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let prefix = partner("wf");
        // One key for every run, so that fingerprints, and alert ids with them, can be compared.
        let key = dir.path().join("privacy.key");
        std::fs::write(&key, "7f".repeat(32)).unwrap();
        // Sections of `extra_config` must not repeat these.
        let config = format!(
            "[kafka]\nprefix = '{prefix}'\nbrokers = '{}'\ndiscovery_ms = 200\n\
             [server]\nlisten = '127.0.0.1:0'\ndata_dir = '{}'\n\
             [broker]\nlisten = '127.0.0.1:0'\n{}\n\
             [store]\ncommit_interval_ms = 200\n\
             [privacy]\nkey_file = '{}'\n{extra_config}",
            cluster().unwrap_or_default(),
            dir.path().join("data").display(),
            broker.replace("{home}", &dir.path().display().to_string()),
            key.display(),
        );
        std::fs::write(dir.path().join("watchfire.toml"), config).unwrap();
        Self { dir, token: None }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn start(&mut self) -> Server {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&mut self, flags: &[&str]) -> Server {
        let stderr = self.dir.path().join("stderr.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&stderr).unwrap();
        let mut child = watchfire()
            .arg("serve")
            .arg("--config")
            .arg(self.dir.path().join("watchfire.toml"))
            .args(flags)
            .env("WATCHFIRE_LOG_FILTER", "info")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = lines_of(&mut child);
        let mut server = Server {
            child,
            lines,
            stderr,
            kafka: String::new(),
            api: String::new(),
            postgres: String::new(),
            flight: String::new(),
            token: String::new(),
            printed: Vec::new(),
        };
        server.read_greeting(self);
        server.until("ready", |server| server.get_status("/readyz") == 200);
        server
    }

    /// An analyst's token for one partner.
    pub(crate) fn token_for(&self, partner: &str) -> String {
        let output = watchfire()
            .args(["token", "create", "--role", "analyst", "--partner", partner, "--config"])
            .arg(self.dir.path().join("watchfire.toml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr.log")).unwrap_or_default()
    }
}

fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    stderr: PathBuf,
    pub(crate) kafka: String,
    pub(crate) api: String,
    pub(crate) postgres: String,
    pub(crate) flight: String,
    pub(crate) token: String,
    pub(crate) printed: Vec<String>,
}

impl Server {
    fn read_greeting(&mut self, home: &mut Home) {
        loop {
            let line = self
                .lines
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no greeting; stderr:\n{}", home.stderr()));
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("kafka"), Some(address)) => self.kafka = address.to_owned(),
                (Some("api"), Some(url)) => self.api = url.to_owned(),
                (Some("postgres"), Some(address)) => self.postgres = address.to_owned(),
                (Some("flight"), Some(address)) => self.flight = address.to_owned(),
                (Some("token"), Some(token)) => home.token = Some(token.to_owned()),
                _ => {}
            }
            let greeted = line.contains("stop     Ctrl-C");
            self.printed.push(line);
            if greeted {
                break;
            }
        }
        self.token = home.token.clone().expect("the first start shows a token");
    }

    /// What was printed since the last look.
    pub(crate) fn prints(&mut self) -> &[String] {
        while let Ok(line) = self.lines.try_recv() {
            self.printed.push(line);
        }
        &self.printed
    }

    /// Appends raw records to a partner's topic.
    pub(crate) fn send(&self, partner: &str, feed: &str, lines: &[impl AsRef<[u8]>]) {
        let mut child = watchfire()
            .args(["send", "--partner", partner, "--feed", feed, "--kafka", &self.kafka])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for line in lines {
            stdin.write_all(line.as_ref()).unwrap();
            stdin.write_all(b"\n").unwrap();
        }
        drop(stdin);
        assert!(child.wait().unwrap().success(), "watchfire send failed");
    }

    /// Posts a body to the intake; answers the status and the parsed answer.
    pub(crate) fn post(&self, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> (u16, Value) {
        let mut request = client().post(format!("{}{path}", self.api)).bearer_auth(&self.token).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answered(request)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        answered(client().get(format!("{}{path}", self.api)).bearer_auth(&self.token))
    }

    pub(crate) fn get_text(&self, path: &str) -> String {
        let request = client().get(format!("{}{path}", self.api)).bearer_auth(&self.token);
        runtime().block_on(async { request.send().await.unwrap().text().await.unwrap() })
    }

    pub(crate) fn get_status(&self, path: &str) -> u16 {
        let request = client().get(format!("{}{path}", self.api)).bearer_auth(&self.token);
        runtime().block_on(async { request.send().await.map_or(0, |response| response.status().as_u16()) })
    }

    /// The rows of a query.
    pub(crate) fn sql(&self, sql: &str) -> Vec<Value> {
        let (status, answer) =
            self.post("/v1/query", sql.as_bytes().to_vec(), &[("content-type", "text/plain")]);
        assert_eq!(status, 200, "{sql}: {answer}");
        answer["rows"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// The first column of the first row, as a number.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        let rows = self.sql(sql);
        rows[0].as_object().unwrap().values().next().unwrap().as_i64().unwrap()
    }

    /// Every alert of a partner.
    pub(crate) fn alerts(&self, partner: &str) -> Vec<Value> {
        let (status, answer) = self.get(&format!("/v1/alerts?partner={partner}&limit=500"));
        assert_eq!(status, 200, "{answer}");
        answer["alerts"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// Waits until so many of a partner's lines are stored, as events or rejects.
    pub(crate) fn until_stored(&mut self, partner: &str, lines: i64) {
        let sql = format!(
            "SELECT (SELECT count(*) FROM events WHERE tenant = '{partner}') \
             + (SELECT count(*) FROM rejects WHERE tenant = '{partner}') AS stored"
        );
        self.until(&format!("{lines} lines of {partner} stored"), |server| server.count(&sql) >= lines);
        assert_eq!(self.count(&sql), lines, "stored twice");
    }

    /// Asks again and again until it is so.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&Server) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended while waiting for: {what}\n{}", self.last_words());
            assert!(began.elapsed() < PATIENCE, "gave up waiting for: {what}\n{}", self.last_words());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The end of what it wrote to standard error, and what it counted.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.stderr).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let alive = self.get_status("/healthz") == 200;
        let metrics = if alive { self.get_text("/metrics") } else { String::new() };
        let counted = metrics.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0"));
        let counted: Vec<&str> = counted.filter(|line| !line.contains("_bucket{")).collect();
        format!("{}\n{}", lines[lines.len().saturating_sub(60)..].join("\n"), counted.join("\n"))
    }

    /// Asks it to stop, as an init system does, and waits.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        let printed = self.prints().to_vec();
        assert!(status.success(), "{status}: {printed:?}");
        printed
    }

    /// Kills it without a word.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn answered(request: reqwest::RequestBuilder) -> (u16, Value) {
    runtime().block_on(async {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    })
}

fn client() -> &'static reqwest::Client {
    static CLIENT: std::sync::OnceLock<reqwest::Client> = std::sync::OnceLock::new();
    CLIENT.get_or_init(|| reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap())
}

/// One runtime for every client and receiver of a test run.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap())
}

/// The third-party test data, or `None` with a word about it.
pub(crate) fn test_data() -> Option<PathBuf> {
    let dir = std::env::var_os("WATCHFIRE_TEST_DATA").map(PathBuf::from).filter(|dir| dir.is_dir());
    if dir.is_none() {
        eprintln!("skipped: WATCHFIRE_TEST_DATA names no folder of test data");
    }
    dir
}

/// Every file below a folder.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
