//! PagerDuty Events API v2: the request's body.

use event::ids::tagged;
use event::{Alert, Severity};
use serde_json::{Map, Value, json};
use url::Url;

use super::message::{Message, alert_url};
use crate::policy::NoticeKind;
use crate::text::{clean, shorten};

/// Where events go if the operator says nothing else.
pub(crate) const BASE_URL: &str = "https://events.pagerduty.com";

const DEDUP_KEY_MAX: usize = 255;
const SUMMARY_CHARS_MAX: usize = 1_024;
const EVENT_BYTES_MAX: usize = 512 * 1024;

/// The event as it goes over the wire.
pub(crate) fn event(message: &Message, routing_key: &str, public_url: Option<&Url>) -> Vec<u8> {
    let alert = &message.alert.alert;
    let action = match message.kind {
        NoticeKind::Opened | NoticeKind::Raised | NoticeKind::Updated => "trigger",
        NoticeKind::Acknowledged => "acknowledge",
        NoticeKind::Closed => "resolve",
    };
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": dedup_key(&alert.dedup_key),
    });
    if action != "trigger" {
        return bytes(&event);
    }
    let url = alert_url(public_url, &alert.alert_id);
    event["client"] = json!("watchfire");
    event["payload"] = payload(message);
    event["images"] = json!([]);
    event["links"] = json!([]);
    if let Some(url) = url {
        event["client_url"] = json!(url);
        event["links"] = json!([{"href": url, "text": "Open alert"}]);
    }
    let whole = bytes(&event);
    if whole.len() <= EVENT_BYTES_MAX {
        return whole;
    }
    event["payload"]["custom_details"] = json!({"omitted": "the details are larger than PagerDuty takes; see the alert itself", "alert_id": alert.alert_id});
    bytes(&event)
}

fn payload(message: &Message) -> Value {
    let alert = &message.alert.alert;
    let summary = format!("[{}] {}: {}", label(alert.severity), alert.tenant, clean(&alert.title));
    json!({
        "summary": shorten(&summary, SUMMARY_CHARS_MAX),
        "source": alert.tenant.as_str(),
        "severity": severity(alert.severity),
        "timestamp": alert.triggered_at.to_rfc3339(),
        "component": clean(&alert.entity_type),
        "group": alert.tenant.as_str(),
        "class": clean(&alert.class),
        "custom_details": details(alert, message),
    })
}

/// The detector's own details at the top, where a phone shows them, then what every alert has.
fn details(alert: &Alert, message: &Message) -> Value {
    let mut details: Map<String, Value> =
        alert.details.iter().map(|(name, value)| (clean(name), cleaned(value))).collect();
    let ours = json!({
        "alert_id": alert.alert_id,
        "description": clean(&alert.description),
        "entity": clean(&alert.entity),
        "detector": format!("{} {}", alert.detector, alert.rule_version),
        "count": alert.count,
        "observed": alert.observed,
        "threshold": alert.threshold,
        "baseline": alert.baseline,
        "confidence": alert.confidence,
        "first_seen": alert.first_seen.to_rfc3339(),
        "last_seen": alert.last_seen.to_rfc3339(),
        "revision": message.alert.revision,
        "techniques": alert.techniques.iter().map(|t| t.v18.clone()).collect::<Vec<_>>(),
        "owasp_api": alert.owasp_api,
        "late": alert.late,
        "approx": alert.approx,
        "evidence": alert.evidence.iter().map(|e| clean(&format!("{} {}", e.time, e.what))).collect::<Vec<_>>(),
        "query_sql": clean(&alert.query_sql),
    });
    if let Value::Object(ours) = ours {
        details.extend(ours.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Value::Object(details)
}

fn cleaned(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => items.iter().map(cleaned).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (clean(name), cleaned(value))).collect())
        }
        other => other.clone(),
    }
}

/// Theirs may have 255 characters; a longer one of ours is told by its hash.
fn dedup_key(ours: &str) -> String {
    let clean = clean(ours);
    if clean.len() <= DEDUP_KEY_MAX && clean == ours { clean } else { tagged("wf_", &[ours.as_bytes()]) }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
        Severity::Info => "Info",
    }
}

fn bytes(event: &Value) -> Vec<u8> {
    event.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
