//! An alert as the API shows it.

use std::collections::BTreeMap;

use alerting::{AlertState, StoredAlert, Verdict};
use chrono::{DateTime, Utc};
use event::alert::Technique;
use event::{Alert, Evidence, Scope, Severity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::moment;

/// How bad, from the least to the worst.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SeverityName {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl From<Severity> for SeverityName {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Low => Self::Low,
            Severity::Medium => Self::Medium,
            Severity::High => Self::High,
            Severity::Critical => Self::Critical,
        }
    }
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Self {
        match name {
            SeverityName::Info => Self::Info,
            SeverityName::Low => Self::Low,
            SeverityName::Medium => Self::Medium,
            SeverityName::High => Self::High,
            SeverityName::Critical => Self::Critical,
        }
    }
}

/// Where an alert is in its life.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StateName {
    Open,
    Acknowledged,
    Closed,
}

impl From<AlertState> for StateName {
    fn from(state: AlertState) -> Self {
        match state {
            AlertState::Open => Self::Open,
            AlertState::Acknowledged => Self::Acknowledged,
            AlertState::Closed => Self::Closed,
        }
    }
}

impl From<StateName> for AlertState {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Open => Self::Open,
            StateName::Acknowledged => Self::Acknowledged,
            StateName::Closed => Self::Closed,
        }
    }
}

/// What a detector says of an episode, in the API's JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct Findings {
    #[schema(example = "alr_2dedb0c9e14eb74b93ba3e8670b03563")]
    alert_id: String,
    /// What receivers de-duplicate by.
    dedup_key: String,
    #[schema(example = "token_reuse")]
    detector: String,
    #[schema(example = "token.reuse.other_origin")]
    class: String,
    /// Which rule has made it: the detector's version, that of its file of rules, and a hash of the parameters.
    #[schema(example = "1.0.0+2.3f9a1c0b5d7e8246")]
    rule_version: String,
    title: String,
    description: String,
    /// The partner whose alert it is.
    #[schema(example = "prt_acme")]
    tenant: String,
    /// What kind of thing it is about: `token`, `user`, `address`, `endpoint`.
    entity_type: String,
    entity: String,
    severity: SeverityName,
    /// Whether on-call is woken.
    page: bool,
    /// 0 to 100.
    confidence: u8,
    /// Event time at which the rule was first met.
    triggered_at: DateTime<Utc>,
    /// When the broker had the log line that met it first.
    ingested_at: DateTime<Utc>,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
    /// How many events count.
    count: u64,
    /// What was measured, in the threshold's unit.
    observed: f64,
    threshold: f64,
    /// What would have been usual, where that is known.
    baseline: Option<f64>,
    /// The detector's parameters in force.
    parameters: BTreeMap<String, Value>,
    /// What else explains it.
    details: BTreeMap<String, Value>,
    techniques: Vec<TechniqueView>,
    /// OWASP API Security Top 10 (2023).
    #[schema(example = "API2")]
    owasp_api: Option<String>,
    owasp_event: Option<String>,
    /// Up to ten events it rests on.
    evidence: Vec<EvidenceView>,
    /// SQL for `/v1/query` that finds the evidence again.
    query_sql: String,
    episode_open: bool,
    /// It rests on events that came after their watermark.
    late: bool,
    /// Counts are approximate: a state budget was reached.
    approx: bool,
}

