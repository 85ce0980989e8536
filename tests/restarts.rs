//! Killed at any point, the rows and the alerts are those of an undisturbed run.

use std::collections::BTreeSet;

use crate::harness::{Home, Server, partner, watchfire};

/// A few thousand lines of seeded traffic of four hours ago, with attacks, as partners' raw lines by
/// feed. The traffic is that of the hour, and with it how many attacks there are.
pub(crate) fn traffic(events: usize, per_second: u32) -> Vec<(String, String, String)> {
    let (events, per_second) = (events.to_string(), per_second.to_string());
    let start = (chrono::Utc::now() - chrono::Duration::hours(4)).to_rfc3339();
    let made = watchfire()
        .args([
            "generate",
            "--seed",
            "11",
            "--partners",
            "3",
            "--events",
            &events,
            "--density",
            &per_second,
            "--attacks",
            "--start",
            &start,
            "--out",
            "-",
        ])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let parse = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let topic: Vec<&str> = record["topic"].as_str().unwrap().splitn(3, '.').collect();
        (topic[1].to_owned(), topic[2].to_owned(), record["line"].as_str().unwrap().to_owned())
    };
    String::from_utf8(made.stdout).unwrap().lines().map(parse).collect()
}

/// Whose alerts stay open: tokens' until somebody has looked, the others' until the day of event time ends.
const STAY_OPEN: [&str; 10] = [
    "token_reuse",
    "secret_exposure",
    "probing",
    "key_use",
    "object_access",
    "threshold",
    "token_ledger",
    "admin_change",
    "impossible_travel",
    "risk",
];

/// What a run leaves: rows by place, and alerts by what they are about.
type Left = (BTreeSet<String>, BTreeSet<String>);

/// Sends lines in the order they were made, as shippers that follow their logs do.
pub(crate) fn send(server: &Server, unique: &str, lines: &[(String, String, String)]) {
    let writer = kafka::LogWriter::new(&kafka::Connection::new(&server.kafka), "test").unwrap();
    for (tenant, feed, line) in lines {
        writer.push(&format!("logs.{unique}_{tenant}.{feed}"), Some(feed), line.as_bytes(), &[]).unwrap();
    }
    assert_eq!(writer.flush(std::time::Duration::from_secs(60)).unwrap(), lines.len() as u64);
}

/// A line of now in every log: hours after the others, so that every episode ends, and nothing waits for
/// what may still come.
pub(crate) fn last_words(lines: &[(String, String, String)]) -> Vec<(String, String, String)> {
    let now = chrono::Utc::now().format("%d/%b/%Y:%H:%M:%S %z");
    let line = format!("203.0.113.24 - - [{now}] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"");
    let feeds: BTreeSet<_> = lines.iter().map(|(tenant, feed, _)| (tenant.clone(), feed.clone())).collect();
    feeds.into_iter().map(|(tenant, feed)| (tenant, feed, line.clone())).collect()
}

fn run(lines: &[(String, String, String)], kill: bool) -> Left {
    let unique = partner("kill");
    let mut home = Home::new("");
    let mut server = home.start();
    for part in lines.chunks(lines.len() / 4 + 1) {
        if kill {
            // Right after the acknowledgement of the part before: everything is in flight somewhere.
            server.kill();
            server = home.start();
        }
        send(&server, &unique, part);
    }
    let last_words = last_words(lines);
    send(&server, &unique, &last_words);
    let sent = (lines.len() + last_words.len()) as i64;
    let stored = format!(
        "SELECT (SELECT count(*) FROM events WHERE tenant LIKE '{unique}%') + (SELECT count(*) FROM rejects WHERE tenant LIKE '{unique}%') AS n"
    );
    server.until("every line stored", |server| server.count(&stored) >= sent);
    server.until("detectors at the end", |server| {
        let metrics = server.get_text("/metrics");
        ["normalize", "detect", "risk", "alerting"]
            .iter()
            .all(|stage| metrics.contains(&format!("watchfire_stage_lag_records{{stage=\"{stage}\"}} 0")))
    });
    let rows = server.sql(&format!("SELECT kafka_topic, kafka_partition, kafka_offset, kafka_line FROM events WHERE tenant LIKE '{unique}%'"));
    assert_eq!(server.count(&stored), sent, "nothing is stored twice");
    let rows = rows
        .iter()
        .map(|row| {
            format!(
                "{}/{}/{}/{}",
                row["kafka_topic"], row["kafka_partition"], row["kafka_offset"], row["kafka_line"]
            )
            .replace(&unique, "")
        })
        .collect();
    let tenants: BTreeSet<&str> = lines.iter().map(|(tenant, ..)| tenant.as_str()).collect();
    let alerts = |server: &Server| -> Vec<serde_json::Value> {
        tenants.iter().flat_map(|tenant| server.alerts(&format!("{unique}_{tenant}"))).collect()
    };
    // Only then have they counted everything.
    server.until("episodes closed", |server| {
        let stays_open =
            |alert: &serde_json::Value| STAY_OPEN.iter().any(|detector| alert["detector"] == *detector);
        alerts(server).iter().all(|alert| stays_open(alert) || alert["state"] == "closed")
    });
    let alerts = alerts(&server)
        .iter()
        .map(|alert| {
            format!("{} {} {} {}", alert["class"], alert["entity"], alert["first_seen"], alert["count"])
                .replace(&unique, "")
        })
        .collect();
    server.stop();
    (rows, alerts)
}

#[test]
fn kill_9_changes_neither_the_rows_nor_the_alerts() {
    let lines = traffic(12_000, 5);
    let (rows, alerts) = run(&lines, false);
    let (rows_killed, alerts_killed) = run(&lines, true);
    assert!(!alerts.is_empty(), "the traffic has attacks in it");
    assert_eq!(rows.len(), rows_killed.len());
    assert_eq!(rows, rows_killed);
    assert_eq!(alerts, alerts_killed);
}

#[test]
fn without_transactions_every_line_is_stored_and_none_is_begun() {
    let partner = partner("plain");
    let mut home = Home::new("");
    let config = home.dir.path().join("watchfire.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let plain = text.replacen("[kafka]\n", "[kafka]\ndelivery = 'at-least-once'\n", 1);
    assert_ne!(text, plain);
    std::fs::write(&config, plain).unwrap();
    let mut server = home.start();
    let line = "203.0.113.24 - - [14/Mar/2026:09:26:53 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"";
    server.send(&partner, "x", &[line; 50]);
    server.until_stored(&partner, 50);
    let metrics = server.get_text("/metrics");
    assert!(!metrics.contains("watchfire_transactions_total{"), "{metrics}");
    server.stop();
    let mut again = home.start();
    again.until_stored(&partner, 50);
    again.stop();
}

#[test]
fn a_stop_finishes_what_it_is_at_and_says_what_it_did() {
    let partner = partner("stop");
    let mut home = Home::new("");
    let server = home.start();
    server.send(
        &partner,
        "x",
        &["203.0.113.24 - - [14/Mar/2026:09:26:53 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\""],
    );
    let printed = server.stop().join("\n");
    assert!(printed.contains("stopping: SIGTERM") && printed.contains("stopped: "), "{printed}");
    let mut again = home.start();
    again.until_stored(&partner, 1);
    again.stop();
}

#[test]
fn a_second_server_on_the_same_data_is_refused_with_the_reason() {
    let mut home = Home::new("");
    let server = home.start();
    let second =
        watchfire().args(["serve", "--config"]).arg(home.dir.path().join("watchfire.toml")).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("in use"), "{said}");
    server.stop();
}
