//! The command-line tools of Apache Kafka itself: Java clients, and what operators know by heart.
//!
//! `KAFKA_TOOLS` names a script that runs a tool of Kafka's by its name, as in
//! `$KAFKA_TOOLS topics --bootstrap-server HOST:PORT --list`, and any other main class of its jars
//! with `$KAFKA_TOOLS run CLASS …`. Without it these cases say that they are skipped.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::harness::Kafka;

mod groups;
mod records;
mod topics;
mod transactions;
mod users;

/// The tools, and a cluster to use them on.
struct Tools {
    script: String,
    kafka: Kafka,
}

impl Tools {
    fn find() -> Option<Self> {
        Some(Self { script: script()?, kafka: Kafka::start() })
    }

    /// Runs a tool that must succeed; returns what it prints.
    fn run(&self, tool: &str, arguments: &[&str]) -> String {
        self.feed(tool, arguments, "")
    }

    /// The same, with something to read.
    fn feed(&self, tool: &str, arguments: &[&str], input: &str) -> String {
        let output = self.output(tool, arguments, input);
        let (told, complaints) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{tool} {arguments:?}:\n{told}\n{complaints}");
        told
    }

    /// Runs a tool that must not succeed; returns everything it prints.
    fn refused(&self, tool: &str, arguments: &[&str]) -> String {
        let output = self.output(tool, arguments, "");
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(!output.status.success(), "{tool} {arguments:?} went well:\n{told}");
        told
    }

    /// Runs a class that takes its addresses in its own way.
    fn run_class(&self, class: &str, arguments: &[&str]) -> String {
        let output = self.spawn(&[&["run", class], arguments].concat(), "");
        assert!(output.status.success(), "{class}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn output(&self, tool: &str, arguments: &[&str], input: &str) -> Output {
        let tool: Vec<_> = tool.split(' ').collect();
        let address = ["--bootstrap-server", &self.kafka.bootstrap];
        self.spawn(&[&tool, &address[..], arguments].concat(), input)
    }

    fn spawn(&self, words: &[&str], input: &str) -> Output {
        let mut child = Command::new(&self.script)
            .args(words)
            // A tool lives for a second: it is not worth the better compiler.
            .env("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

fn script() -> Option<String> {
    let script = std::env::var("KAFKA_TOOLS").ok();
    if script.is_none() {
        eprintln!("skipped, needs Kafka's own tools: KAFKA_TOOLS is not set");
    }
    script
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a line holds all these words, in this order, and nothing between them but white space.
fn has_line(told: &str, words: &[&str]) -> bool {
    told.lines().any(|line| {
        let found: Vec<_> = line.split_whitespace().collect();
        found.windows(words.len()).any(|window| window == words)
    })
}

#[track_caller]
fn check_line(told: &str, words: &[&str]) {
    assert!(has_line(told, words), "no line with {words:?}:\n{told}");
}