impl From<Alert> for Findings {
    fn from(alert: Alert) -> Self {
        Self {
            alert_id: alert.alert_id,
            dedup_key: alert.dedup_key,
            detector: alert.detector,
            class: alert.class,
            rule_version: alert.rule_version,
            title: alert.title,
            description: alert.description,
            tenant: alert.tenant.to_string(),
            entity_type: alert.entity_type,
            entity: alert.entity,
            severity: alert.severity.into(),
            page: alert.page,
            confidence: alert.confidence,
            triggered_at: moment(alert.triggered_at),
            ingested_at: moment(alert.ingested_at),
            first_seen: moment(alert.first_seen),
            last_seen: moment(alert.last_seen),
            count: alert.count,
            observed: alert.observed,
            threshold: alert.threshold,
            baseline: alert.baseline,
            parameters: alert.parameters,
            details: alert.details,
            techniques: alert.techniques.into_iter().map(TechniqueView::from).collect(),
            owasp_api: alert.owasp_api,
            owasp_event: alert.owasp_event,
            evidence: alert.evidence.into_iter().map(EvidenceView::from).collect(),
            query_sql: alert.query_sql,
            episode_open: alert.episode_open,
            late: alert.late,
            approx: alert.approx,
        }
    }
}

/// One MITRE ATT&CK technique.
#[derive(Debug, Serialize, ToSchema)]
struct TechniqueView {
    /// Id in ATT&CK v18.
    v18: String,
    /// Id in ATT&CK v19.
    v19: String,
    name: String,
}

impl From<Technique> for TechniqueView {
    fn from(technique: Technique) -> Self {
        Self { v18: technique.v18, v19: technique.v19, name: technique.name }
    }
}

/// One event that an alert rests on.
#[derive(Debug, Serialize, ToSchema)]
struct EvidenceView {
    time: DateTime<Utc>,
    /// The event's id in the `events` table.
    event_id: String,
    /// Where its raw log stands: `topic/partition@offset:line`.
    #[schema(example = "logs.prt_acme.handshake/0@48210:0")]
    position: String,
    #[schema(example = "session_token.redeemed success")]
    what: String,
    src_ip: Option<String>,
    user_ref: Option<String>,
    /// The API key's id, or its fingerprint.
    api_key: Option<String>,
    route: Option<String>,
}

impl From<Evidence> for EvidenceView {
    fn from(evidence: Evidence) -> Self {
        Self {
            time: moment(evidence.time),
            event_id: evidence.event_id,
            position: evidence.position.to_string(),
            what: evidence.what,
            src_ip: evidence.src_ip,
            user_ref: evidence.user_ref,
            api_key: evidence.api_key,
            route: evidence.route,
        }
    }
}

/// An alert: what its detector says, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertView {
    #[serde(flatten)]
    findings: Findings,
    /// Counts the detector's changes from 0.
    revision: u32,
    state: StateName,
    /// When it was first heard of.
    opened_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    /// Who closed it. Only shown to callers that see every partner.
    closed_by: Option<String>,
    verdict: Option<VerdictName>,
    /// Until when nobody is told of it.
    snoozed_until: Option<DateTime<Utc>>,
    /// Its newest change in `/v1/alerts/stream`.
    sequence: i64,
}

impl AlertView {
    /// The alert for a caller of this scope. Who among the platform's people did what is theirs to
    /// know: partners see that an alert was closed, not by whom.
    pub(crate) fn new(stored: StoredAlert, scope: &Scope) -> Self {
        Self {
            findings: stored.alert.into(),
            revision: stored.revision,
            state: stored.state.into(),
            opened_at: stored.opened_at,
            updated_at: stored.updated_at,
            closed_at: stored.closed_at,
            closed_by: stored.closed_by.filter(|_| *scope == Scope::All),
            verdict: stored.verdict.map(VerdictName::from),
            snoozed_until: stored.snoozed_until,
            sequence: stored.sequence,
        }
    }
}

/// What a person found an alert to have been.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VerdictName {
    TruePositive,
    FalsePositive,
    Benign,
}

impl From<Verdict> for VerdictName {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::TruePositive => Self::TruePositive,
            Verdict::FalsePositive => Self::FalsePositive,
            Verdict::Benign => Self::Benign,
        }
    }
}

impl From<VerdictName> for Verdict {
    fn from(name: VerdictName) -> Self {
        match name {
            VerdictName::TruePositive => Self::TruePositive,
            VerdictName::FalsePositive => Self::FalsePositive,
            VerdictName::Benign => Self::Benign,
        }
    }
}
