//! A stage on one machine goes on where another machine's stopped.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use chrono::Utc;
use serde_json::Value;

use crate::bucket::bucket;
use crate::harness::{Home, Server, partner, watchfire};
use crate::replay::{ids, replay, rows};
use crate::restarts::{last_words, send, traffic};

/// Another machine of the same system, with a data folder of its own. It ends without a word.
struct Machine {
    child: Child,
    dir: tempfile::TempDir,
}

impl Machine {
    fn start(home: &Home, server: &Server, roles: &str, variables: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(dir.path().join("stderr.log")).unwrap();
        let child = watchfire()
            .args(["serve", "--roles", roles, "--kafka", &server.kafka, "--config"])
            .arg(home.dir.path().join("watchfire.toml"))
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .env("WATCHFIRE_LOG_FILTER", "info")
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    /// One that detects, and keeps its state in a bucket.
    fn detector(home: &Home, server: &Server, bucket: SocketAddr) -> Self {
        let endpoint = format!("http://{bucket}");
        let variables = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "tester"),
            ("AWS_SECRET_ACCESS_KEY", "not a secret"),
        ];
        Self::start(home, server, "detect", &variables)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr.log")).unwrap()
    }

    /// Where DETECT began to read, by partition.
    fn began_at(&self) -> Vec<i64> {
        let from = |line: &str| line.split("from=").nth(1)?.split_whitespace().next()?.parse().ok();
        let log = self.log();
        let loaded = log.lines().filter(|line| line.contains("detector state loaded"));
        loaded.filter(|line| line.contains(r#"stage="detect""#)).filter_map(from).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn guesses(count: i64, from: chrono::DateTime<Utc>) -> Vec<String> {
    let line = |n: i64| {
        let at = from + chrono::Duration::seconds(n);
        format!(
            "<38>{} edge-1 sshd[7]: Failed password for root from 198.51.100.7 port 53502 ssh2",
            at.format("%b %e %H:%M:%S")
        )
    };
    (0..count).map(line).collect()
}

#[test]
fn a_detector_on_another_machine_goes_on_from_the_state_in_the_bucket() {
    let (partner, (address, objects)) = (partner("moved"), bucket());
    let mut home =
        Home::new("[detect]\nsnapshot_interval_seconds = 1\nsnapshots_url = 's3://wf-bucket/wf'\n");
    let mut server = home.start_with(&["--roles", "normalize,store,alerting,api"]);
    let began = Utc::now() - chrono::Duration::seconds(120);

    let first = Machine::detector(&home, &server, address);
    server.send(&partner, "auth", &guesses(8, began));
    server.until_stored(&partner, 8);
    // Word of the source's silence reaches every partition, so each has a snapshot behind the guesses.
    server.until("snapshots", |_| {
        let objects = objects.lock().unwrap();
        let offset = |key: &String| {
            key.rsplit('/').next()?.strip_suffix(".snapshot")?.parse::<i64>().ok().filter(|&at| at > 10)
        };
        let partitions: BTreeSet<_> = objects
            .keys()
            .filter(|key| key.contains("/detect/") && offset(key).is_some())
            .map(|key| key.rsplit_once('/').unwrap().0)
            .collect();
        partitions.len() == 4
    });
    drop(first); // killed, and its folder is gone

    let second = Machine::detector(&home, &server, address);
    server.send(&partner, "auth", &guesses(8, began + chrono::Duration::seconds(20)));
    server.until("the alert", |server| server.alerts(&partner).iter().any(|alert| alert["count"] == 16));
    let alerts = server.alerts(&partner);
    assert_eq!(alerts.len(), 1, "half of it was told to the one machine, half to the other: {alerts:#?}");
    let began_at = second.began_at();
    assert!(began_at.len() == 4 && began_at.iter().all(|&offset| offset > 10), "{began_at:?}");
    // The machine that was killed may have left one more than it would have kept.
    server.until("old ones removed", |_| {
        objects.lock().unwrap().keys().filter(|key| key.contains("/detect/")).count() <= 4 * 3
    });
    drop(second);
    server.stop();
}

/// Acceptance 24: two consumers become three and then one, in the middle of attacks.
#[test]
fn consumers_come_and_go_during_an_attack_and_the_alerts_are_those_of_a_replay() {
    let unique = partner("moving");
    let snapshots = tempfile::tempdir().unwrap();
    let mut home = Home::new(&format!(
        "[detect]\nsnapshot_interval_seconds = 1\nsnapshots_url = 'file://{}'\n",
        snapshots.path().display()
    ));
    let mut server = home.start_with(&["--roles", "store,alerting,api"]);
    let lines = traffic(3_000, 1);
    let mut workers: Vec<_> =
        (0..2).map(|_| Machine::start(&home, &server, "normalize,detect", &[])).collect();
    let some_are_stored = format!("SELECT count(*) AS n FROM events WHERE tenant LIKE '{unique}%'");
    for (number, part) in lines.chunks(lines.len() / 3 + 1).enumerate() {
        send(&server, &unique, part);
        server.until("a part of it stored", |server| {
            server.count(&some_are_stored) > (number * lines.len() / 3) as i64
        });
        match number {
            0 => workers.push(Machine::start(&home, &server, "normalize,detect", &[])),
            1 => drop(workers.drain(..2)),
            _ => {}
        }
    }
    let last_words = last_words(&lines);
    send(&server, &unique, &last_words);
    let sent = (lines.len() + last_words.len()) as i64;
    let stored = format!(
        "SELECT (SELECT count(*) FROM events WHERE tenant LIKE '{unique}%') + (SELECT count(*) FROM rejects WHERE tenant LIKE '{unique}%') AS n"
    );
    server.until("every line stored", |server| server.count(&stored) >= sent);
    let expected = replayed_alerts(&home, &server, &unique);
    assert!(expected.len() >= 4, "{} alerts", expected.len());
    let raised = format!("SELECT DISTINCT alert_id FROM alert_changes WHERE tenant LIKE '{unique}%'");
    server.until("the alerts of a replay", |server| ids(&server.sql(&raised), "alert_id") == expected);
    let rows = server.count(&stored);
    let twice = format!(
        "SELECT count(*) AS n FROM (SELECT event_id FROM events WHERE tenant LIKE '{unique}%' GROUP BY 1 HAVING count(*) > 1)"
    );
    assert_eq!((rows, server.count(&twice)), (sent, 0), "each line once");
    server.stop();
}

/// The alerts that a replay of everything that was sent gives.
fn replayed_alerts(home: &Home, server: &Server, unique: &str) -> BTreeSet<String> {
    let topics = watchfire().args(["topics", "list", "--json", "--kafka", &server.kafka]).output().unwrap();
    let topics = String::from_utf8(topics.stdout).unwrap();
    let names = topics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let names = names.filter_map(|topic| topic["topic"].as_str().map(str::to_owned));
    let mut args = vec!["--kafka".to_owned(), server.kafka.clone()];
    for topic in names.filter(|name| name.starts_with(&format!("logs.{unique}"))) {
        args.extend(["--topic".to_owned(), topic]);
    }
    let into = tempfile::tempdir().unwrap();
    replay(home, &args.iter().map(String::as_str).collect::<Vec<_>>(), into.path());
    ids(&rows(&into.path().join("alerts.jsonl")), "alert_id")
}
