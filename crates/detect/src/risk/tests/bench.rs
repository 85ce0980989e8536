//! Alerts in a line each, and risk under test.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Alert, AlertChange, Change, EventTime, Evidence, Position, Severity, Tenant};

use crate::class::technique;
use crate::risk::Risk;
use crate::risk::classes::ENTITY;
use crate::testing::MONDAY;
use crate::{DetectConfig, stable};

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A change of an alert, as `09:00 key_use T1078 medium api_key=k1 src_ip=203.0.113.9 [id=a] [day=1] [tenant=prt_globex]`.
pub(super) fn change(line: &str) -> AlertChange {
    let words: Vec<&str> = line.split_whitespace().collect();
    let said: BTreeMap<&str, &str> = words[4..].iter().map(|word| word.split_once('=').unwrap()).collect();
    let owned = |name: &str| said.get(name).map(|value| (*value).to_owned());
    let (hour, minute) = words[0].split_once(':').unwrap();
    let day: i64 = said.get("day").map_or(0, |day| day.parse().unwrap());
    let at = MONDAY
        + day * 24 * HOUR_MS
        + hour.parse::<i64>().unwrap() * HOUR_MS
        + minute.parse::<i64>().unwrap() * MINUTE_MS;
    let tenant = Tenant::parse(said.get("tenant").copied().unwrap_or("prt_acme")).unwrap();
    let id = owned("id").unwrap_or_else(|| format!("alr_{:016x}", stable::hash(&[line])));
    let offset = (stable::hash(&[&id]) % 1_000) as i64;
    let position = Position { topic: Arc::from("logs.prt_acme.api"), partition: 0, offset, line: 0 };
    let seen = Evidence {
        time: at,
        event_id: String::from("evt"),
        position,
        what: "api.request success".to_owned(),
        src_ip: owned("src_ip"),
        user_ref: owned("user"),
        api_key: owned("api_key"),
        route: None,
    };
    let subject = crate::class::Subject {
        detector: "key_use",
        tenant: &tenant,
        family: "f",
        entity_type: "feed",
        entity: "x",
        episode: None,
    };
    let severity = Severity::parse(words[3]).unwrap();
    let alert = Alert {
        alert_id: id,
        detector: words[1].to_owned(),
        class: format!("{}.class", words[1]),
        triggered_at: at,
        ingested_at: at + 100,
        first_seen: at,
        last_seen: at,
        techniques: technique(words[2]).into_iter().collect(),
        evidence: vec![seen],
        ..subject.alert(&ENTITY, severity)
    };
    AlertChange { change: Change::Create, revision: 0, alert }
}

pub(super) fn changes(text: &str) -> Vec<AlertChange> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(change).collect()
}

/// Risk under test, with what it has said. The topic's clock goes on a second with each record.
pub(super) struct Bench {
    pub(super) risk: Risk,
    pub(super) said: Vec<AlertChange>,
    pub(super) now: EventTime,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { risk: Risk::new(&DetectConfig::default()), said: Vec::new(), now: MONDAY }
    }

    pub(super) fn read(&mut self, change: &AlertChange) {
        self.now = self.now + 1_000;
        self.said.extend(self.risk.on_change(change, self.now));
    }

    pub(super) fn wait(&mut self, ms: i64) {
        self.now = self.now + ms;
        self.said.extend(self.risk.on_time(self.now));
    }

    pub(super) fn restart(&mut self) {
        let snapshot = self.risk.snapshot();
        self.risk = Risk::new(&DetectConfig::default());
        self.risk.restore(&snapshot).unwrap();
        assert_eq!(self.risk.snapshot(), snapshot, "a snapshot of what was restored is the same");
    }

    /// The last state of each alert.
    pub(super) fn alerts(&self) -> BTreeMap<String, Alert> {
        let mut last: BTreeMap<String, AlertChange> = BTreeMap::new();
        for change in &self.said {
            match last.get(&change.alert.alert_id) {
                None => assert_eq!((change.change, change.revision), (Change::Create, 0)),
                Some(before) => {
                    assert_eq!(change.revision, before.revision + 1);
                    assert!(change.alert.severity >= before.alert.severity, "severity only rises");
                    assert!(before.alert.episode_open, "nothing is said after the close");
                }
            }
            last.insert(change.alert.alert_id.clone(), change.clone());
        }
        last.into_iter().map(|(id, change)| (id, change.alert)).collect()
    }
}

/// What becomes of changes, with what was held back told, and nothing closed yet.
pub(super) fn run(changes: &[AlertChange], restart_every: usize) -> Bench {
    let mut bench = Bench::new();
    for (n, change) in changes.iter().enumerate() {
        bench.read(change);
        if restart_every > 0 && (n + 1) % restart_every == 0 {
            bench.restart();
        }
    }
    bench.wait(2 * MINUTE_MS);
    bench
}
