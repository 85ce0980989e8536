//! Puts a verdict on a token into words.

use event::Alert;
use serde_json::json;

use super::classify::Verdict;
use super::facts::{Facts, Presentation};
use super::{NAME, TokenReuseConfig};
use crate::class::{Subject, evidence_sql, parameters};
use crate::keyed::Key;
use crate::text;

const FAMILY: &str = "token.reuse";

/// The alert of a token.
pub(super) fn describe(key: &Key, facts: &Facts, verdict: &Verdict, config: &TokenReuseConfig) -> Alert {
    let subject = Subject {
        detector: NAME,
        tenant: &key.tenant,
        family: FAMILY,
        entity_type: "token",
        entity: &key.name,
        episode: None,
    };
    let mut alert = subject.alert(&verdict.info, verdict.severity);
    let first_seen = facts.presentations.first().map_or(verdict.decisive.at, |p| p.at);
    let last_seen = facts.tally.last_seen().unwrap_or(verdict.decisive.at);
    alert.title = format!("{}: {}", key.tenant, title(verdict));
    alert.description = description(key, verdict);
    alert.confidence = if verdict.earlier.is_some() { 90 } else { 75 };
    alert.triggered_at = verdict.decisive.at;
    alert.ingested_at = verdict.decisive.ingested_at;
    alert.first_seen = first_seen;
    alert.last_seen = last_seen;
    // A use from before the facts were shortened is counted, though its evidence is gone.
    alert.count = facts.count();
    (alert.observed, alert.threshold) = measure(facts, verdict, config);
    alert.parameters = parameters(config);
    alert.details = details(facts, verdict, config);
    alert.evidence = facts.tally.evidence();
    let condition = format!("token_fp = {}", text::sql(&key.name));
    alert.query_sql = evidence_sql(&key.tenant, first_seen - config.ttl_ms, last_seen, &condition);
    alert.late = facts.late;
    alert
}

fn title(verdict: &Verdict) -> &'static str {
    let accepted = verdict.decisive.accepted;
    match verdict.info.class {
        "token.double_redeem" => "one session token was accepted twice",
        "token.replay_across_partners" => "a session token was presented under two partners",
        "token.expired_use.accepted" => "an expired session token was accepted",
        "token.expired_use.rejected" => "an expired session token was refused",
        "token.wrong_user" if accepted => "a session token was accepted for another user",
        "token.wrong_user" => "a session token was presented for another user",
        "token.wrong_partner" if accepted => "a session token was accepted where it was not issued for",
        "token.wrong_partner" => "a session token was presented where it was not issued for",
        "token.revoked_use" if accepted => "a revoked session token was accepted",
        "token.revoked_use" => "a revoked session token was presented",
        "token.reuse.network_switch" => "a session token was presented again after a change of network",
        "token.reuse.same_origin" => "a used session token was presented again",
        "token.reuse.benign_double" => "a session token was sent twice (double click or retry)",
        _ => "a session token was reused from another network",
    }
}

fn description(key: &Key, verdict: &Verdict) -> String {
    let decisive = &verdict.decisive;
    let outcome = if decisive.accepted { "accepted" } else { "rejected" };
    let token = text::word(&key.name);
    let user =
        decisive.user.as_deref().map(|user| format!(" of user {}", text::word(user))).unwrap_or_default();
    let what = match &verdict.earlier {
        Some(earlier) => format!(
            "Token {token}{user} was {} from {} and presented again from {} {} later: {outcome}{}.",
            if earlier.accepted { "accepted" } else { "presented" },
            address(earlier),
            address(decisive),
            text::duration(verdict.distance_ms),
            reason(decisive),
        ),
        None if verdict.distance_ms > 0 => format!(
            "Token {token}{user} was presented from {} {} after its end: {outcome}{}.",
            address(decisive),
            text::duration(verdict.distance_ms),
            reason(decisive),
        ),
        None => format!(
            "Token {token}{user} was presented from {}: {outcome}{}.",
            address(decisive),
            reason(decisive)
        ),
    };
    let unseen = if verdict.first_use_unseen { " Its first use was not seen." } else { "" };
    format!("{what}{unseen} {}", advice(verdict))
}

fn advice(verdict: &Verdict) -> &'static str {
    match verdict.info.class {
        "token.double_redeem" | "token.expired_use.accepted" => {
            "End the sessions that came of it and look into the issuer: its own check let this pass."
        }
        "token.reuse.benign_double" | "token.expired_use.rejected" => {
            "Nothing to do unless it becomes frequent."
        }
        "token.reuse.same_origin" => "Ask the partner whether it caches or stores tokens; it must not.",
        "token.reuse.network_switch" => "Likely one user changing networks; look if it repeats.",
        _ => "End the session, ask the user, and look for where the token leaked.",
    }
}

fn address(presentation: &Presentation) -> String {
    presentation.src_ip.as_deref().map_or_else(|| "an unknown address".to_owned(), text::word)
}

fn reason(presentation: &Presentation) -> String {
    let reason = presentation.reason.as_deref().filter(|_| !presentation.accepted);
    reason.map(|reason| format!(" ({})", text::word(reason))).unwrap_or_default()
}

/// What is counted, and what it is held against: uses against one, or milliseconds.
fn measure(facts: &Facts, verdict: &Verdict, config: &TokenReuseConfig) -> (f64, f64) {
    if verdict.info.class.starts_with("token.expired_use") {
        return (verdict.distance_ms as f64, config.skew_ms as f64);
    }
    (facts.count() as f64, 1.0)
}

fn details(
    facts: &Facts,
    verdict: &Verdict,
    config: &TokenReuseConfig,
) -> std::collections::BTreeMap<String, serde_json::Value> {
    let issue = facts.issues.first();
    let mut details = vec![
        ("classes", json!(verdict.classes)),
        ("accepted", json!(facts.accepted_total)),
        ("rejected", json!(facts.refused_total)),
        ("distance_ms", json!(verdict.distance_ms)),
        ("second_src_ip", json!(verdict.decisive.src_ip)),
        ("issued_at", json!(issue.map(|issue| issue.at.to_rfc3339()))),
        ("expires_at", json!(facts.expires_at(config).map(|expires| expires.to_rfc3339()))),
        ("bound_user", json!(issue.and_then(|issue| issue.user.as_deref().map(text::word)))),
    ];
    if verdict.first_use_unseen {
        details.push(("first_use_seen", json!(false)));
    }
    if let Some(earlier) = &verdict.earlier {
        details.push(("first_src_ip", json!(earlier.src_ip)));
    }
    details.retain(|(_, value)| !value.is_null());
    details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
