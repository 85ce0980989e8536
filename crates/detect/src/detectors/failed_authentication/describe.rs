//! Puts an episode of failed authentications into words.

use std::collections::BTreeMap;

use event::{Alert, Severity};
use serde_json::json;

use super::watch::{Class, Episode};
use super::{FailedAuthenticationConfig, NAME};
use crate::class::{Subject, evidence_sql, parameters};
use crate::keyed::Key;
use crate::network::in_network_sql;
use crate::text::{self, plural, word};

/// What an alert is about.
#[derive(Clone, Copy)]
pub(super) struct Entity<'k> {
    /// `user`, `api_key` or `address`.
    pub(super) kind: &'static str,
    pub(super) name: &'k str,
}

impl Entity<'_> {
    fn said(self) -> String {
        let name = word(self.name);
        if self.kind == "api_key" { format!("API key {name}") } else { name }
    }
}

/// Calls `with` with the subject of an episode's alert.
pub(super) fn subject<T>(
    key: &Key,
    of: Entity<'_>,
    episode: &Episode,
    with: impl FnOnce(Subject<'_>) -> T,
) -> T {
    let mut label = episode.id.label();
    let mut entity = key.name.to_string();
    match (episode.class, &*episode.part) {
        (_, "") => {}
        (Class::Fast, net) => entity.push_str(&format!(" from {net}")),
        (_, part) => label.push_str(&format!(".{part}")),
    }
    if let Some(since) = episode.late_lane {
        label.push_str(&format!(".late{}", since.millis()));
    }
    with(Subject {
        detector: NAME,
        tenant: &key.tenant,
        family: episode.class.info().class,
        entity_type: of.kind,
        entity: &entity,
        episode: Some(&label),
    })
}

/// The alert of an episode.
pub(super) fn describe(
    key: &Key,
    of: Entity<'_>,
    episode: &Episode,
    config: &FailedAuthenticationConfig,
) -> Alert {
    let info = episode.info(config.stuffing_accounts);
    let mut alert = subject(key, of, episode, |subject| subject.alert(info, episode.severity));
    alert.entity = text::clean(of.name, 256);
    alert.title = format!("{}: {}", key.tenant, title(of, episode));
    alert.description = format!("{} {}", what_happened(episode), advice(of.kind, episode));
    alert.confidence = confidence(episode);
    alert.triggered_at = episode.start;
    alert.ingested_at = episode.ingested_at;
    alert.first_seen = episode.tally.first_seen().unwrap_or(episode.start);
    alert.last_seen = episode.tally.last_seen().unwrap_or(episode.start);
    alert.count = episode.tally.count;
    alert.observed = episode.failures as f64;
    alert.threshold = f64::from(episode.threshold);
    alert.parameters = parameters(config);
    alert.details = details(episode);
    alert.evidence = episode.tally.evidence();
    alert.query_sql =
        evidence_sql(&key.tenant, alert.first_seen, alert.last_seen, &condition(key, of, episode));
    alert.late = episode.is_late;
    alert.approx = episode.accounts.is_partial() || episode.addresses.is_partial();
    alert
}

/// Which events the episode counts: whose, from where, what was done and how it ended.
fn condition(key: &Key, of: Entity<'_>, episode: &Episode) -> String {
    let mut all = vec![match of.kind {
        "address" if of.name.contains('/') => in_network_sql(of.name),
        "address" => format!("src_ip = {}", text::sql(of.name)),
        kind => account_sql(kind, of.name, key.cut_prefix().is_some()),
    }];
    if episode.class == Class::Fast && !episode.part.is_empty() {
        all.push(in_network_sql(&episode.part));
    }
    all.push(match episode.class {
        Class::Success => "outcome IN ('failure', 'success')".to_owned(),
        _ => "outcome = 'failure'".to_owned(),
    });
    match episode.class {
        Class::KeyGuess => all.push("(api_key_id IS NOT NULL OR api_key_fp IS NOT NULL)".to_owned()),
        Class::Malformed => all.push("reason = 'malformed'".to_owned()),
        _ => {}
    }
    if !episode.actions.is_partial() {
        let actions: Vec<_> =
            episode.actions.top(usize::MAX).iter().map(|(name, _)| text::sql(name)).collect();
        all.push(format!("action IN ({})", actions.join(", ")));
    }
    if episode.actions.top(usize::MAX).iter().any(|(name, _)| *name == "session_token.rejected") {
        all.push(GUESSED.to_owned());
    }
    all.join(" AND ")
}

/// Of refused tokens only those that may have been guessed count.
const GUESSED: &str = "(action <> 'session_token.rejected' OR reason = 'malformed' \
                       OR starts_with(reason, 'unknown') OR starts_with(reason, 'wrong_'))";

/// An attempt with an API key is the key's, whatever user it names.
fn account_sql(kind: &str, name: &str, is_cut: bool) -> String {
    let is = |column: &str| match name.rsplit_once('~').filter(|_| is_cut) {
        Some((prefix, _)) => format!("starts_with({column}, {})", text::sql(prefix)),
        None => format!("{column} = {}", text::sql(name)),
    };
    if kind == "api_key" {
        return format!("({} OR {})", is("api_key_id"), is("api_key_fp"));
    }
    format!("{} AND api_key_id IS NULL AND api_key_fp IS NULL", is("user_ref"))
}

fn title(of: Entity<'_>, episode: &Episode) -> String {
    let entity = of.said();
    let what = if of.kind == "api_key" { "failed key check" } else { "failed login" };
    let failures = plural(episode.failures, what);
    match (episode.class, of.kind) {
        (Class::Fast, _) => format!("{failures} for {entity} from {}", word(&episode.part)),
        (Class::Slow, _) => format!("{failures} for {entity}, minutes apart, over hours"),
        (Class::Distributed, _) => {
            format!("{failures} for {entity} from {} addresses", episode.addresses.names_said())
        }
        (Class::Address, _) => {
            format!("{failures} from {entity} on {} accounts", episode.accounts.names_said())
        }
        (Class::Spray, _) => {
            format!("{failures} from {entity}, a few each on {} accounts", episode.accounts.names_said())
        }
        (Class::KeyGuess, _) => {
            format!("{entity} tried {} API keys that do not exist", episode.accounts.names_said())
        }
        (Class::Malformed, _) => format!("{} from {entity}", plural(episode.failures, "malformed token")),
        (Class::Success, "address") => format!("{entity} got in after {failures}"),
        (Class::Success, "api_key") => format!("{entity} was accepted after {failures}"),
        (Class::Success, _) => format!("{entity} logged in after {failures}"),
    }
}

fn what_happened(episode: &Episode) -> String {
    let (first, last) = (episode.tally.first_seen(), episode.tally.last_seen());
    let took = first.zip(last).map_or(0, |(first, last)| last - first);
    let mut said = format!(
        "{} within {}; accounts: {}; addresses: {}",
        plural(episode.failures, "failure"),
        text::duration(took),
        episode.accounts.names_said(),
        episode.addresses.names_said(),
    );
    if episode.successes > 0 {
        said.push_str(&format!(
            ", then {}",
            plural(episode.successes, "success").replace("successs", "successes")
        ));
    }
    if let Some((reason, count)) = episode.reasons.top(1).first() {
        said.push_str(&format!("; mostly {} ({count})", word(reason)));
    }
    said.push('.');
    said
}

fn advice(entity_type: &str, episode: &Episode) -> &'static str {
    match (episode.class, entity_type) {
        (Class::Success, _) if episode.severity == Severity::Critical => {
            "End the sessions of the account, reset its credential, and read what it did since."
        }
        (Class::Success, _) => "Likely the owner, from a place the account is known to use.",
        (Class::Slow, _) => "Ask whether a client still uses an old credential; else block the source.",
        (Class::Distributed, _) => "Require a second factor or lock the account for now.",
        (Class::Malformed, _) => {
            "Ask the partner whether its client cuts or encodes tokens; else block the address."
        }
        (_, "address") => "Block the address if it is not a partner's own, and look for a success from it.",
        _ => "Block the source if it is not the owner, and look for a success that followed.",
    }
}

fn confidence(episode: &Episode) -> u8 {
    match episode.class {
        Class::Success | Class::Slow => 70,
        Class::Distributed | Class::Malformed => 75,
        _ => 85,
    }
}

fn details(episode: &Episode) -> BTreeMap<String, serde_json::Value> {
    BTreeMap::from([
        ("failures".to_owned(), json!(episode.failures)),
        ("successes".to_owned(), json!(episode.successes)),
        ("window_ms".to_owned(), json!(episode.window_ms)),
        ("accounts".to_owned(), episode.accounts.to_json(5)),
        ("addresses".to_owned(), episode.addresses.to_json(5)),
        ("reasons".to_owned(), episode.reasons.to_json(5)),
    ])
}
