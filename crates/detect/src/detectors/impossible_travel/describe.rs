//! What was found, in words that a person can act on.

use std::collections::BTreeMap;

use event::{Alert, EventTime, Severity};
use serde_json::{Value, json};

use super::config::ImpossibleTravelConfig;
use super::user::{Day, Use};
use super::{NAME, TRAVEL};
use crate::class::{Subject, evidence_sql, parameters};
use crate::episode::EpisodeId;
use crate::keyed::Key;
use crate::text::{self, word};

/// How bad it is.
pub(super) fn severity(day: &Day) -> Severity {
    if day.is_real { TRAVEL.severity } else { Severity::Low }
}

/// The alert of a user's day.
pub(super) fn alert(
    key: &Key,
    start: EventTime,
    day: &Day,
    is_open: bool,
    config: &ImpossibleTravelConfig,
) -> Alert {
    let label = EpisodeId { cell: start, ordinal: 0 }.label();
    let subject = Subject {
        detector: NAME,
        tenant: &key.tenant,
        family: TRAVEL.class,
        entity_type: "user",
        entity: &key.name,
        episode: Some(&label),
    };
    let (journey, user) = (&day.journey, word(&key.name));
    let (km, within) = (format!("{:.0} km", journey.km), text::duration(journey.ms));
    let networks_known = [&journey.from, &journey.to].iter().all(|end| end.place.asn.is_some());
    let mut alert = subject.alert(&TRAVEL, severity(day));
    alert.title = format!("{}: user {user} was {km} away within {within}", key.tenant);
    alert.description = format!(
        "User {user} was let in from {} and, {within} later, from {}: {km}, which would take {:.0} km/h. {} Ask the user \
         by another way than the one that was used; if it was not them, end all their sessions and have their \
         credentials changed. A VPN, or a database that is wrong about an address, looks the same.",
        said(&journey.from),
        said(&journey.to),
        journey.kmh(),
        match networks_known {
            true => "Neither network is known to let others out.",
            false => "Whether either network belongs to a VPN or a hosting company is not known.",
        },
    );
    alert.confidence = if networks_known { 60 } else { 40 };
    alert.first_seen = day.tally.first_seen().unwrap_or(start);
    alert.last_seen = day.tally.last_seen().unwrap_or(start);
    alert.triggered_at = alert.first_seen;
    alert.ingested_at = day.ingested_at;
    alert.count = day.tally.count;
    (alert.observed, alert.threshold) = (journey.kmh().round(), config.speed_kmh);
    alert.parameters = parameters(config);
    alert.details = BTreeMap::from([
        ("from".to_owned(), end(&journey.from)),
        ("to".to_owned(), end(&journey.to)),
        ("km".to_owned(), json!(journey.km.round())),
        ("minutes".to_owned(), json!(journey.ms / 60_000)),
        ("journeys".to_owned(), json!(day.journeys)),
        ("networks_known".to_owned(), json!(networks_known)),
        ("only_sandbox".to_owned(), json!(!day.is_real)),
    ]);
    alert.evidence = day.tally.evidence();
    let of_user = match key.cut_prefix() {
        Some(prefix) => format!("starts_with(user_ref, {})", text::sql(prefix)),
        None => format!("user_ref = {}", text::sql(&key.name)),
    };
    let condition = format!("{of_user} AND outcome = 'success' AND src_lat IS NOT NULL");
    alert.query_sql = evidence_sql(&key.tenant, alert.first_seen, alert.last_seen, &condition);
    alert.episode_open = is_open;
    alert.late = day.late;
    alert
}

/// `203.0.113.9 (DE)`.
fn said(end: &Use) -> String {
    let address = end.witness.src_ip.as_deref().unwrap_or("an address that is not known");
    match &end.place.country {
        Some(country) => format!("{address} ({})", word(country)),
        None => address.to_owned(),
    }
}

fn end(end: &Use) -> Value {
    json!({
        "time": end.witness.time.to_rfc3339(),
        "country": end.place.country,
        "asn": end.place.asn,
        "lat": end.place.lat,
        "lon": end.place.lon,
    })
}
