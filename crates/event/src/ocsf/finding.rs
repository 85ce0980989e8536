//! A change of an alert as an OCSF detection finding.

use serde_json::{Value, json};

use super::{Object, VERSION, classify, severity};
use crate::alert::Technique;
use crate::{Alert, AlertChange, Change, Evidence, Severity};

const DETECTION_FINDING: i32 = 2004;
/// The versions of ATT&CK whose numbers an alert carries.
const ATTACK: [&str; 2] = ["18.0", "19.1"];

/// The alert after a change, as a Detection Finding of OCSF 1.8.0.
pub fn of_change(change: &AlertChange) -> Value {
    let alert = &change.alert;
    let activity = match change.change {
        Change::Create => 1,
        Change::Update => 2,
        Change::Close => 3,
    };
    let mut object = Object::default();
    classify(&mut object, DETECTION_FINDING, activity);
    severity(&mut object, severity_id(alert.severity));
    let (status_id, status) = if alert.episode_open { (1, "New") } else { (4, "Resolved") };
    object
        .set("time", Some(alert.triggered_at.millis()))
        .set("start_time", Some(alert.first_seen.millis()))
        .set("end_time", Some(alert.last_seen.millis()))
        .set("status_id", Some(status_id))
        .set("status", Some(status))
        .set("is_alert", Some(true))
        .set("confidence_score", Some(alert.confidence))
        .set("confidence_id", Some(confidence_id(alert.confidence)))
        .set("count", Some(alert.count))
        .set("message", Some(alert.title.as_str()))
        .nest("finding_info", finding_info(alert))
        .set("evidences", Some(alert.evidence.iter().map(evidence).collect::<Vec<_>>()))
        .set("resources", Some(json!([{"uid": alert.entity, "type": alert.entity_type}])))
        .set("anomaly_analyses", Some(json!([anomaly(alert)])))
        .set("metadata", Some(metadata(change)))
        .nest("unmapped", unmapped(alert));
    Value::Object(object.0)
}

fn severity_id(severity: Severity) -> i32 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// Thirds: low, medium, high.
fn confidence_id(score: u8) -> i32 {
    match score {
        0..=33 => 1,
        34..=66 => 2,
        _ => 3,
    }
}

fn finding_info(alert: &Alert) -> Object {
    let related: Vec<_> = alert.evidence.iter().map(|evidence| json!({"uid": evidence.event_id})).collect();
    let tags: Vec<_> = [("owasp_api", &alert.owasp_api), ("owasp_event", &alert.owasp_event)]
        .into_iter()
        .filter_map(|(name, value)| Some(json!({"name": name, "value": value.as_ref()?})))
        .collect();
    let mut info = Object::default();
    info.set("uid", Some(alert.alert_id.as_str()))
        .set("title", Some(alert.title.as_str()))
        .set("desc", Some(alert.description.as_str()))
        .set("types", Some(vec![alert.class.as_str()]))
        .set("created_time", Some(alert.triggered_at.millis()))
        .set("first_seen_time", Some(alert.first_seen.millis()))
        .set("last_seen_time", Some(alert.last_seen.millis()))
        .set("analytic", Some(analytic(alert)))
        .set("attacks", Some(alert.techniques.iter().flat_map(attacks).collect::<Vec<_>>()))
        .set("related_events", Some(related))
        .set("related_events_count", Some(alert.count))
        .set("tags", (!tags.is_empty()).then_some(tags));
    info
}

fn analytic(alert: &Alert) -> Value {
    json!({
        "uid": alert.detector, "name": alert.class, "version": alert.rule_version,
        "type_id": 2, "type": "Behavioral", "state_id": 1, "state": "Active",
    })
}

/// A technique in both numberings; a sub-technique is named beneath its technique.
fn attacks(technique: &Technique) -> impl Iterator<Item = Value> {
    let numbered = |(version, id): (&str, &str)| {
        let named = json!({"uid": id, "name": technique.name});
        match id.split_once('.') {
            Some((parent, _)) => {
                json!({"version": version, "technique": {"uid": parent}, "sub_technique": named})
            }
            None => json!({"version": version, "technique": named}),
        }
    };
    let ids = [technique.v18.as_str(), technique.v19.as_str()];
    ATTACK.into_iter().zip(ids).map(numbered).collect::<Vec<_>>().into_iter()
}

fn evidence(evidence: &Evidence) -> Value {
    let mut object = Object::default();
    let mut source = Object::default();
    source.set("ip", evidence.src_ip.as_deref());
    let mut user = Object::default();
    user.set("uid", evidence.user_ref.as_deref());
    let mut api = Object::default();
    api.set("operation", evidence.route.as_deref());
    let position = &evidence.position;
    let mut data = json!({
        "event_id": evidence.event_id, "what": evidence.what, "time": evidence.time.to_rfc3339(),
        "kafka": format!("{}/{}@{}", position.topic, position.partition, position.offset),
    });
    if let Some(key) = &evidence.api_key {
        data["api_key"] = json!(key);
    }
    object.nest("src_endpoint", source).nest("user", user).nest("api", api).set("data", Some(data));
    Value::Object(object.0)
}

/// What was seen, and what is usual.
fn anomaly(alert: &Alert) -> Value {
    let parameter = alert.class.as_str();
    let observation = |value: f64| json!({"observation_parameter": parameter, "observations": [{"value": value.to_string()}]});
    let mut analysis = Object::default();
    analysis
        .set("analysis_targets", Some(json!([{"name": alert.entity, "type": alert.entity_type}])))
        .set("anomalies", Some(vec![observation(alert.observed)]))
        .set("baselines", alert.baseline.map(|baseline| vec![observation(baseline)]));
    Value::Object(analysis.0)
}

fn metadata(change: &AlertChange) -> Value {
    let AlertChange { alert, revision, .. } = change;
    json!({
        "version": VERSION,
        "uid": format!("{}-{revision}", alert.alert_id),
        "correlation_uid": alert.dedup_key,
        "tenant_uid": alert.tenant.as_str(),
        "sequence": revision,
        "processed_time": alert.ingested_at.millis(),
        "profiles": ["security_control"],
        "product": {"name": "Watchfire", "vendor_name": "Watchfire", "version": env!("CARGO_PKG_VERSION")},
    })
}

fn unmapped(alert: &Alert) -> Object {
    let mut object = Object::default();
    object
        .set("threshold", Some(alert.threshold))
        .set("page", Some(alert.page))
        .set("episode_open", Some(alert.episode_open))
        .set("late", alert.late.then_some(true))
        .set("approx", alert.approx.then_some(true))
        .set("query_sql", Some(alert.query_sql.as_str()))
        .set("parameters", serde_json::to_value(&alert.parameters).ok())
        .set("details", serde_json::to_value(&alert.details).ok());
    object
}
