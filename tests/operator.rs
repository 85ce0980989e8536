//! What an operator does at a terminal: the broker alone, `topics`, `groups` and `tail`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

use crate::harness::{runtime, watchfire};

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// `watchfire broker` in a process of its own.
struct Broker {
    process: Running,
    out: BufReader<ChildStdout>,
    address: String,
    metrics: String,
    _dir: tempfile::TempDir,
}

impl Broker {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = watchfire()
            .args(["broker", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line
        };
        let address = line().split_whitespace().find(|word| word.starts_with("127.")).unwrap().to_owned();
        let metrics = line().split_whitespace().find(|word| word.starts_with("http")).unwrap().to_owned();
        Self { process: Running(child), out, address, metrics, _dir: dir }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = watchfire();
        command.args(arguments).args(["--brokers", &self.address]).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// What a command prints, which has to succeed.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command complains of, which has to fail.
    fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn send(&self, lines: &str) {
        let mut send = watchfire();
        send.args(["send", "--partner", "acme", "--feed", "edge", "--kafka", &self.address]);
        let mut child = send.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Stops it as an init system does; what it still had to say.
    fn stop(mut self) -> String {
        let id = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert!(self.process.0.wait().unwrap().success(), "{rest}");
        rest
    }
}

/// The cells of a table's rows, without its headings.
fn rows(table: &str) -> Vec<Vec<&str>> {
    table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect()
}

const TOPIC: &str = "logs.acme.edge";

#[test]
fn topics_are_made_listed_described_configured_and_deleted() {
    let broker = Broker::start();
    broker.says(&["topics", "create", TOPIC, "--partitions", "2", "--retention", "7d"]);
    broker.send("one\ntwo\nthree\n");
    assert_eq!(rows(&broker.says(&["topics", "list"])), [[TOPIC, "2", "3"]]);
    broker.says(&["topics", "configure", TOPIC, "--retention", "forever", "--retention-bytes", "1GiB"]);
    let described: Value =
        serde_json::from_str(&broker.says(&["topics", "describe", TOPIC, "--json"])).unwrap();
    let own = described["settings"].as_array().unwrap().iter().filter(|one| one["set_by_topic"] == true);
    let own: Vec<_> =
        own.map(|one| (one["name"].as_str().unwrap(), one["value"].as_str().unwrap())).collect();
    assert_eq!(own, [("retention.bytes", "1073741824"), ("retention.ms", "-1")]);
    assert_eq!(described["partitions"].as_array().unwrap().len(), 2);
    assert!(broker.says(&["topics", "describe", TOPIC]).contains("this topic"));

    let unasked = broker.refuses(&["topics", "delete", TOPIC]);
    assert!(unasked.contains("3 records") && unasked.contains("--yes"), "{unasked}");
    broker.says(&["topics", "delete", TOPIC, "--yes"]);
    assert_eq!(broker.says(&["topics", "list", "--json"]), "");
    let gone = broker.refuses(&["topics", "describe", TOPIC]);
    assert!(gone.contains("there is no topic") && gone.contains("topics list"), "{gone}");
}

#[test]
fn groups_are_described_moved_and_deleted() {
    let broker = Broker::start();
    broker.says(&["topics", "create", TOPIC]);
    broker.send("one\ntwo\nthree\n");
    let moved = broker.says(&["groups", "reset", "readers", "--topic", TOPIC, "--to", "1", "--yes"]);
    assert_eq!(rows(&moved), [["0", "-", "1"]]);
    let listed: Value = serde_json::from_str(&broker.says(&["groups", "list", "--json"])).unwrap();
    assert_eq!((&listed["group"], &listed["lag"]), (&"readers".into(), &2.into()));
    let described = broker.says(&["groups", "describe", "readers"]);
    assert!(described.contains("2 behind") && described.contains(TOPIC), "{described}");
    let unasked = broker.refuses(&["groups", "delete", "readers"]);
    assert!(unasked.contains("--yes"), "{unasked}");
    broker.says(&["groups", "delete", "readers", "--yes"]);
    let gone = broker.refuses(&["groups", "describe", "readers"]);
    assert!(gone.contains("there is no group readers") && gone.contains("groups list"), "{gone}");
}

#[test]
fn tail_shows_records_and_lets_none_of_them_act_on_the_terminal() {
    let broker = Broker::start();
    broker.says(&["topics", "create", TOPIC]);
    broker.send("first\nsecond\n\x1b]0;owned\x07\x1b[2J\n");
    let shown = broker.says(&["tail", TOPIC, "-n", "2"]);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(shown.contains("second") && shown.contains("\\u{1b}]0;owned"), "{shown}");
    assert!(!shown.contains('\x1b') && !shown.contains('\x07'), "{shown:?}");
    let since = broker.says(&["tail", TOPIC, "--since", "1h", "--json"]);
    let values: Vec<Value> = since.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values[0]["value"], "first");
    assert_eq!((values.len(), &values[2]["offset"]), (3, &2.into()));
    assert_eq!(broker.says(&["tail", TOPIC, "--offset", "2"]).lines().count(), 1);
    let missing = broker.refuses(&["tail", "no.such.topic"]);
    assert!(missing.contains("there is no topic no.such.topic"), "{missing}");
}

#[test]
fn tail_follows_until_it_is_stopped() {
    let broker = Broker::start();
    broker.says(&["topics", "create", TOPIC]);
    broker.send("before\n");
    let mut tail = watchfire();
    tail.args(["tail", TOPIC, "--follow", "--kafka", &broker.address]).stdout(Stdio::piped());
    let mut tail = Running(tail.spawn().unwrap());
    let mut lines = BufReader::new(tail.0.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with("before"));
    broker.send("after\n");
    assert!(lines.next().unwrap().unwrap().ends_with("after"));
}

#[test]
fn a_broker_alone_serves_its_metrics_and_says_what_it_did_when_it_stops() {
    let broker = Broker::start();
    broker.says(&["topics", "create", TOPIC]);
    broker.send("one\n");
    let served =
        runtime().block_on(async { reqwest::get(&broker.metrics).await.unwrap().text().await.unwrap() });
    for wanted in [
        "watchfire_broker_requests_total{api=\"Produce\"}",
        "watchfire_broker_fsync_seconds_bucket{le=\"+Inf\"}",
        "process_resident_memory_bytes",
    ] {
        assert!(served.contains(wanted), "{wanted} is not in\n{served}");
    }
    let said = broker.stop();
    assert!(said.contains("stopping: SIGTERM") && said.contains("1 partitions"), "{said}");
}
