//! What was found, in words that a person can act on.

use std::collections::BTreeMap;

use event::{Alert, EventTime, Severity};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::walk::{Day, OBJECTS_MAX};
use super::{CROSS_PARTNER, NAME, ObjectAccessConfig, PROBE};
use crate::class::{ClassInfo, Subject, evidence_sql, parameters};
use crate::episode::EpisodeId;
use crate::keyed::Key;
use crate::text::{self, plural, word};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum What {
    /// One object after another was refused.
    Walk,
    /// Another partner's object was given.
    Another,
}

fn class(what: What) -> &'static ClassInfo {
    match what {
        What::Walk => &PROBE,
        What::Another => &CROSS_PARTNER,
    }
}

/// How bad it is.
pub(super) fn severity(what: What, day: &Day) -> Severity {
    match what {
        What::Walk if !day.given.is_empty() => Severity::Critical,
        What::Another if day.given.is_empty() => Severity::High,
        _ => class(what).severity,
    }
}

/// The alert of an account's day.
pub(super) fn alert(
    key: &Key,
    what: What,
    start: EventTime,
    day: &Day,
    is_open: bool,
    config: &ObjectAccessConfig,
) -> Alert {
    let (kind, account) = key.name.split_at(1);
    let (entity_type, column, said) = match kind {
        "k" => ("api_key", "coalesce(api_key_id, api_key_fp)", "API key"),
        _ => ("user", "user_ref", "user"),
    };
    let info = class(what);
    let label = EpisodeId { cell: start, ordinal: 0 }.label();
    let subject = Subject {
        detector: NAME,
        tenant: &key.tenant,
        family: info.class,
        entity_type,
        entity: account,
        episode: Some(&label),
    };
    let mut alert = subject.alert(info, severity(what, day));
    let name = word(account);
    let given = plural(day.given.len() as u64, "object");
    (alert.title, alert.description) = match what {
        What::Walk if day.given.is_empty() => (
            format!("{}: {said} {name} asks for object after object", key.tenant),
            format!(
                "{said} {name} was refused {} on this day, {} of the calls as forbidden. Ids are being tried: check that \
                 every object is held against the caller on these routes, and find out who does it.",
                plural(day.objects.len() as u64, "different object"),
                day.forbidden,
            ),
        ),
        What::Walk => (
            format!("{}: {said} {name} tried ids and was given {given}", key.tenant),
            format!(
                "{said} {name} was refused {} on this day and was given {given} between them. If that is not its own, \
                 the check of this route has a hole: close it, and see what else was given.",
                plural(day.objects.len() as u64, "different object"),
            ),
        ),
        What::Another if day.given.is_empty() => (
            format!("{}: {said} {name} asks for objects of other partners", key.tenant),
            format!(
                "{said} {name} asked for {} on this day that the log says are other partners', and was refused. It knows \
                 ids that it should not: ask the partner what it does, and where it has them from.",
                plural(day.refused.len() as u64, "object"),
            ),
        ),
        What::Another => (
            format!("{}: {said} {name} was given {given} of another partner", key.tenant),
            format!(
                "{said} {name} was given {given} that the log says is another partner's. The wall between partners has \
                 a hole: block the route or the account, and tell the partner whose objects they are.",
            ),
        ),
    };
    alert.first_seen = day.tally.first_seen().unwrap_or(start);
    alert.last_seen = day.tally.last_seen().unwrap_or(start);
    alert.triggered_at = alert.first_seen;
    alert.ingested_at = day.ingested_at;
    alert.count = day.tally.count;
    (alert.observed, alert.threshold) = match what {
        What::Walk => (day.objects.len() as f64, config.forbidden_min as f64),
        What::Another if day.given.is_empty() => (day.refused.len() as f64, config.others_objects_min as f64),
        What::Another => (day.given.len() as f64, 1.0),
    };
    alert.parameters = parameters(config);
    alert.details = BTreeMap::from([
        ("objects".to_owned(), json!(day.objects.len())),
        ("forbidden".to_owned(), json!(day.forbidden)),
        ("given".to_owned(), json!(day.given.len())),
        ("refused_of_others".to_owned(), json!(day.refused.len())),
    ]);
    alert.evidence = day.tally.evidence();
    let condition = format!("{column} = {} AND status IN (200, 403, 404)", text::sql(account));
    alert.query_sql = evidence_sql(&key.tenant, alert.first_seen, alert.last_seen, &condition);
    alert.episode_open = is_open;
    alert.late = day.late;
    alert.approx = day.objects.len().max(day.given.len()) == OBJECTS_MAX;
    alert
}
