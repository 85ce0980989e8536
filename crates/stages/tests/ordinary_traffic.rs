//! Hours of ordinary traffic, in which people mistype and scanners and old links come by, as raw lines:
//! nothing is raised on it but what is for the record.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]

use std::collections::BTreeMap;
use std::sync::Arc;

use detect::{Contract, DetectConfig};
use event::{AlertChange, RawLog, Severity};
use normalize::{Fingerprinter, Normalizer, Options, Schemas};
use stages::replay::Replay;
use testkit::traffic::{Attacks, Traffic, TrafficConfig};

const HOUR_MS: i64 = 3_600_000;
/// How many lines make a batch.
const BATCH: usize = 2_000;

/// Every alert in its last state.
fn alerts(config: TrafficConfig) -> Vec<AlertChange> {
    let traffic = Traffic::new(config.clone());
    let contracts = traffic.contracts().into_iter().map(|(tenant, requests_per_minute)| {
        (tenant, Contract { requests_per_minute, ..Contract::default() })
    });
    let detect = DetectConfig { contracts: contracts.collect(), ..DetectConfig::default() };
    let lines: Vec<_> = traffic.collect();
    let fingerprinter = Fingerprinter::new("k1", b"a pepper for the tests").unwrap();
    let options = Options { observation_partitions: 1, ..Options::default() };
    let normalizer = Normalizer::new(Arc::new(Schemas::built_in()), fingerprinter, options);
    let sources = lines.iter().map(|line| format!("{}/0", line.topic.name()));
    let read_at = config.start + config.duration_ms.unwrap() + HOUR_MS;
    let mut replay = Replay::new(normalizer, &detect, sources, read_at);
    let mut changes = Vec::new();
    for (offset, line) in (0..).zip(&lines) {
        replay.read(&RawLog {
            source: &line.topic,
            topic: &line.topic.name().into(),
            partition: 0,
            offset,
            broker_time: line.time + config.disorder_ms_max,
            payload: &line.bytes,
            format: None,
            shipper_id: None,
            shipper_seq: None,
            redriven_from: None,
        });
        if replay.rows() >= BATCH {
            changes.extend(replay.batch().changes);
        }
    }
    changes.extend(replay.finish());
    let last: BTreeMap<_, _> =
        changes.into_iter().map(|change| (change.alert.alert_id.clone(), change)).collect();
    last.into_values().collect()
}

#[test]
fn nothing_is_raised_on_ordinary_traffic() {
    for seed in 1..=2 {
        let config = TrafficConfig {
            seed,
            events_per_second: 10.0,
            duration_ms: Some(HOUR_MS),
            attacks: Attacks::None,
            ..TrafficConfig::default()
        };
        // A Monday morning.
        let start = config.start + 8 * HOUR_MS;
        let raised: Vec<_> = alerts(TrafficConfig { start, ..config })
            .into_iter()
            .filter(|change| change.alert.severity > Severity::Info)
            .map(|change| format!("{} {}", change.alert.class, change.alert.title))
            .collect();
        assert!(raised.is_empty(), "seed {seed}: {raised:#?}");
    }
}
