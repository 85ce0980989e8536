//! Shippers that fall silent or have the wrong time, from raw lines to alerts (acceptance 8 and 23).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]

use std::collections::BTreeMap;
use std::sync::Arc;

use detect::{DetectConfig, Engine};
use event::{Alert, AlertChange, Change, EventTime, LogTopic, RawLog, Severity, SourceProgress, ipc};
use normalize::{Fingerprinter, Normalizer, Options, Schemas};

const STEP_MS: i64 = 10_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Monday, 2026-03-16T08:00:00Z.
const START: EventTime = EventTime(1_773_648_000_000);

/// The feeds of one partner, each with a shipper.
const HANDSHAKE: usize = 0;
const APP: usize = 1;
const EDGE: usize = 2;
const TOPICS: [&str; 3] = ["logs.prt_acme.handshake", "logs.prt_acme.app", "logs.prt_acme.edge"];

struct Line {
    shipper: usize,
    text: String,
}

/// NORMALIZE and DETECT as they are in a running system: a batch every ten seconds, and what is quiet
/// is vouched for.
struct System {
    normalizer: Normalizer,
    engine: Engine,
    topics: Vec<LogTopic>,
    now: EventTime,
    offset: i64,
    changes: Vec<AlertChange>,
}

impl System {
    fn new(topics: &[&str]) -> Self {
        let fingerprinter = Fingerprinter::new("k1", b"a pepper for acceptance tests").unwrap();
        Self {
            normalizer: Normalizer::new(Arc::new(Schemas::built_in()), fingerprinter, Options::default()),
            engine: Engine::new(&DetectConfig::default()),
            topics: topics.iter().map(|topic| LogTopic::parse(topic).unwrap()).collect(),
            now: START,
            offset: 0,
            changes: Vec::new(),
        }
    }

    /// These lines come. A shipper's partition has its number.
    fn step(&mut self, lines: &[Line]) {
        self.now = self.now + STEP_MS;
        for line in lines {
            let topic = &self.topics[line.shipper];
            self.normalizer.normalize(&RawLog {
                source: topic,
                topic: &topic.name().into(),
                partition: line.shipper as i32,
                offset: self.offset,
                broker_time: self.now,
                payload: line.text.as_bytes(),
                format: None,
                shipper_id: Some(["shp_a", "shp_b", "shp_c"][line.shipper]),
                shipper_seq: None,
                redriven_from: None,
            });
            self.offset += 1;
        }
        let normalized = self.normalizer.finish();
        assert!(normalized.rejects.is_empty(), "every line can be read");
        let mut progress = normalized.progress;
        for (shipper, topic) in self.topics.iter().enumerate() {
            let source = format!("{}/{shipper}", topic.name());
            if progress.iter().all(|known| known.source != source) {
                progress.push(SourceProgress::at_end(source));
            }
        }
        let bytes = ipc::encode_observations(&normalized.observations[0], &progress);
        let (observations, progress) = ipc::decode_observations(&bytes).unwrap();
        self.changes.extend(self.engine.on_record(&observations, &progress, self.now));
    }

    fn last(&self) -> BTreeMap<&str, &Alert> {
        self.changes.iter().map(|change| (change.alert.class.as_str(), &change.alert)).collect()
    }

    fn told(&self, class: &str) -> Vec<(Change, Severity)> {
        let of_class = self.changes.iter().filter(|change| change.alert.class == class);
        of_class.map(|change| (change.change, change.alert.severity)).collect()
    }

    fn late(&self, detector: &str) -> u64 {
        let stats = self.engine.stats();
        stats.detectors.iter().find(|stats| stats.name == detector).unwrap().late_total
    }
}

