//! A leak in words that a person can act on.

use std::collections::BTreeMap;

use event::{Alert, Severity};
use serde_json::json;

use super::{EXPOSED, Leak, NAME, parts};
use crate::class::{Subject, evidence_sql};
use crate::episode::EpisodeId;
use crate::keyed::Key;
use crate::text::{self, plural, word};

/// How many secrets an alert names.
const NAMED_MAX: usize = 10;

/// Kinds whose loss is worst: whoever has one is the partner.
const WORST: [&str; 4] = ["api_key", "webhook_secret", "secret", "authorization"];

/// A kind of secret as people call it.
pub(super) fn said(kind: &str) -> String {
    match kind {
        "api_key" => "an API key".to_owned(),
        "jwt" => "a JWT".to_owned(),
        "authorization" => "an authorization header".to_owned(),
        other => format!("a {}", other.replace('_', " ")),
    }
}

/// What may be done about it.
fn cure(kind: &str) -> &'static str {
    match kind {
        "password" => "Have the password changed",
        "session_token" | "session_id" | "jwt" => "End the sessions that are still valid",
        _ => "Revoke what leaked and issue another",
    }
}

/// How bad a leak is.
pub(super) fn severity(key: &Key, leak: &Leak) -> Severity {
    let is_of_worst = parts(key).is_some_and(|(_, kind, _)| WORST.contains(&kind));
    match (leak.is_real, is_of_worst) {
        (false, _) => Severity::Low,
        (true, true) => Severity::High,
        (true, false) => EXPOSED.severity,
    }
}

/// The alert of a leak.
pub(super) fn describe(key: &Key, leak: &Leak, is_open: bool) -> Option<Alert> {
    let (topic, kind, place) = parts(key)?;
    let first = leak.first.as_ref()?;
    let day = EpisodeId { cell: leak.day, ordinal: 0 }.label();
    let entity = format!("{topic} {kind} {place}");
    let subject = Subject {
        detector: NAME,
        tenant: &key.tenant,
        family: EXPOSED.class,
        entity_type: "feed",
        entity: &entity,
        episode: Some(&day),
    };
    let mut alert = subject.alert(&EXPOSED, severity(key, leak));
    let (what, feed) = (said(kind), word(topic));
    alert.title = format!("{}: {what} in {place} of {feed}", key.tenant);
    let secrets = match leak.secrets.len() as u64 {
        0 => String::new(),
        _ if leak.has_more_secrets => ", more different ones than are counted".to_owned(),
        count => format!(", {count} different"),
    };
    alert.description = format!(
        "{} of this day held {what} in {place}{secrets}. It was taken out before anything was stored, but whoever \
         else reads these logs, or stood on the way, has it. {}, and stop writing it there.",
        plural(leak.tally.count, "line"),
        cure(kind),
    );
    alert.triggered_at = first.time;
    alert.ingested_at = leak.ingested_at;
    alert.first_seen = leak.tally.first_seen().unwrap_or(first.time);
    alert.last_seen = leak.tally.last_seen().unwrap_or(first.time);
    alert.count = leak.tally.count;
    alert.observed = leak.tally.count as f64;
    alert.threshold = 1.0;
    let named: Vec<&str> = leak.secrets.iter().take(NAMED_MAX).map(|secret| &**secret).collect();
    alert.details = BTreeMap::from([
        ("topic".to_owned(), json!(topic)),
        ("kind".to_owned(), json!(kind)),
        ("place".to_owned(), json!(place)),
        ("secrets".to_owned(), json!(named)),
        ("only_sandbox".to_owned(), json!(!leak.is_real)),
    ]);
    alert.evidence = leak.tally.evidence();
    // `redactions` names a field within `unmapped` by its own name.
    let condition = format!(
        "kafka_topic = {} AND array_to_string(redactions, ' ') LIKE {}",
        text::sql(topic),
        text::sql(&format!("%{kind}:%")),
    );
    alert.query_sql = evidence_sql(&key.tenant, alert.first_seen, alert.last_seen, &condition);
    alert.episode_open = is_open;
    alert.late = leak.late;
    alert.approx = leak.seen.is_partial();
    Some(alert)
}
