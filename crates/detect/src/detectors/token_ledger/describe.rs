//! What was found, in words that a person can act on.

use std::collections::BTreeMap;

use event::{Alert, EventTime, Severity, Tenant};
use serde_json::json;

use super::days::Day;
use super::hours::{HoursDay, unredeemed as share_of};
use super::strangers::{StrangeDay, WHOLE};
use super::{NAME, NEVER_ISSUED, TokenLedgerConfig, UNREDEEMED};
use crate::class::{Subject, evidence_sql, parameters};
use crate::episode::EpisodeId;
use crate::keyed::Key;
use crate::network::in_network_sql;
use crate::text::{self, word};

/// How bad tokens that nobody issued are.
pub(super) fn severity(day: &StrangeDay, config: &TokenLedgerConfig) -> Severity {
    match () {
        () if !day.day.is_real => Severity::Low,
        () if day.most >= config.unknown_tokens_many => Severity::High,
        () => NEVER_ISSUED.severity,
    }
}

/// Tokens that nobody issued, of one network or partner on one day.
pub(super) fn strangers(
    key: &Key,
    start: EventTime,
    day: &StrangeDay,
    is_open: bool,
    config: &TokenLedgerConfig,
) -> Alert {
    let is_whole = &*key.name == WHOLE;
    let (entity_type, entity) =
        if is_whole { ("partner", key.tenant.as_str()) } else { ("network", &*key.name) };
    let label = EpisodeId { cell: start, ordinal: 0 }.label();
    let subject = Subject {
        detector: NAME,
        tenant: &key.tenant,
        family: NEVER_ISSUED.class,
        entity_type,
        entity,
        episode: Some(&label),
    };
    let mut alert = subject.alert(&NEVER_ISSUED, severity(day, config));
    let (most, within) = (day.most, text::duration(config.unknown_window_ms));
    (alert.title, alert.description) = match is_whole {
        true => (
            format!("{}: clients present tokens that nobody issued", key.tenant),
            format!(
                "{most} different session tokens within {within}, from {} networks, were refused, and no log tells that \
                 they were issued. From so many clients at once that is mostly a page that hands out tokens of another \
                 environment, or of another issuer: ask the partner what it has changed. If it has not, somebody guesses.",
                day.nets.names_said(),
            ),
        ),
        false => (
            format!("{}: {} presents tokens that nobody issued", key.tenant, word(entity)),
            format!(
                "{most} different session tokens within {within} from {} were refused, and no log tells that they were \
                 issued, although issuing was told of all the time. Somebody makes them up, or uses those of another \
                 environment. Block the network if nothing else comes from it; see whether any token of it was accepted.",
                word(entity),
            ),
        ),
    };
    finish(&mut alert, &day.day, start, is_open, config);
    (alert.observed, alert.threshold) = (most as f64, config.unknown_tokens as f64);
    alert.details = BTreeMap::from([
        ("most_within_a_window".to_owned(), json!(most)),
        ("networks".to_owned(), day.nets.to_json(5)),
        ("only_sandbox".to_owned(), json!(!day.day.is_real)),
    ]);
    let place = if is_whole { String::new() } else { format!(" AND {}", in_network_sql(entity)) };
    let condition = format!("token_fp IS NOT NULL AND outcome = 'failure'{place}");
    alert.query_sql = evidence_sql(&key.tenant, alert.first_seen, alert.last_seen, &condition);
    alert
}

/// Tokens that were issued and not redeemed.
pub(super) fn unredeemed(
    tenant: &Tenant,
    start: EventTime,
    day: &HoursDay,
    is_open: bool,
    config: &TokenLedgerConfig,
) -> Alert {
    let label = EpisodeId { cell: start, ordinal: 0 }.label();
    let subject = Subject {
        detector: NAME,
        tenant,
        family: UNREDEEMED.class,
        entity_type: "partner",
        entity: tenant.as_str(),
        episode: Some(&label),
    };
    let mut alert = subject.alert(&UNREDEEMED, UNREDEEMED.severity);
    let (share, percent) = (share_of(day.issued, day.redeemed), |share: f64| (share * 100.0).round() as i64);
    alert.title = format!("{tenant}: session tokens are issued and not redeemed");
    alert.description = format!(
        "Of {} session tokens that were issued from {} on, {} % were not redeemed within their life; usually it is {} %. \
         Either they are harvested to be used elsewhere, or the partner's page no longer gets them, or the log of \
         redemptions is missing: see which key asks for them, and whether users complain.",
        day.issued,
        day.first.to_rfc3339(),
        percent(share),
        percent(day.usual),
    );
    finish(&mut alert, &day.day, start, is_open, config);
    (alert.observed, alert.threshold, alert.baseline) = (share, config.unredeemed_share, Some(day.usual));
    alert.details = BTreeMap::from([
        ("issued".to_owned(), json!(day.issued)),
        ("redeemed".to_owned(), json!(day.redeemed)),
    ]);
    (alert.first_seen, alert.last_seen) = (day.first, day.end);
    let condition = "action IN ('session_token.issued', 'session_token.redeemed')";
    alert.query_sql = evidence_sql(tenant, day.first, day.end, condition);
    alert
}

/// What every alert of a day says of it.
fn finish(alert: &mut Alert, day: &Day, start: EventTime, is_open: bool, config: &TokenLedgerConfig) {
    alert.first_seen = day.tally.first_seen().unwrap_or(start);
    alert.last_seen = day.tally.last_seen().unwrap_or(start);
    alert.triggered_at = alert.first_seen;
    alert.ingested_at = day.ingested_at;
    alert.count = day.tally.count;
    alert.parameters = parameters(config);
    alert.evidence = day.tally.evidence();
    alert.episode_open = is_open;
    alert.late = day.late;
}
