//! An alert: what on-call and analysts are told, and how it changes over its episode.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EventTime, Position, Tenant};

/// How bad. The order is the order of badness; within an episode it only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record; never notified.
    Info,
    /// Worth a look some day.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth waking somebody.
    High,
    /// Worth waking everybody.
    Critical,
}

impl Severity {
    /// OCSF `severity_id`: 1 informational to 5 critical.
    pub const fn id(self) -> i32 {
        self as i32 + 1
    }

    /// Lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of a lower-case name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|s| s.as_str() == name)
    }
}

/// What happened to an alert; OCSF activity 1, 2, 3 of Detection Finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// The episode opened.
    Create,
    /// Counts, evidence or severity changed.
    Update,
    /// The episode ended.
    Close,
}

impl Change {
    /// Lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Close => "close",
        }
    }
}

/// One event that an alert rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// When it happened.
    pub time: EventTime,
    /// The event's id in the `events` table.
    pub event_id: String,
    /// Where its raw log stands in Kafka.
    pub position: Position,
    /// What the event was, e.g. `session_token.redeemed success`.
    pub what: String,
    /// The address it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_ip: Option<String>,
    /// The user it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_ref: Option<String>,
    /// The API key it was made with: its id, or its fingerprint where only the raw key was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<String>,
    /// The endpoint it called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

/// One MITRE ATT&CK technique in both numberings in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Technique {
    /// Id in ATT&CK v18.
    pub v18: String,
    /// Id in ATT&CK v19.
    pub v19: String,
    /// Name.
    pub name: String,
}

/// The state of an alert after a change. Every change carries the whole state, so the newest
/// is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Deterministic: a hash of detector, dedup key and episode start.
    pub alert_id: String,
    /// `tenant/class/entity/episode start`; what receivers de-duplicate by. At most 255 bytes.
    pub dedup_key: String,
    /// Which detector, e.g. `token_reuse`.
    pub detector: String,
    /// Which of its classes, e.g. `token.reuse.other_origin`.
    pub class: String,
    /// Which rule has made it: the detector's version, which changes when its meaning does, that of its file
    /// of rules, and a hash of the parameters, as in `1.0.0+2.3f9a1c0b5d7e8246`.
    pub rule_version: String,
    /// One line for a phone's screen; no secrets, no raw payload.
    pub title: String,
    /// A sentence or two that a person can act on.
    pub description: String,
    /// Whose alert it is.
    pub tenant: Tenant,
    /// What kind of thing the alert is about: `token`, `user`, `address`, `endpoint`, ...
    pub entity_type: String,
    /// Which one.
    pub entity: String,
    /// How bad; only rises.
    pub severity: Severity,
    /// Whether on-call should be woken: severity high or above and the class pages.
    pub page: bool,
    /// 0 to 100.
    pub confidence: u8,
    /// Event time at which the rule was first met.
    pub triggered_at: EventTime,
    /// Broker time of the raw log that met it first: where detection latency starts.
    pub ingested_at: EventTime,
    /// Event time of the first event that counts.
    pub first_seen: EventTime,
    /// Event time of the last event that counts.
    pub last_seen: EventTime,
    /// How many events count.
    pub count: u64,
    /// What was measured, in the threshold's unit.
    pub observed: f64,
    /// What it was held against.
    pub threshold: f64,
    /// What would have been usual, where a baseline is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// The parameters in force, by name.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// What else explains it: counts by reason, contributors, distances.
    #[serde(default)]
    pub details: BTreeMap<String, serde_json::Value>,
    /// ATT&CK techniques.
    pub techniques: Vec<Technique>,
    /// OWASP API Security Top 10 (2023), e.g. `API2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owasp_api: Option<String>,
    /// Name in the OWASP logging vocabulary, e.g. `authn_token_reuse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owasp_event: Option<String>,
    /// Up to ten events it rests on, in order of event time.
    pub evidence: Vec<Evidence>,
    /// SQL that reproduces the evidence.
    pub query_sql: String,
    /// Whether the episode is still open.
    pub episode_open: bool,
    /// Whether it rests on events that came after their watermark.
    #[serde(default)]
    pub late: bool,
    /// Whether counts are approximate because a state budget was reached.
    #[serde(default)]
    pub approx: bool,
}

/// One change of one alert: what `watchfire.alerts` carries, one JSON object a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertChange {
    /// What happened.
    pub change: Change,
    /// Counts the changes of one alert from 0. `(alert_id, revision)` is unique.
    pub revision: u32,
    /// The alert's state after it.
    pub alert: Alert,
}
