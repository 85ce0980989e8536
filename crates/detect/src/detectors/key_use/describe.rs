//! What was found, in words that a person can act on.

use std::collections::BTreeMap;

use event::{Alert, EventTime, Severity};
use serde_json::json;

use super::NAME;
use super::classes::Class;
use super::config::KeyUseConfig;
use super::finding::Finding;
use super::place::PlaceName;
use crate::class::{Subject, evidence_sql, parameters};
use crate::episode::{CELL_MS, EpisodeId};
use crate::keyed::Key;
use crate::text::{self, plural, word};

/// How many uses a finding of a day needs to be told.
pub(super) fn least(class: Class, config: &KeyUseConfig) -> u64 {
    match class {
        Class::UsedInBrowser => config.browser_uses_min,
        _ => 1,
    }
}

/// How bad a finding is.
pub(super) fn severity(class: Class, finding: &Finding, config: &KeyUseConfig) -> Severity {
    match class {
        Class::UsedInBrowser | Class::NewCountry if !finding.is_real => Severity::Low,
        Class::EnvMixup if finding.accepted > 0 => Severity::High,
        Class::RevokedUse if finding.accepted > 0 => Severity::Critical,
        Class::RevokedUse if finding.tally.count >= config.revoked_uses_min => Severity::Medium,
        Class::NewAsn if finding.outside && finding.is_real => Severity::Medium,
        _ => class.info().severity,
    }
}

/// A finding of one day.
pub(super) fn daily(
    key: &Key,
    class: Class,
    day: EventTime,
    finding: &Finding,
    is_open: bool,
    config: &KeyUseConfig,
) -> Alert {
    let label = EpisodeId { cell: day, ordinal: 0 }.label();
    let uses = plural(finding.tally.count, "use");
    let from = match finding.nets.len() as u64 {
        0 => String::new(),
        nets => format!(", from {}", plural(nets, "network")),
    };
    let name = word(&key.name);
    let (title, description) = match class {
        Class::UsedInBrowser => (
            format!("key {name} is used in a browser"),
            format!(
                "{uses} of API key {name} on this day came from a browser{from}. A secret key belongs to a backend; in \
                 a page anybody can read it. Revoke it, issue another, and have the page ask its own backend for \
                 session tokens."
            ),
        ),
        Class::EnvMixup => (
            format!("key {name} is used in the wrong environment"),
            format!(
                "{uses} of API key {name} on this day were made in the other environment than the one that it is of, \
                 {} of them accepted{from}. Have the partner look at its configuration; where such calls are accepted, \
                 the wall between the environments has a hole.",
                finding.accepted
            ),
        ),
        Class::RotationOverlap => (
            format!("key {name} is still used although it was rotated"),
            format!(
                "Another API key came in the place of {name}, and more than {} later {uses} of the old one on this day \
                 were accepted{from}. Some client was forgotten: the addresses say which. Change it, then revoke the old \
                 key; as long as both work, whoever has the old one gets in.",
                text::duration(config.rotation_overlap_ms),
            ),
        ),
        _ if finding.accepted > 0 => (
            format!("key {name} is accepted although it was revoked"),
            format!(
                "API key {name} was revoked, and more than {} later {} of it on this day were accepted{from}. Whoever \
                 holds it still gets in: find out why the revocation did not reach the check, and block the key there.",
                text::duration(config.revoked_grace_ms),
                plural(finding.accepted, "use"),
            ),
        ),
        _ => (
            format!("key {name} is used although it was revoked"),
            format!(
                "{uses} of the revoked API key {name} on this day were refused{from}. Mostly that is a job that was \
                 forgotten when the key was changed; where the address is not the partner's, somebody has the old key."
            ),
        ),
    };
    let threshold = least(class, config) as f64;
    finished(key, class, &label, finding, is_open, config, (title, description, threshold))
}

/// A place that a key was never used from.
pub(super) fn new_place(
    key: &Key,
    place: &PlaceName,
    first: EventTime,
    news: &Finding,
    is_open: bool,
    config: &KeyUseConfig,
) -> Alert {
    let class = place.class();
    let label = format!("{}/{}", EpisodeId { cell: first.floor(CELL_MS), ordinal: 0 }.label(), place.label());
    let name = word(&key.name);
    let (said, outside) = match news.outside {
        true => (place.said(), ", outside of the addresses that the partner declared"),
        false => (place.said(), ""),
    };
    let title = format!("key {name} is used from {said}");
    let description = format!(
        "API key {name} was accepted {} times within a day from {said}{outside}, where it was never used in {} and \
         more. Ask the partner whether it moved or added servers; if not, the key has leaked: revoke it.",
        news.tally.count,
        text::duration(config.history_ms),
    );
    let threshold = config.uses_min as f64;
    let mut alert = finished(key, class, &label, news, is_open, config, (title, description, threshold));
    alert.details.insert("place".to_owned(), json!(place.label()));
    alert.details.insert("outside_egress".to_owned(), json!(news.outside));
    alert
}

fn finished(
    key: &Key,
    class: Class,
    label: &str,
    finding: &Finding,
    is_open: bool,
    config: &KeyUseConfig,
    (title, description, threshold): (String, String, f64),
) -> Alert {
    let subject = Subject {
        detector: NAME,
        tenant: &key.tenant,
        family: class.info().class,
        entity_type: "api_key",
        entity: &key.name,
        episode: Some(label),
    };
    let mut alert = subject.alert(class.info(), severity(class, finding, config));
    alert.title = format!("{}: {title}", key.tenant);
    alert.description = description;
    if let Some(first) = &finding.first {
        alert.triggered_at = first.time;
        alert.first_seen = finding.tally.first_seen().unwrap_or(first.time);
        alert.last_seen = finding.tally.last_seen().unwrap_or(first.time);
    }
    alert.ingested_at = finding.ingested_at;
    alert.count = finding.tally.count;
    alert.observed = finding.tally.count as f64;
    alert.threshold = threshold;
    alert.parameters = parameters(config);
    let names = |names: &std::collections::BTreeSet<Box<str>>| -> Vec<String> {
        names.iter().take(10).map(|name| word(name)).collect()
    };
    alert.details = BTreeMap::from([
        ("accepted".to_owned(), json!(finding.accepted)),
        ("networks".to_owned(), json!(names(&finding.nets))),
        ("agents".to_owned(), json!(names(&finding.agents))),
        ("only_sandbox".to_owned(), json!(!finding.is_real)),
    ]);
    alert.evidence = finding.tally.evidence();
    let condition = format!("coalesce(api_key_id, api_key_fp) = {}", text::sql(&key.name));
    alert.query_sql = evidence_sql(&key.tenant, alert.first_seen, alert.last_seen, &condition);
    alert.episode_open = is_open;
    alert.late = finding.late;
    alert
}
