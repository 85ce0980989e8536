//! `coverage`: what each detector can see of each partner, a view of `events`.
//!
//! A detector that gets nothing to read says nothing, and its silence must not be taken for calm. Every
//! event says in `observed` which detectors it was read by; from that, and from how long a partner has been
//! seen, follows what may be expected of each.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use event::ColumnDoc;
use store::Table;

/// The view's name.
pub(crate) const COVERAGE: &str = "coverage";

/// What a detector needs of a partner's events.
struct Need {
    detector: &'static str,
    /// When such an event was last seen.
    last: &'static str,
    /// What is missing where there never was one.
    missing: &'static str,
    /// Days of history before which it is learning, and what it does meanwhile.
    learns: Option<(u32, &'static str)>,
    /// A condition under which it sees a part only, and which part it does not.
    partly: Option<(&'static str, &'static str)>,
}

const NEEDS: [Need; 13] = [
    Need {
        detector: "token_reuse",
        last: "token",
        missing: "no line names a session token",
        learns: None,
        partly: Some((
            "issued IS NULL",
            "no line tells of tokens issued: those that never were cannot be told, nor whose a token is",
        )),
    },
    Need {
        detector: "token_ledger",
        last: "issued",
        missing: "no line tells of tokens issued",
        learns: Some((1, "less than a day is known: how many tokens are usually redeemed is not")),
        partly: Some((
            "redeemed IS NULL",
            "no line tells of tokens redeemed: whether they are cannot be told",
        )),
    },
    Need {
        detector: "failed_authentication",
        last: "auth",
        missing: "no line tells of a login or of a key that was checked",
        learns: None,
        partly: Some((
            "address IS NULL",
            "no line tells the address of a client: accounts are watched, addresses are not",
        )),
    },
    Need {
        detector: "probing",
        last: "http",
        missing: "no line tells of a request and the address of its client",
        learns: None,
        partly: None,
    },
    Need {
        detector: "request_spike",
        last: "requests",
        missing: "no line tells of a request",
        learns: Some((1, "less than a day is known: only floods and the contracted rate are watched")),
        partly: None,
    },
    Need {
        detector: "key_use",
        last: "key_use",
        missing: "no line names the API key that made a call",
        learns: Some((7, "less than a week is known: new places are not told yet")),
        partly: Some((
            "located IS NULL",
            "no database of addresses: new networks are told, countries are not",
        )),
    },
    Need {
        detector: "object_access",
        last: "object",
        missing: "no line names both an account and the object that it called for",
        learns: None,
        partly: Some((
            "owned IS NULL",
            "no line says whose an object is: walks over ids are told, lucky calls are not",
        )),
    },
    Need {
        detector: "source_health",
        last: "any",
        missing: "nothing was ever sent",
        learns: Some((1, "less than a day is known: silences are told once pauses are known")),
        partly: None,
    },
    Need {
        detector: "secret_exposure",
        last: "any",
        missing: "nothing was ever sent",
        learns: None,
        partly: None,
    },
    Need {
        detector: "admin_change",
        last: "changes",
        missing: "no line tells of keys made or changed, or of rights given",
        learns: Some((7, "less than a week is known: no network is new yet")),
        partly: None,
    },
    Need {
        detector: "impossible_travel",
        last: "placed",
        missing: "no line tells of a user who was let in from a place that is known: name a database of cities in enrich.databases",
        learns: None,
        partly: None,
    },
    Need { detector: "threshold", last: "any", missing: "nothing was ever sent", learns: None, partly: None },
    // It reads what the others tell.
    Need { detector: "risk", last: "any", missing: "nothing was ever sent", learns: None, partly: None },
];

/// The view's columns.
pub(crate) const COLUMNS: &[ColumnDoc] = &[
    column("tenant", "The partner."),
    column("detector", "The detector, as alerts name it."),
    column("state", "armed, learning (it knows too little of the past) or blind (it gets nothing to read)."),
    column(
        "reason",
        "Why it is not armed, or what it cannot see although it is; empty where it sees everything.",
    ),
    column("last_seen", "When the last event that it reads happened, within 30 days."),
    column("since", "When the first event of the partner happened, within 30 days."),
];

/// The types of the view's columns.
pub(crate) fn schema() -> SchemaRef {
    let events = Table::Events.schema();
    let time = events.field_with_name("time").map_or(DataType::Utf8, |time| time.data_type().clone());
    let fields = COLUMNS.iter().map(|column| match column.name {
        "last_seen" | "since" => Field::new(column.name, time.clone(), true),
        name => Field::new(name, DataType::Utf8, true),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

const fn column(name: &'static str, doc: &'static str) -> ColumnDoc {
    ColumnDoc { name, provenance: "I", ocsf: "", doc }
}

/// Registers the view. It reads the session's own `events`, so it has the same wall.
pub(crate) async fn register(session: &SessionContext) -> Result<()> {
    let view = session.sql(&sql()).await?.into_view();
    session.register_table(COVERAGE, view)?;
    Ok(())
}

fn sql() -> String {
    let last = |what: &str, condition: &str| format!("max(CASE WHEN {condition} THEN time END) AS {what}");
    let seen = [
        last("token", "observed LIKE '%token%' AND token_fp IS NOT NULL"),
        last("issued", "action = 'session_token.issued'"),
        last("redeemed", "action = 'session_token.redeemed'"),
        last(
            "auth",
            "observed LIKE '%auth_by_%' AND coalesce(api_key_id, api_key_fp, user_ref, src_ip) IS NOT NULL",
        ),
        last("address", "observed LIKE '%auth_by_address%' AND src_ip IS NOT NULL"),
        last("http", "observed LIKE '%requests%' AND route IS NOT NULL AND src_ip IS NOT NULL"),
        last("requests", "observed LIKE '%requests%' AND route IS NOT NULL"),
        last("key_use", "observed LIKE '%key_use%' AND coalesce(api_key_id, api_key_fp) IS NOT NULL"),
        last("located", "src_country IS NOT NULL"),
        last(
            "placed",
            "user_ref IS NOT NULL AND src_lat IS NOT NULL AND outcome = 'success' \
             AND (observed LIKE '%auth_by_account%' OR observed LIKE '%token%')",
        ),
        last(
            "object",
            "coalesce(api_key_id, api_key_fp, user_ref) IS NOT NULL AND status IS NOT NULL \
             AND (object_id IS NOT NULL OR route LIKE '%{id}%')",
        ),
        last(
            "changes",
            "action IN ('api_key.created', 'api_key.rotated') OR owasp_event = 'privilege_permissions_changed'",
        ),
        last("owned", "object_owner IS NOT NULL"),
    ];
    let states: Vec<String> = NEEDS.iter().map(state).collect();
    format!(
        "WITH seen AS (SELECT tenant, min(time) AS since, max(time) AS \"any\", {} FROM {} \
         WHERE time >= now() - INTERVAL '30 days' GROUP BY tenant) {}",
        seen.join(", "),
        Table::Events.name(),
        states.join(" UNION ALL "),
    )
}

fn state(need: &Need) -> String {
    let Need { detector, last, missing, .. } = need;
    let (mut states, mut reasons) = (String::new(), String::new());
    let mut case = |condition: &str, state: &str, reason: &str| {
        states.push_str(&format!(" WHEN {condition} THEN '{state}'"));
        reasons.push_str(&format!(" WHEN {condition} THEN '{reason}'"));
    };
    case(&format!("\"{last}\" IS NULL"), "blind", missing);
    case(
        &format!("\"{last}\" < now() - INTERVAL '1 day'"),
        "blind",
        "nothing that it reads has come for a day",
    );
    if let Some((days, reason)) = need.learns {
        case(&format!("since > now() - INTERVAL '{days} days'"), "learning", reason);
    }
    if let Some((condition, reason)) = need.partly {
        case(condition, "armed", reason);
    }
    format!(
        "SELECT tenant, '{detector}' AS detector, CASE{states} ELSE 'armed' END AS state, \
         CASE{reasons} ELSE '' END AS reason, \"{last}\" AS last_seen, since FROM seen"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_plain_literal() {
        for need in &NEEDS {
            let said =
                [Some(need.missing), need.learns.map(|(_, said)| said), need.partly.map(|(_, said)| said)];
            assert!(said.into_iter().flatten().all(|said| !said.contains('\'')), "{}", need.detector);
        }
    }
}
