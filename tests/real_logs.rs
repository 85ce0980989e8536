//! Logs as the world writes them: the samples of every source, and a real sshd log.

use std::collections::BTreeMap;
use std::process::Command;

use crate::harness::{Home, partner, test_data};

/// Sends the source's own sample and waits until every line is stored; answers how many lines.
fn stored_sample(source: &str) -> i64 {
    let path = format!("{}/../../schemas/{source}/sample.log", env!("CARGO_MANIFEST_DIR"));
    let lines: Vec<String> = std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    let partner = partner("sample");
    let mut home = Home::new("");
    let mut server = home.start();
    server.send(&partner, "x", &lines);
    server.until_stored(&partner, lines.len() as i64);
    let read = server.sql(&format!(
        "SELECT source_format, count(*) AS n FROM events WHERE tenant = '{partner}' GROUP BY 1"
    ));
    assert!(read.iter().any(|row| row["source_format"] == source), "{source} is recognised: {read:?}");
    server.stop();
    lines.len() as i64
}

#[test]
fn the_samples_of_every_source_are_recognised_and_stored() {
    for source in ["partner", "nginx_combined", "nginx_json", "sshd"] {
        assert!(stored_sample(source) > 0);
    }
}

#[test]
fn kcat_is_a_shipper_like_any_other() {
    if Command::new("kcat").arg("-V").output().is_err() {
        eprintln!("skipped: kcat is not installed");
        return;
    }
    let partner = partner("kcat");
    let mut home = Home::new("");
    let mut server = home.start();
    let path = format!("{}/../../schemas/sshd/sample.log", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(&path).unwrap().lines().count() as i64;
    let topic = format!("logs.{partner}.auth");
    let sent =
        Command::new("kcat").args(["-P", "-b", &server.kafka, "-t", &topic, "-l", &path]).status().unwrap();
    assert!(sent.success());
    server.until_stored(&partner, lines);
    server.stop();
}

#[test]
fn a_real_sshd_log_is_stored_in_full_and_its_attackers_are_raised() {
    let Some(data) = test_data() else { return };
    let path = data.join("auth/elastic_auth_mar27-30.log");
    let lines: Vec<String> =
        String::from_utf8_lossy(&std::fs::read(&path).unwrap()).lines().map(str::to_owned).collect();
    let partner = partner("sshd");
    let mut home = Home::new("");
    let mut server = home.start();
    server.send(&partner, "auth", &lines);
    server.until_stored(&partner, lines.len() as i64);
    let rejected = server.count(&format!("SELECT count(*) FROM rejects WHERE tenant = '{partner}'"));
    assert_eq!(rejected, 0);
    server.until("quiet", |server| {
        let metrics = server.get_text("/metrics");
        metrics.lines().any(|line| line.starts_with("watchfire_stage_lag_records{stage=\"detect\"} 0"))
    });
    let alerts = server.alerts(&partner);
    let mut by_class: BTreeMap<String, usize> = BTreeMap::new();
    for alert in &alerts {
        *by_class.entry(alert["class"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    eprintln!("{} lines, {rejected} rejected, alerts by class: {by_class:?}", lines.len());
    // The addresses that the log's own counts show failing most.
    let told = serde_json::to_string(&alerts).unwrap();
    for attacker in ["24.151.103.17", "91.197.232.109", "181.25.206.27", "181.25.201.155"] {
        assert!(told.contains(attacker), "{attacker} is named by an alert: {by_class:?}");
    }
    server.stop();
}
