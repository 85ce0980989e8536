//! A label: what exactly an attack put into the traffic, and what finding would tell it.

use event::{Alert, EventTime};
use serde::{Deserialize, Serialize};

/// One attack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Which kind of attack, e.g. `token_reuse_other_origin`.
    pub attack: String,
    /// Whose logs it is in.
    pub tenant: String,
    /// Which detector should notice.
    pub detector: String,
    /// Which of its classes are right answers.
    pub classes: Vec<String>,
    /// What kind of thing is attacked: `token`, `user`, `api_key`, `address` or `endpoint`.
    pub entity_type: String,
    /// Which one. A token that its partner logs raw is named by its user: a label holds no secret.
    pub entity: String,
    /// The user, where one is attacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_ref: Option<String>,
    /// Event time of the first line that belongs to it.
    pub start: EventTime,
    /// Event time of the last.
    pub end: EventTime,
    /// Where the attack came from.
    pub source_ips: Vec<String>,
    /// How many lines came from there for it.
    pub lines: u64,
}

/// How far an alert's events may lie outside the label's, because counts are kept by the minute.
const SLACK_MS: i64 = 60_000;

impl Label {
    /// Whether this alert tells of this attack: a right class, the same partner and time, and the
    /// same entity or evidence that names it. A request spike is told by its partner alone,
    /// because one alert may take in several endpoints.
    pub fn is_told_by(&self, alert: &Alert) -> bool {
        alert.detector == self.detector && self.classes.contains(&alert.class) && self.is_about(alert)
    }

    /// Whether this alert is about what this attack did, by whatever class.
    pub fn is_about(&self, alert: &Alert) -> bool {
        alert.tenant.as_str() == self.tenant
            && alert.first_seen <= self.end + SLACK_MS
            && alert.last_seen >= self.start - SLACK_MS
            && (self.entity_type == "endpoint" || alert.entity == self.entity || self.is_in_evidence(alert))
    }

    fn is_in_evidence(&self, alert: &Alert) -> bool {
        alert.evidence.iter().any(|seen| {
            seen.src_ip.as_ref().is_some_and(|ip| self.source_ips.contains(ip))
                || (self.user_ref.is_some() && seen.user_ref == self.user_ref)
        })
    }
}
