//! Risk, read off the alerts as they ended: for each moment at which one was met, what all before it are
//! worth.
//!
//! It expects alerts whose trigger never moved to another day, and no more of one detector about one entity
//! than are remembered.

use std::collections::{BTreeMap, BTreeSet};

use event::{Alert, EventTime, Severity};

const DAY_MS: i64 = 86_400_000;

/// A day on which an entity is to be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Risk {
    /// Whose alerts they are.
    pub tenant: String,
    /// partner, api_key, user or network.
    pub entity_type: String,
    /// Which one.
    pub entity: String,
    /// The most points of a moment.
    pub points: u64,
    /// How many alerts they come from.
    pub alerts: usize,
    /// When it was first to be told.
    pub triggered_at: EventTime,
}

/// All that these alerts, each as it ended, amount to.
pub fn risk(alerts: &[Alert]) -> BTreeSet<Risk> {
    let mut about: BTreeMap<(String, &str, String), Vec<&Alert>> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| tactic(alert).is_some() && alert.detector != "source_health") {
        for (kind, name) in entities(alert) {
            about.entry((alert.tenant.to_string(), kind, name)).or_default().push(alert);
        }
    }
    about.into_iter().flat_map(|((tenant, kind, name), alerts)| days(&tenant, kind, &name, &alerts)).collect()
}

fn days(tenant: &str, kind: &str, name: &str, alerts: &[&Alert]) -> Vec<Risk> {
    let mut days: BTreeMap<EventTime, Risk> = BTreeMap::new();
    let moments: BTreeSet<EventTime> = alerts.iter().map(|alert| alert.triggered_at).collect();
    for moment in moments {
        let worth: Vec<(&Alert, u64)> = alerts
            .iter()
            .map(|alert| (*alert, points(alert, moment)))
            .filter(|(_, points)| *points > 0)
            .collect();
        let detectors: BTreeSet<&str> = worth.iter().map(|(alert, _)| alert.detector.as_str()).collect();
        let tactics: BTreeSet<_> = worth.iter().filter_map(|(alert, _)| tactic(alert)).collect();
        let of_detector = |detector: &str| {
            let own = worth.iter().filter(|(alert, _)| alert.detector == detector).map(|(_, points)| *points);
            if kind == "partner" { own.max().unwrap_or(0).min(60) } else { own.sum::<u64>().min(60) }
        };
        let points: u64 = detectors.iter().map(|detector| of_detector(detector)).sum();
        if points < 100 || detectors.len() < 3 && tactics.len() < 2 {
            continue;
        }
        let found = Risk {
            tenant: tenant.to_owned(),
            entity_type: kind.to_owned(),
            entity: name.to_owned(),
            points,
            alerts: worth.len(),
            triggered_at: moment,
        };
        let day = days.entry(moment.floor(DAY_MS)).or_insert_with(|| found.clone());
        if day.points < points {
            *day = Risk { triggered_at: day.triggered_at, ..found };
        }
    }
    days.into_values().collect()
}

/// What an alert is worth at a moment: half of it a day after its last event, which is known to the minute, in
/// whole points.
fn points(alert: &Alert, moment: EventTime) -> u64 {
    let at_first = match alert.severity {
        Severity::Info => 2.0,
        Severity::Low => 15.0,
        Severity::Medium => 40.0,
        Severity::High => 50.0,
        Severity::Critical => 60.0,
    };
    let days = (moment - alert.last_seen.floor(60_000)).max(0) as f64 / DAY_MS as f64;
    let is_before = alert.triggered_at <= moment && days <= 8.0;
    if is_before { (at_first * 0.5_f64.powf(days)).round() as u64 } else { 0 }
}

/// The partner, what the alert says it is about, and what all of its evidence is about.
fn entities(alert: &Alert) -> BTreeSet<(&'static str, String)> {
    let same = |values: Vec<Option<String>>| -> Option<String> {
        let distinct: BTreeSet<_> = values.into_iter().collect();
        if distinct.len() == 1 { distinct.into_iter().next().flatten() } else { None }
    };
    let own = |kinds: &[&str]| kinds.contains(&&*alert.entity_type).then(|| alert.entity.clone());
    let seen = &alert.evidence;
    let net = |address: &str| {
        let (start, _) = address.split('/').next()?.rsplit_once('.')?;
        Some(format!("{start}.0/24"))
    };
    [
        ("partner", Some(alert.tenant.to_string())),
        ("api_key", own(&["api_key"])),
        ("user", own(&["user"])),
        ("network", own(&["network", "address"]).and_then(|address| net(&address))),
        ("api_key", same(seen.iter().map(|seen| seen.api_key.clone()).collect())),
        ("user", same(seen.iter().map(|seen| seen.user_ref.clone()).collect())),
        ("network", same(seen.iter().map(|seen| net(seen.src_ip.as_deref()?)).collect())),
    ]
    .into_iter()
    .filter_map(|(kind, name)| Some((kind, name?)))
    .collect()
}

fn tactic(alert: &Alert) -> Option<&'static str> {
    let technique = alert.techniques.first()?.v18.as_str();
    Some(match technique.split('.').next()? {
        "T1595" => "reconnaissance",
        "T1078" | "T1190" | "T1199" | "T1659" => "initial access",
        "T1098" => "persistence",
        "T1070" | "T1562" => "defense evasion",
        "T1040" | "T1110" | "T1528" | "T1539" | "T1552" | "T1557" | "T1606" => "credential access",
        "T1087" => "discovery",
        "T1550" => "lateral movement",
        "T1498" | "T1499" | "T1565" => "impact",
        _ => return None,
    })
}
