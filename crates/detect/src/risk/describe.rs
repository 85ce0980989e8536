//! A risk in words that a person can act on.

use std::collections::{BTreeMap, BTreeSet};

use event::{Alert, EventTime, Evidence, Severity, Tenant};
use serde_json::json;

use super::NAME;
use super::classes::ENTITY;
use super::config::RiskConfig;
use super::day::Found;
use super::score::{Counted, Score};
use super::subject::{Kind, Subject};
use crate::class::{self, parameters, technique};
use crate::episode::EpisodeId;
use crate::text::{self, plural, word};

/// So many of the alerts are named.
const ALERTS_MAX: usize = 32;
const EVIDENCE_MAX: usize = 10;

/// Whose day it is.
pub(super) struct About<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) subject: &'a Subject,
    pub(super) start: EventTime,
    pub(super) severity: Severity,
    pub(super) is_open: bool,
    pub(super) approx: bool,
}

/// The alert of a day.
pub(super) fn alert(about: &About<'_>, found: &Found<'_>, config: &RiskConfig) -> Alert {
    let Found { worst, met_at } = found;
    let kind = about.subject.kind;
    let label = EpisodeId { cell: about.start, ordinal: 0 }.label();
    let subject = class::Subject {
        detector: NAME,
        tenant: about.tenant,
        family: family(kind),
        entity_type: kind.as_str(),
        entity: &about.subject.name,
        episode: Some(&label),
    };
    let mut alert = subject.alert(&ENTITY, about.severity);
    let (points, from) = (worst.points, plural(worst.detectors.len() as u64, "detector"));
    alert.title =
        format!("{}: {} has {points} points of risk from {from}", about.tenant, said(about.subject));
    alert.description = format!("{} {}", what_was_told(worst, config), advice(kind));
    alert.confidence = (60 + 10 * worst.detectors.len().min(3) as u8).min(90);
    alert.triggered_at = *met_at;
    alert.ingested_at = ingested_at(worst, *met_at);
    alert.first_seen = worst.alerts.iter().map(|counted| counted.signal.first()).min().unwrap_or(*met_at);
    alert.last_seen = worst.at;
    alert.count = worst.alerts.len() as u64;
    (alert.observed, alert.threshold) = (points as f64, config.points.into());
    alert.parameters = parameters(config);
    alert.details = details(worst);
    alert.techniques = worst.techniques().into_iter().filter_map(technique).collect();
    alert.evidence = evidence(&worst.alerts);
    alert.query_sql = sql(about.tenant, &worst.alerts);
    alert.episode_open = about.is_open;
    alert.approx = about.approx;
    alert
}

/// By which alerts' ids are told apart: a user may be called as a key is.
fn family(kind: Kind) -> &'static str {
    match kind {
        Kind::Partner => "risk.partner",
        Kind::ApiKey => "risk.api_key",
        Kind::User => "risk.user",
        Kind::Network => "risk.network",
    }
}

fn said(subject: &Subject) -> String {
    match subject.kind {
        Kind::Partner => "the partner".to_owned(),
        Kind::ApiKey => format!("API key {}", word(&subject.name)),
        Kind::User => format!("user {}", word(&subject.name)),
        Kind::Network => word(&subject.name),
    }
}

fn what_was_told(score: &Score<'_>, config: &RiskConfig) -> String {
    let mut detectors: Vec<_> = score.detectors.iter().collect();
    detectors.sort_by_key(|(name, share)| (std::cmp::Reverse(share.points), **name));
    let share = |(name, _): &(&&str, _)| {
        let classes: BTreeSet<&str> =
            of_detector(score, name).map(|counted| &*counted.signal.class).collect();
        classes.into_iter().take(3).collect::<Vec<_>>().join(" and ")
    };
    let shares: Vec<_> = detectors
        .iter()
        .take(5)
        .map(|of| format!("{} ({} from {})", share(of), of.1.points, plural(of.1.alerts, "alert")))
        .collect();
    let tactics: Vec<_> = score.tactics.keys().copied().collect();
    format!(
        "Points add up to {}, where {} are told: {}. That is {}.",
        score.points,
        config.points,
        shares.join(", "),
        tactics.join(", "),
    )
}

fn of_detector<'s>(score: &'s Score<'_>, name: &str) -> impl Iterator<Item = &'s Counted<'s>> {
    score.alerts.iter().filter(move |counted| *counted.signal.detector == *name)
}

fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Partner => {
            "Look at which keys, users and networks the alerts have in common, and ask the partner what it was doing."
        }
        Kind::ApiKey => {
            "Read the alerts one after the other. Unless the partner can explain all of them, revoke the key and issue \
             another."
        }
        Kind::User => {
            "Read the alerts one after the other. Unless the user can explain all of them, end the sessions and reset \
             what the user logs in with."
        }
        Kind::Network => {
            "Read the alerts one after the other, look for what was answered, and block the network unless a test was \
             agreed on."
        }
    }
}

/// Of the alert that met it.
fn ingested_at(score: &Score<'_>, met_at: EventTime) -> EventTime {
    let signals = score.alerts.iter().map(|counted| counted.signal);
    let before = signals.filter(|signal| signal.first() <= met_at);
    before.map(|signal| (signal.first(), signal.ingested_at)).max().map_or(met_at, |(_, at)| at)
}

fn details(score: &Score<'_>) -> BTreeMap<String, serde_json::Value> {
    let detectors: BTreeMap<_, _> = score
        .detectors
        .iter()
        .map(|(name, share)| (*name, json!({"points": share.points, "alerts": share.alerts})))
        .collect();
    let alerts = score.alerts.iter().take(ALERTS_MAX).map(|counted| {
        json!({
            "alert_id": counted.id, "class": counted.signal.class, "severity": counted.signal.severity,
            "points": counted.points, "triggered_at": counted.signal.first().to_rfc3339(),
        })
    });
    BTreeMap::from([
        ("points".to_owned(), json!(score.points)),
        ("detectors".to_owned(), json!(detectors)),
        ("tactics".to_owned(), json!(score.tactics)),
        ("alerts".to_owned(), json!(alerts.collect::<Vec<_>>())),
    ])
}

/// The first event of each alert, those worth most before others, and then the second of each, and the third.
fn evidence(alerts: &[Counted<'_>]) -> Vec<Evidence> {
    let nth = |n: usize| alerts.iter().filter_map(move |counted| counted.signal.witnesses.get(n));
    let mut shown = Vec::new();
    for witness in nth(0).chain(nth(1)).chain(nth(2)) {
        if shown.len() < EVIDENCE_MAX && !shown.contains(&witness) {
            shown.push(witness);
        }
    }
    let mut shown: Vec<_> = shown.into_iter().map(|witness| witness.evidence()).collect();
    shown.sort_by(|a, b| (a.time, &a.position).cmp(&(b.time, &b.position)));
    shown
}

/// The alerts that led there.
fn sql(tenant: &Tenant, alerts: &[Counted<'_>]) -> String {
    let mut ids: Vec<_> = alerts.iter().take(ALERTS_MAX).map(|counted| text::sql(counted.id)).collect();
    ids.sort();
    format!(
        "SELECT triggered_at, detector, class, severity, entity_type, entity, title, alert_id FROM alerts \
         WHERE tenant = {} AND alert_id IN ({}) ORDER BY triggered_at, alert_id",
        text::sql(tenant.as_str()),
        ids.join(", "),
    )
}
