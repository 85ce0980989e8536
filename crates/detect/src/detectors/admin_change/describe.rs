//! What was found, in words that a person can act on.

use std::collections::BTreeMap;

use event::{Alert, EventTime, Severity, Tenant};
use serde_json::json;

use super::config::AdminChangeConfig;
use super::partner::{Day, Why};
use super::{ADMIN_CHANGE, NAME};
use crate::class::{Subject, evidence_sql, parameters};
use crate::episode::EpisodeId;
use crate::network::in_network_sql;
use crate::text::{self, plural, word};

/// How bad it is.
pub(super) fn severity(day: &Day) -> Severity {
    if day.is_real { ADMIN_CHANGE.severity } else { Severity::Low }
}

/// The alert of a day.
pub(super) fn alert(
    tenant: &Tenant,
    why: &Why,
    start: EventTime,
    day: &Day,
    is_open: bool,
    config: &AdminChangeConfig,
) -> Alert {
    let label = EpisodeId { cell: start, ordinal: 0 }.label();
    let (entity_type, entity) = match why {
        Why::NewNetwork(net) => ("network", &**net),
        Why::OutOfHours => ("partner", tenant.as_str()),
    };
    let subject = Subject {
        detector: NAME,
        tenant,
        family: ADMIN_CHANGE.class,
        entity_type,
        entity,
        episode: Some(&label),
    };
    let mut alert = subject.alert(&ADMIN_CHANGE, severity(day));
    let (changes, by) = (plural(day.tally.count, "change"), who(day));
    (alert.title, alert.description) = match why {
        Why::NewNetwork(net) => (
            format!("{tenant}: keys or rights are changed from {}, which is new", word(net)),
            format!(
                "{changes} of keys or rights by {by} came from {}, from where this partner changed nothing in {} and more. \
                 Ask whoever it was by another way than the one that the change was made by; if they did not, undo it, \
                 and revoke what was made.",
                word(net),
                text::duration(config.history_ms),
            ),
        ),
        Why::OutOfHours => (
            format!("{tenant}: keys or rights are changed out of hours"),
            format!(
                "{changes} of keys or rights by {by} were made outside of the hours at which they may be ({} to {} o'clock \
                 UTC, on the first {} days of the week). Look for a ticket; where there is none, ask whoever it was, and \
                 undo it.",
                config.from_hour, config.until_hour, config.days_of_week,
            ),
        ),
    };
    alert.first_seen = day.tally.first_seen().unwrap_or(start);
    alert.last_seen = day.tally.last_seen().unwrap_or(start);
    alert.triggered_at = alert.first_seen;
    alert.ingested_at = day.ingested_at;
    alert.count = day.tally.count;
    (alert.observed, alert.threshold) = (day.tally.count as f64, 1.0);
    alert.parameters = parameters(config);
    alert.details = BTreeMap::from([
        ("by".to_owned(), day.who.to_json(5)),
        ("only_sandbox".to_owned(), json!(!day.is_real)),
    ]);
    alert.evidence = day.tally.evidence();
    let place = match why {
        Why::NewNetwork(net) => format!(" AND {}", in_network_sql(net)),
        Why::OutOfHours => String::new(),
    };
    let condition = format!(
        "(action IN ('api_key.created', 'api_key.rotated') OR owasp_event = 'privilege_permissions_changed'){place}"
    );
    alert.query_sql = evidence_sql(tenant, alert.first_seen, alert.last_seen, &condition);
    alert.episode_open = is_open;
    alert.late = day.late;
    alert
}

fn who(day: &Day) -> String {
    let names: Vec<String> = day.who.top(3).into_iter().map(|(name, _)| word(name)).collect();
    names.join(", ")
}
