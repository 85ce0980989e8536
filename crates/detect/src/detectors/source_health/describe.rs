//! Puts a silence and a wrong clock into words.

use std::collections::BTreeMap;

use event::{Alert, EventTime, Severity};
use serde_json::json;

use super::clock::Skew;
use super::feed::Silence;
use super::{CLOCK_SKEW, NAME, SILENT, Setting};
use crate::class::{Subject, parameters};
use crate::text::{self, duration, word};

/// Above this a clock is further off than normalization takes at its word.
const FAR_OFF_MS: u64 = 300_000;
/// So much of what came before a silence is part of its evidence.
const BEFORE_MS: i64 = 3_600_000;

/// The alert of a silence.
pub(super) fn silence(silence: &Silence, setting: Setting<'_>) -> Alert {
    let subject = Subject {
        detector: NAME,
        tenant: setting.tenant,
        family: SILENT.class,
        entity_type: "feed",
        entity: setting.topic,
        episode: Some(&silence.label),
    };
    let severity = if silence.is_high { Severity::High } else { SILENT.severity };
    let mut alert = subject.alert(&SILENT, severity);
    let (feed, lasts) = (word(setting.topic), duration(silence.lasts_ms));
    alert.title = match silence.back_at {
        None => format!("{}: nothing comes from {feed}", setting.tenant),
        Some(_) => format!("{}: nothing came from {feed} for {lasts}", setting.tenant),
    };
    alert.description = format!(
        "{} At this time of the week something comes at least every {}. What happened meanwhile is not seen \
         until it is sent after all{}. Look at the shipper, its credentials and its network.",
        match silence.back_at {
            None => format!("Nothing has come for {lasts} or longer."),
            Some(_) => format!("Nothing came for {lasts}; it is back."),
        },
        duration(silence.pause_max_ms),
        if silence.issues_tokens {
            ", and tokens that are issued meanwhile look as if they never were"
        } else {
            ""
        },
    );
    alert.triggered_at = silence.overdue_at;
    alert.ingested_at = silence.overdue_at;
    alert.first_seen = silence.last.time;
    alert.last_seen = silence.back_at.unwrap_or(silence.overdue_at);
    alert.count = 1;
    alert.observed = silence.lasts_ms as f64 / 1_000.0;
    alert.threshold = silence.pause_max_ms as f64 / 1_000.0;
    alert.parameters = parameters(setting.config);
    alert.details = BTreeMap::from([
        ("topic".to_owned(), json!(setting.topic)),
        ("silent_since".to_owned(), json!(silence.last.time.to_rfc3339())),
        ("back_at".to_owned(), json!(silence.back_at.map(EventTime::to_rfc3339))),
        ("issues_tokens".to_owned(), json!(silence.issues_tokens)),
    ]);
    alert.evidence = vec![silence.last.evidence()];
    let condition = format!("kafka_topic = {}", text::sql(setting.topic));
    alert.query_sql = sql(setting, silence.last.time - BEFORE_MS, alert.last_seen, &condition);
    alert.episode_open = silence.back_at.is_none();
    alert
}

/// The alert of a wrong clock.
pub(super) fn skew(skew: &Skew, shipper: &str, setting: Setting<'_>) -> Alert {
    let entity =
        if shipper.is_empty() { setting.topic.to_owned() } else { format!("{} {shipper}", setting.topic) };
    let subject = Subject {
        detector: NAME,
        tenant: setting.tenant,
        family: CLOCK_SKEW.class,
        entity_type: "shipper",
        entity: &entity,
        episode: Some(&skew.label),
    };
    let is_far_off = skew.ahead_ms.unsigned_abs() >= FAR_OFF_MS;
    let severity = if is_far_off { Severity::Medium } else { CLOCK_SKEW.severity };
    let mut alert = subject.alert(&CLOCK_SKEW, severity);
    let (who, off) = (word(&entity), ahead_or_behind(skew.ahead_ms));
    alert.title = format!("{}: the clock of {who} is {off}", setting.tenant);
    let effect = match skew.ahead_ms {
        ..0 => "Its lines count as late, and hold back the windows of this partner.",
        _ if is_far_off => {
            "Lines stamped more than five minutes ahead count as if they had happened when they arrived."
        }
        _ => "The order of its lines among those of others is wrong.",
    };
    alert.description = format!(
        "Compared with their arrival, at least half of its lines are stamped {off}. {effect} Detectors that work in windows \
         (failed_authentication, request_spike, token_reuse) are less sure here. Mend the shipper's time \
         synchronization or the zone of its stamps.",
    );
    alert.triggered_at = skew.from;
    alert.ingested_at = skew.until;
    alert.first_seen = skew.tally.first_seen().unwrap_or(skew.from);
    alert.last_seen = skew.tally.last_seen().unwrap_or(skew.until);
    alert.count = skew.tally.count;
    alert.observed = skew.ahead_ms as f64 / 1_000.0;
    let config = setting.config;
    let threshold_ms = if skew.ahead_ms < 0 { -config.skew_behind_ms } else { config.skew_ahead_ms };
    alert.threshold = threshold_ms as f64 / 1_000.0;
    alert.parameters = parameters(config);
    alert.details = BTreeMap::from([
        ("topic".to_owned(), json!(setting.topic)),
        ("shipper_id".to_owned(), json!(Some(word(shipper)).filter(|name| !name.is_empty()))),
        ("ahead_seconds_min".to_owned(), json!(alert.observed)),
        ("detectors_affected".to_owned(), json!(["failed_authentication", "request_spike", "token_reuse"])),
    ]);
    alert.evidence = skew.tally.evidence();
    let mut condition = format!("kafka_topic = {}", text::sql(setting.topic));
    if !shipper.is_empty() {
        condition += &format!(" AND shipper_id = {}", text::sql(shipper));
    }
    alert.query_sql = sql(setting, skew.from, skew.until, &condition);
    alert.episode_open = !skew.is_over;
    alert
}

/// `10 min ahead`, `3 min behind`.
pub(super) fn ahead_or_behind(ahead_ms: i64) -> String {
    format!("{} {}", duration(ahead_ms.saturating_abs()), if ahead_ms < 0 { "behind" } else { "ahead" })
}

/// What arrived between two moments.
fn sql(setting: Setting<'_>, from: EventTime, to: EventTime, condition: &str) -> String {
    format!(
        "SELECT ingest_time, time, original_time, shipper_id, action, event_id FROM events \
         WHERE tenant = {} AND {condition} AND ingest_time >= TIMESTAMP '{from}' \
         AND ingest_time <= TIMESTAMP '{to}' ORDER BY ingest_time, event_id",
        text::sql(setting.tenant.as_str()),
    )
}
