//! A scan in words that a person can act on.

use std::collections::BTreeMap;

use event::{Alert, EventTime};
use serde_json::json;

use super::rules::{Finding, Why};
use super::{BETWEEN, ENUMERATION, NAME, ProbingConfig, Scan, TELLTALE};
use crate::class::{Subject, parameters};
use crate::episode::EpisodeId;
use crate::keyed::Key;
use crate::network::in_network_sql;
use crate::text::{self, duration, plural};

/// A tell-tale as people call it.
fn said(telltale: &str) -> String {
    match telltale {
        "exploit" => "known holes".to_owned(),
        "shell" => "somebody's shell".to_owned(),
        "attack_tool" => "attack tools".to_owned(),
        "path_traversal" => "ways out of the folder".to_owned(),
        "injection" => "code in parameters".to_owned(),
        "sensitive_file" => "files that are nobody's business".to_owned(),
        "admin_console" => "consoles".to_owned(),
        "open_proxy" => "an open proxy".to_owned(),
        other => other.replace('_', " "),
    }
}

/// The alert of a scan, if a rule was met.
pub(super) fn describe(key: &Key, scan: &Scan, config: &ProbingConfig, is_open: bool) -> Option<Alert> {
    let found = scan.met.finding(config)?;
    let (net, _) = key.name.split_once(BETWEEN)?;
    let first = scan.first.as_ref()?;
    let day = EpisodeId { cell: scan.day, ordinal: 0 }.label();
    let class = if found.why == Why::Paths { &ENUMERATION } else { &TELLTALE };
    let subject = Subject {
        detector: NAME,
        tenant: &key.tenant,
        family: "scan",
        entity_type: "network",
        entity: net,
        episode: Some(&day),
    };
    let mut alert = subject.alert(class, found.severity);
    alert.title = format!("{}: {net} {}", key.tenant, looks_for(scan, found));
    alert.description = format!("{} {}", what_was_found(scan, found), what_to_do(scan));
    alert.triggered_at = first.time;
    alert.ingested_at = scan.ingested_at;
    alert.first_seen = scan.tally.first_seen().unwrap_or(first.time);
    alert.last_seen = scan.tally.last_seen().unwrap_or(first.time);
    alert.count = scan.tally.count;
    alert.observed = f64::from(found.threshold);
    alert.threshold = f64::from(found.threshold);
    alert.parameters = parameters(config);
    alert.details = BTreeMap::from([
        ("telltales".to_owned(), scan.telltales.to_json(10)),
        ("answers".to_owned(), scan.answers.to_json(10)),
        ("addresses".to_owned(), json!(scan.addresses.iter().take(10).collect::<Vec<_>>())),
        ("window_ms".to_owned(), json!(found.window_ms)),
    ]);
    alert.evidence = scan.tally.evidence();
    alert.query_sql = sql(key, net, alert.first_seen, alert.last_seen);
    alert.episode_open = is_open;
    alert.late = scan.late;
    alert.approx = scan.seen.is_partial();
    Some(alert)
}

/// What it does, for a title.
fn looks_for(scan: &Scan, found: Finding) -> String {
    if found.why == Why::Paths {
        return format!("asked for {} different things that are not there, or more", found.threshold);
    }
    let most = scan.telltales.top(2);
    let words: Vec<_> = most.into_iter().map(|(word, _)| said(word)).collect();
    format!("looks for {}", words.join(" and "))
}

fn what_was_found(scan: &Scan, found: Finding) -> String {
    let addresses = match scan.addresses.len() as u64 {
        count if scan.has_more_addresses => format!("more than {count} addresses"),
        1 => "1 address".to_owned(),
        count => format!("{count} addresses"),
    };
    let answers: Vec<_> =
        scan.answers.top(4).into_iter().map(|(status, count)| format!("{count} × {status}")).collect();
    let within = duration(found.window_ms);
    let rule = match found.why {
        Why::Answered => "A known hole was asked for and answered".to_owned(),
        Why::Points => {
            let asked = scan.telltales.top(3).into_iter();
            let asked: Vec<_> = asked.map(|(word, count)| format!("{} ({count})", said(word))).collect();
            format!("It asked for {}: {} points or more within {within}", asked.join(", "), found.threshold)
        }
        Why::Paths => format!("{} different paths or more refused within {within}", found.threshold),
    };
    let requests = plural(scan.tally.count, "request");
    format!("{rule}; {requests} of that kind this day from {addresses}, answered {}.", answers.join(", "))
}

fn what_to_do(scan: &Scan) -> &'static str {
    let is_answered = scan.answers.top(10).iter().any(|(status, _)| status.starts_with(['2', '3']));
    if is_answered {
        "Look first at those that were answered: if what they asked for is there, it has to go, and what it gave \
         away has to be changed. Block the network unless a test was agreed on."
    } else {
        "Nothing was given away. Block the network unless a test was agreed on or a partner's client has lost \
         its way, and look at what else it did."
    }
}

/// The requests of the network that were refused, and all that are odd: those of the evidence among them.
fn sql(key: &Key, net: &str, from: EventTime, to: EventTime) -> String {
    format!(
        "SELECT time, src_ip, method, path, query_redacted, status, user_agent, event_id FROM events \
         WHERE tenant = {} AND time >= TIMESTAMP '{from}' AND time <= TIMESTAMP '{to}' AND {} \
         AND status IS NOT NULL ORDER BY time, event_id",
        text::sql(key.tenant.as_str()),
        in_network_sql(net),
    )
}
