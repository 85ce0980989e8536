//! Other people's logs, read and judged to the end: what their own tools raise on them, and what is
//! raised here.
//!
//! The data is no part of this repository; the tests run where `WATCHFIRE_TEST_DATA` names the
//! folder that holds it. `--nocapture` prints a table by case.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]

mod auth_log;
mod crowdsec;
mod panther;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use detect::DetectConfig;
use event::{Alert, EventTime, LogTopic, RawLog};
use normalize::{Fingerprinter, Normalizer, Options, Schemas};
use serde_json::Value;
use stages::replay::Replay;

/// 2026-06-01, later than what nearly all of the logs tell of; what is later still is taken as of then.
const READ_AT: EventTime = EventTime(1_780_272_000_000);

/// What a log came to.
struct Outcome {
    /// Every alert in its last state.
    alerts: Vec<Alert>,
    lines: usize,
    rejected: usize,
    /// How many of the events detectors were given as failed authentications.
    failures: usize,
}

/// The folder of third-party data, if there is one.
fn third_party() -> Option<PathBuf> {
    let folder = std::env::var_os("WATCHFIRE_TEST_DATA");
    if folder.is_none() {
        eprintln!("skipped: WATCHFIRE_TEST_DATA is not set");
    }
    folder.map(Into::into)
}

/// The objects of a file that holds one a line.
fn rows(file: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(third_party()?.join(file)).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Reads lines as the only feed of a partner, nobody having said what format they have.
fn outcome_of(lines: &[&[u8]], read_at: EventTime) -> Outcome {
    static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Arc::new(Schemas::built_in()));
    let fingerprinter = Fingerprinter::new("k1", b"a pepper for the tests").unwrap();
    let options = Options { observation_partitions: 1, ..Options::default() };
    let normalizer = Normalizer::new(Arc::clone(&SCHEMAS), fingerprinter, options);
    let source = LogTopic::new("prt_acme", "edge").unwrap();
    let topic: Arc<str> = source.name().into();
    let of_topic = format!("{topic}/0");
    let mut replay = Replay::new(normalizer, &DetectConfig::default(), [of_topic], read_at);
    for (offset, payload) in (0..).zip(lines) {
        replay.read(&RawLog {
            source: &source,
            topic: &topic,
            partition: 0,
            offset,
            broker_time: read_at,
            payload,
            format: None,
            shipper_id: None,
            shipper_seq: None,
            redriven_from: None,
        });
    }
    let replayed = replay.batch();
    let is_failure = |row: &event::EventRow<'_>| {
        row.outcome.as_deref() == Some("failure")
            && row.observed.as_deref().is_some_and(|observed| observed.contains("auth_by_"))
    };
    let failures = replayed.events.rows().filter(is_failure).count();
    let mut last: BTreeMap<String, Alert> = BTreeMap::new();
    for change in replayed.changes.into_iter().chain(replay.finish()) {
        last.insert(change.alert.alert_id.clone(), change.alert);
    }
    let (lines, rejected) = (replayed.events.len(), replayed.rejects.len());
    Outcome { alerts: last.into_values().collect(), lines, rejected, failures }
}

/// Whether an alert is about this address: it is the entity, part of it, or stands in the evidence.
fn names(alert: &Alert, address: &str) -> bool {
    let canonical = address.parse::<std::net::IpAddr>().map_or(address.to_owned(), |ip| ip.to_string());
    alert.entity.contains(&canonical)
        || alert.evidence.iter().any(|evidence| evidence.src_ip.as_deref() == Some(&*canonical))
}