fn token_line(at: EventTime, token: i64, event: &str, outcome: &str, from: &str) -> String {
    let (reason, agent) = match outcome {
        "failure" => (r#","reason":"already_used""#, "iPhone"),
        _ => ("", "Macintosh"),
    };
    format!(
        r#"{{"v":1,"ts":"{at}","env":"production","partner_id":"prt_acme","user_ref":"usr_{token}","token":"{token:064x}","event":"session_token.{event}","outcome":"{outcome}"{reason},"api_key_id":"key_live_1","src_ip":"{from}","user_agent":"Mozilla/5.0 ({agent})"}}"#
    )
}

fn request_line(at: EventTime, n: i64) -> String {
    let stamp = chrono::DateTime::from_timestamp_millis(at.millis()).unwrap().format("%d/%b/%Y:%H:%M:%S %z");
    format!(
        r#"198.51.100.{} - - [{stamp}] "GET /v1/profiles/usr_{n} HTTP/1.1" 200 512 "-" "Mozilla/5.0 (Macintosh)""#,
        n % 200
    )
}

/// What happens in ten seconds: a token is issued and used, and twenty requests are made at each of
/// two places.
fn usual(at: EventTime) -> Vec<Line> {
    let n = at.millis() / STEP_MS;
    let handshake = [("issued", 0), ("redeemed", 2_000)].map(|(event, later)| Line {
        shipper: HANDSHAKE,
        text: token_line(at + later, n, event, "success", "203.0.113.90"),
    });
    let requests =
        |shipper| (0..20).map(move |i| Line { shipper, text: request_line(at + i * 400, n * 20 + i) });
    handshake.into_iter().chain(requests(APP)).chain(requests(EDGE)).collect()
}

#[test]
fn an_outage_of_two_hours_is_told_and_the_attack_in_it_is_found_when_its_lines_come() {
    let mut system = System::new(&TOPICS);
    let (mut kept_back, mut kept_tokens) = (Vec::new(), 0);
    while system.now < START + 5 * HOUR_MS {
        let at = system.now;
        let mut lines = usual(at);
        let since = at - START;
        if since == 3 * HOUR_MS {
            // One token, used from two networks, in the middle of the outage.
            for (later, event, outcome, from) in [
                (0, "issued", "success", "203.0.113.24"),
                (1_300, "redeemed", "success", "203.0.113.90"),
                (8_000, "rejected", "failure", "198.51.100.77"),
            ] {
                let text = token_line(at + later, 7, event, outcome, from);
                lines.push(Line { shipper: HANDSHAKE, text });
            }
        }
        // Two of three shippers can send nothing for two hours; then all at once.
        if (2 * HOUR_MS..4 * HOUR_MS).contains(&since) {
            let (kept, sent): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.shipper != EDGE);
            kept_tokens += kept.iter().filter(|line| line.shipper == HANDSHAKE).count() as u64;
            kept_back.extend(kept);
            lines = sent;
        } else if since >= 4 * HOUR_MS {
            lines.extend(kept_back.drain(..kept_back.len().min(5_000)));
        }
        system.step(&lines);
    }
    assert!(kept_back.is_empty());
    let silent = system.told("source.silent");
    // On the first day nobody is woken: a feed may well rest at that time.
    let [open, closed] = [Change::Create, Change::Close].map(|change| (change, Severity::Medium));
    assert_eq!(silent, [open, open, closed, closed]);
    let outages: Vec<_> = system.changes.iter().filter(|c| c.alert.class == "source.silent").collect();
    assert!(outages[..2].iter().all(|change| change.change == Change::Create));
    let (created, closed) = (&outages[0].alert, &outages[3].alert);
    let (least, most) = (START + 2 * HOUR_MS + 9 * MINUTE_MS, START + 2 * HOUR_MS + 11 * MINUTE_MS);
    assert!((least..most).contains(&created.triggered_at), "{}", created.triggered_at);
    assert!((closed.observed - 7_200.0).abs() < 60.0, "{} s", closed.observed);

    let reuse = system.last()["token.reuse.other_origin"];
    assert!(reuse.late && reuse.severity >= Severity::High, "{reuse:?}");
    assert_eq!(system.last().keys().collect::<Vec<_>>(), [&"source.silent", &"token.reuse.other_origin"]);

    // What came during the last two minutes of the outage was in time.
    let (in_time, late) = (12 * 2 + 4, system.late("token_reuse"));
    assert!((kept_tokens - in_time..=kept_tokens).contains(&late), "{late} of {kept_tokens} are late");
    assert!(system.late("request_spike") > 100);
}

#[test]
fn a_shipper_whose_clock_is_ahead_is_told_and_makes_no_other_late() {
    for ahead_ms in [240_000, 600_000] {
        let topic = TOPICS[HANDSHAKE];
        let mut system = System::new(&[topic, topic]);
        while system.now < START + HOUR_MS {
            let (at, n) = (system.now, system.now.millis() / STEP_MS * 100);
            let lines: Vec<_> = (0..10)
                .flat_map(|i| {
                    let line = |shipper: usize, at, token| Line {
                        shipper,
                        text: token_line(at, token, "issued", "success", "203.0.113.24"),
                    };
                    [line(0, at + i * 900, n + i), line(1, at + i * 900 + ahead_ms, n + 50 + i)]
                })
                .collect();
            system.step(&lines);
            let watermark = system.engine.stats().watermark.unwrap();
            assert!(watermark <= at, "the clock that is ahead does not carry event time with it");
        }
        let severity = if ahead_ms > 300_000 { Severity::Medium } else { Severity::Low };
        let told = system.told("source.clock_skew");
        assert_eq!(told.first(), Some(&(Change::Create, severity)), "{ahead_ms} ms: {told:?}");
        let alert = system.last()["source.clock_skew"];
        assert_eq!(alert.entity, format!("{topic} shp_b"));
        assert_eq!(system.last().len(), 1, "the shipper whose clock is right is not named");
        for detector in ["token_reuse", "failed_authentication", "request_spike"] {
            assert_eq!(system.late(detector), 0, "{detector}");
        }
    }
}
