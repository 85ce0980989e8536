//! An alert as the control plane keeps it: the detector's words and what became of them.

use chrono::{DateTime, Utc};
use event::{Alert, AlertChange};
use serde::{Deserialize, Serialize};

/// Where an alert is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Nobody has taken it up yet.
    Open,
    /// Somebody is at it.
    Acknowledged,
    /// The episode ended, or a person closed it.
    Closed,
}

impl AlertState {
    /// Lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }

    /// The state of a lower-case name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Open, Self::Acknowledged, Self::Closed].into_iter().find(|s| s.as_str() == name)
    }
}

/// What a person found an alert to have been; a detector's precision is counted from these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was what the alert said.
    TruePositive,
    /// It was not.
    FalsePositive,
    /// It was, and it was allowed: a test, a migration.
    Benign,
}

impl Verdict {
    /// Snake-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::FalsePositive => "false_positive",
            Self::Benign => "benign",
        }
    }

    /// The verdict of a snake-case name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::TruePositive, Self::FalsePositive, Self::Benign].into_iter().find(|v| v.as_str() == name)
    }
}

/// One alert as it stands. Serializes flat: the alert's own fields, then these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredAlert {
    /// What the detector said last; its severity is the highest of all its revisions.
    #[serde(flatten)]
    pub alert: Alert,
    /// The newest revision that was applied.
    pub revision: u32,
    /// Where it is in its life.
    pub state: AlertState,
    /// When we first heard of it.
    pub opened_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was closed, if it is.
    pub closed_at: Option<DateTime<Utc>>,
    /// Who closed it; empty where its episode simply ended.
    pub closed_by: Option<String>,
    /// What the person who closed it found.
    pub verdict: Option<Verdict>,
    /// Until when nobody is told of it, unless it gets worse.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// The number of its newest change in the change log.
    pub sequence: i64,
}

/// One entry of the change log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoggedChange {
    /// Its number; rises by one with each change of any alert.
    pub sequence: i64,
    /// The change as the detector made it. For what a person did: an update, or a close, that
    /// carries the alert as it was, with its newest revision.
    pub change: AlertChange,
    /// When it was applied.
    pub at: DateTime<Utc>,
    /// What a person did, e.g. `acknowledge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Who that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What they had to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the alert was in its life since; `None` for entries of versions that did not keep it.
    pub state: Option<AlertState>,
    /// What the person who closed it had found, while it was closed by one.
    pub verdict: Option<Verdict>,
    /// Until when nobody was to be told of it.
    pub snoozed_until: Option<DateTime<Utc>>,
}
