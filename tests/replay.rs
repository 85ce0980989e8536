//! `watchfire replay`: what the detectors make of a log, without a server.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use chrono::{Duration, Utc};
use serde_json::Value;

use crate::attacks::stolen_token;
use crate::harness::{Home, Server, partner, watchfire};

const TOKEN: &str = "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";

/// A stolen token, and a password guessed.
fn attacks(partner: &str) -> Vec<String> {
    let began = Utc::now() - Duration::seconds(300);
    let mut lines = stolen_token(partner, began, 1, TOKEN);
    lines.extend((0..14).map(|n| {
        let at = began + Duration::seconds(60 + n);
        format!(
            "<38>{} edge-1 sshd[7]: Failed password for root from 198.51.100.7 port 53502 ssh2",
            at.format("%b %e %H:%M:%S")
        )
    }));
    lines
}

pub(crate) fn replay(home: &Home, args: &[&str], into: &Path) -> Output {
    let output = |name: &str| into.join(name).display().to_string();
    let replayed = watchfire()
        .args(["replay", "--config"])
        .arg(home.dir.path().join("watchfire.toml"))
        .args(["--alerts", &output("alerts.jsonl"), "--events", &output("events.jsonl")])
        .args(["--rejects", &output("rejects.jsonl")])
        .args(args)
        .output()
        .unwrap();
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    replayed
}

pub(crate) fn rows(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn ids(rows: &[Value], name: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
}

fn live_events(server: &Server, partner: &str) -> BTreeSet<String> {
    ids(&server.sql(&format!("SELECT event_id FROM events WHERE tenant = '{partner}'")), "event_id")
}

#[test]
fn a_topic_replayed_gives_the_live_alerts_and_events_by_id() {
    let partner = partner("again");
    let mut home = Home::new("");
    let mut server = home.start();
    let lines = attacks(&partner);
    server.send(&partner, "auth", &lines);
    server.until_stored(&partner, lines.len() as i64);
    server.until("the alerts", |server| server.alerts(&partner).len() == 2);
    let into = tempfile::tempdir().unwrap();
    let topic = format!("logs.{partner}.auth");
    let said = replay(&home, &["--topic", &topic, "--kafka", &server.kafka], into.path());
    let replayed = rows(&into.path().join("alerts.jsonl"));
    assert_eq!(ids(&replayed, "alert_id"), ids(&server.alerts(&partner), "alert_id"));
    let guessing = replayed.iter().find(|alert| alert["detector"] == "failed_authentication").unwrap();
    assert_eq!(guessing["change"], "close", "its episode is over at the end: {guessing:#?}");
    assert_eq!(ids(&rows(&into.path().join("events.jsonl")), "event_id"), live_events(&server, &partner));
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("17 lines") && said.contains("17 events, 0 rejects, 2 alerts"), "{said}");
    server.stop();
}

#[test]
fn what_was_stored_gives_the_live_alerts_by_id() {
    let (ours, other) = (partner("kept"), partner("else"));
    let mut home = Home::new("");
    let mut server = home.start();
    for partner in [&ours, &other] {
        let lines = attacks(partner);
        server.send(partner, "auth", &lines);
        server.until_stored(partner, lines.len() as i64);
        server.until("the alerts", |server| server.alerts(partner).len() == 2);
    }
    let [live, others] = [&ours, &other].map(|partner| ids(&server.alerts(partner), "alert_id"));
    server.stop();
    let into = tempfile::tempdir().unwrap();
    let alerts = into.path().join("alerts.jsonl");
    let replay = |more: &[&str]| {
        let mut replay = watchfire();
        replay.args(["replay", "--config"]).arg(home.dir.path().join("watchfire.toml"));
        let replayed = replay.arg("--alerts").arg(&alerts).args(more).output().unwrap();
        (replayed.status.success(), String::from_utf8_lossy(&replayed.stderr).into_owned())
    };
    assert_eq!(replay(&["--partner", &ours, "--table"]), (true, String::new()));
    assert_eq!(ids(&rows(&alerts), "alert_id"), live);
    assert_eq!(replay(&["--table"]), (true, String::new()));
    // On a broker that others use too there are theirs as well.
    let everybodys = ids(&rows(&alerts), "alert_id");
    assert!(everybodys.is_superset(&live) && everybodys.is_superset(&others), "those of both partners");
    assert_eq!(replay(&["--table", "--until", "2020-01-01"]), (true, String::new()));
    assert_eq!(rows(&alerts).len(), 0);
    let nowhere = into.path().display().to_string();
    let (succeeded, why) = replay(&["--table", &nowhere]);
    assert!(!succeeded && why.contains("holds no table of events"), "{why}");
}

#[test]
fn a_log_cut_into_files_gives_the_alerts_of_the_whole_in_any_order() {
    let partner = partner("files");
    let home = Home::new("");
    let lines = attacks(&partner);
    let alerts = |files: Vec<String>| {
        let into = tempfile::tempdir().unwrap();
        let paths: Vec<String> = (0..files.len())
            .map(|number| into.path().join(format!("{number}.log")).display().to_string())
            .collect();
        paths.iter().zip(&files).for_each(|(path, text)| std::fs::write(path, text).unwrap());
        let mut args = vec!["--partner", partner.as_str()];
        args.extend(paths.iter().map(String::as_str));
        replay(&home, &args, into.path());
        ids(&rows(&into.path().join("alerts.jsonl")), "alert_id")
    };
    let whole = alerts(vec![lines.join("\n")]);
    assert_eq!(whole.len(), 2);
    let third = |n: usize| lines.iter().skip(n).step_by(3).cloned().collect::<Vec<_>>().join("\n");
    assert_eq!(alerts(vec![third(2), String::new(), third(0), third(1)]), whole);
}

#[test]
fn what_cannot_be_read_is_a_reject_with_its_reason() {
    let (home, into) = (Home::new(""), tempfile::tempdir().unwrap());
    let log = into.path().join("bad.log");
    let mut bytes = b"{\"half\": \n\xff\xfe\x00\n".to_vec();
    bytes.extend(vec![b'x'; 9 << 20]);
    bytes.extend_from_slice(b"\n\n");
    std::fs::write(&log, bytes).unwrap();
    let said = replay(&home, &[&log.display().to_string()], into.path());
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let rejects = rows(&into.path().join("rejects.jsonl"));
    assert_eq!(rejects.len(), 3, "{rejects:#?}");
    assert_eq!(rejects[2]["reason"], "too_long");
    assert!(said.contains("3 lines") && said.contains("0 events, 3 rejects, 0 alerts"), "{said}");
}

#[test]
fn where_no_server_was_a_replay_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.log"), attacks("prt_x").join("\n")).unwrap();
    let run = |args: &[&str]| watchfire().current_dir(dir.path()).arg("replay").args(args).output().unwrap();
    let replayed = run(&["x.log", "--alerts", "-"]);
    let said = String::from_utf8_lossy(&replayed.stderr).into_owned();
    assert!(replayed.status.success() && said.contains("a key for this run alone"), "{said}");
    let alerts = String::from_utf8(replayed.stdout).unwrap();
    assert_eq!(alerts.lines().count(), 2, "nothing else is printed there: {alerts}");
    assert!(!alerts.contains(TOKEN) && !said.contains(TOKEN));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the log");

    let refused = run(&["x.log", "--source", "sshdd"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("--source sshdd") && said.contains("partner, sshd"),
        "{said}"
    );
    assert!(!run(&["absent.log"]).status.success());
}
