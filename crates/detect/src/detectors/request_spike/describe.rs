//! Puts a spike into words, and says what it is made of.

use std::collections::BTreeMap;

use event::Alert;
use serde_json::json;

use super::minute::{Endpoint, MINUTE_MS, NAME_BYTES_MAX, OTHER_ROUTES};
use super::series::Spike;
use super::{CLASSES, NAME, Setting};
use crate::class::{self, parameters};
use crate::text::{self, word};

const FAMILY: &str = "traffic.spike";

/// Whose spike it is.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) endpoint: Option<&'a Endpoint>,
    pub(super) setting: Setting<'a>,
}

/// The alert of a spike.
pub(super) fn describe(spike: &Spike, subject: Subject<'_>) -> Alert {
    let setting = subject.setting;
    let entity = entity(subject);
    let label = spike.id.label();
    let identity = class::Subject {
        detector: NAME,
        tenant: setting.tenant,
        family: FAMILY,
        entity_type: if subject.endpoint.is_some() { "endpoint" } else { "partner" },
        entity: &entity,
        episode: Some(&label),
    };
    let info = &CLASSES[usize::from(spike.is_flood)];
    let mut alert = identity.alert(info, spike.severity());
    let times = spike.peak as f64 / spike.peak_excess.baseline.max(1.0);
    let whose = if subject.endpoint.is_some() { word(&entity) } else { "all endpoints".to_owned() };
    let kind = if spike.is_flood { "flood" } else { "spike" };
    alert.title = format!(
        "{}: {kind} of requests on {whose}, {} a minute ({times:.1} times the usual)",
        setting.tenant, spike.peak
    );
    alert.description = format!(
        "{} requests in {} bad minutes, at most {} a minute where {:.0} are usual. {} {}",
        spike.requests,
        spike.minutes,
        spike.peak,
        spike.peak_excess.baseline,
        made_of(spike),
        advice(spike),
    );
    alert.confidence = if spike.is_flood { 90 } else { 75 };
    alert.triggered_at = spike.start;
    alert.ingested_at = spike.ingested_at;
    alert.first_seen = spike.first_minute;
    alert.last_seen = spike.last_minute;
    alert.count = spike.requests;
    alert.observed = spike.peak as f64;
    alert.threshold = spike.peak_excess.threshold;
    alert.baseline = Some(spike.peak_excess.baseline);
    alert.parameters = parameters(setting.config);
    alert.details = details(spike, subject);
    alert.evidence = spike.tally.evidence();
    alert.query_sql = query_sql(spike, subject);
    alert
}

/// `POST /v1/sessions`, with the partner in front where the payload names another than the tenant.
fn entity(subject: Subject<'_>) -> String {
    let tenant = subject.setting.tenant.as_str();
    match subject.endpoint {
        None => tenant.to_owned(),
        Some(endpoint) if endpoint.partner.is_empty() || &*endpoint.partner == tenant => {
            endpoint.route.to_string()
        }
        Some(endpoint) => format!("{} {}", endpoint.partner, endpoint.route),
    }
}

fn made_of(spike: &Spike) -> String {
    let mut said = Vec::new();
    if let Some((route, share)) = largest(&spike.excess_by_route, spike.excess) {
        said.push(format!("{share:.0} % of the excess is on {}", word(route)));
    }
    if let Some((status, share)) = largest(&spike.excess_by_status, spike.excess) {
        said.push(format!("{share:.0} % of it was answered {}", status_said(*status)));
    }
    if said.is_empty() { String::new() } else { format!("{}.", said.join(", ")) }
}

fn status_said(status: i32) -> String {
    match status {
        200 | 300 | 400 | 500 => format!("{}xx", status / 100),
        other => other.to_string(),
    }
}

fn largest<K: Ord>(excess: &BTreeMap<K, f64>, total: f64) -> Option<(&K, f64)> {
    let (key, excess) = excess.iter().max_by(|a, b| a.1.total_cmp(b.1))?;
    (total > 0.0).then(|| (key, (100.0 * excess / total).clamp(0.0, 100.0)))
}

fn advice(spike: &Spike) -> &'static str {
    if spike.severity() == event::Severity::High {
        "Find who sends it and limit it; refused requests in such numbers are an attack or a broken client."
    } else {
        "Ask the partner whether this was planned; else limit whoever sends it."
    }
}

fn details(spike: &Spike, subject: Subject<'_>) -> BTreeMap<String, serde_json::Value> {
    let by_status: BTreeMap<String, i64> = spike
        .excess_by_status
        .iter()
        .map(|(status, excess)| (status_said(*status), excess.round() as i64))
        .collect();
    let mut routes: Vec<_> = spike.excess_by_route.iter().collect();
    routes.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
    let by_route: Vec<_> = routes
        .into_iter()
        .take(3)
        .map(|(route, excess)| json!({"route": word(route), "excess": excess.round() as i64}))
        .collect();
    BTreeMap::from([
        ("bad_minutes".to_owned(), json!(spike.minutes)),
        ("excess".to_owned(), json!(spike.excess.round() as i64)),
        ("excess_by_status".to_owned(), json!(by_status)),
        ("excess_by_route".to_owned(), json!(by_route)),
        ("senders_sql".to_owned(), json!(senders_sql(spike, subject))),
    ])
}

/// The requests by minute, as they were counted.
fn query_sql(spike: &Spike, subject: Subject<'_>) -> String {
    format!(
        "SELECT date_trunc('minute', time) AS minute, route, status, count(*) AS requests FROM events \
         WHERE {} GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC",
        condition(spike, subject),
    )
}

/// Who sent most of them.
fn senders_sql(spike: &Spike, subject: Subject<'_>) -> String {
    format!(
        "SELECT src_ip, coalesce(api_key_id, api_key_fp) AS api_key, user_ref, count(*) AS requests \
         FROM events WHERE {} GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 20",
        condition(spike, subject),
    )
}

fn condition(spike: &Spike, subject: Subject<'_>) -> String {
    let is = |column: &str, value: &str| {
        if value.len() + 4 > NAME_BYTES_MAX {
            return format!(" AND starts_with({column}, {})", text::sql(value));
        }
        format!(" AND {column} = {}", text::sql(value))
    };
    let mut endpoint = String::from(" AND route IS NOT NULL");
    if let Some(Endpoint { partner, route }) = subject.endpoint {
        endpoint.push_str(&is("coalesce(partner_id, '')", partner));
        if &**route != OTHER_ROUTES {
            endpoint.push_str(&is("route", route));
        }
    }
    format!(
        "tenant = {} AND time >= TIMESTAMP '{}' AND time < TIMESTAMP '{}'{endpoint}",
        text::sql(subject.setting.tenant.as_str()),
        spike.first_minute,
        spike.last_minute + MINUTE_MS,
    )
}
