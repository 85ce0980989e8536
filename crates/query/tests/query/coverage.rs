//! What each detector sees of each partner.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use event::{EventBatchBuilder, EventRow, EventTime, Positions, Scope};
use store::Table;

use crate::support::{ACME, Lab, RIVAL, scope};

const HOUR_MS: i64 = 3_600_000;

/// How many events were appended: each stands further on in its topic.
static APPENDED: AtomicI64 = AtomicI64::new(0);

const STATES: &str =
    "SELECT tenant, detector, state, reason FROM coverage WHERE tenant = '{}' ORDER BY tenant, detector";

/// Appends an event of some hours ago that detectors were given as `observed` says.
pub(crate) async fn append(lab: &Lab, tenant: &str, hours_ago: i64, observed: &str, more: EventRow<'_>) {
    let mut events = EventBatchBuilder::default();
    let now = lab.lines(&Scope::All, "SELECT CAST(extract(epoch FROM now()) AS BIGINT)").await;
    let now: i64 = now[0].parse().expect("a number");
    let time = Some(EventTime(now * 1_000 - hours_ago * HOUR_MS));
    events.append(&EventRow {
        event_id: Some(format!("evt_{hours_ago}_{observed}").into()),
        tenant: Some(tenant.to_owned().into()),
        time,
        ingest_time: time,
        observed: Some(observed.to_owned().into()),
        ..more
    });
    let mut positions = Positions::default();
    let offset = 1_000 + APPENDED.fetch_add(1, Ordering::Relaxed);
    positions.read(&Arc::from(Table::Events.topic()), 0, offset);
    let batch = events.finish().into_arrow();
    lab.tables.append(Table::Events, vec![batch], &positions).await.expect("it is appended");
}

async fn states(lab: &Lab, tenant: &str) -> Vec<String> {
    lab.lines(&Scope::All, &STATES.replace("{}", tenant)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_sends_access_logs_only_is_blind_where_nothing_is_to_be_read() {
    let lab = Lab::new().await;
    let web = || EventRow {
        src_ip: Some("203.0.113.9".into()),
        route: Some("GET /".into()),
        ..EventRow::default()
    };
    append(&lab, "prt_web", 30, "auth_by_address requests", web()).await;
    append(&lab, "prt_web", 1, "auth_by_address requests", web()).await;
    assert_eq!(
        states(&lab, "prt_web").await,
        [
            "prt_web admin_change blind no line tells of keys made or changed, or of rights given",
            "prt_web failed_authentication armed ",
            "prt_web impossible_travel blind no line tells of a user who was let in from a place that is known: name a database of cities in enrich.databases",
            "prt_web key_use blind no line names the API key that made a call",
            "prt_web object_access blind no line names both an account and the object that it called for",
            "prt_web probing armed ",
            "prt_web request_spike armed ",
            "prt_web risk armed ",
            "prt_web secret_exposure armed ",
            "prt_web source_health armed ",
            "prt_web threshold armed ",
            "prt_web token_ledger blind no line tells of tokens issued",
            "prt_web token_reuse blind no line names a session token",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_is_learning_and_what_stopped_is_blind() {
    let lab = Lab::new().await;
    let with_key =
        || EventRow { api_key_id: Some("key_1".into()), route: Some("GET /".into()), ..EventRow::default() };
    let login = EventRow {
        user_ref: Some("u1".into()),
        token_fp: Some("hmac256:k1:00".into()),
        ..EventRow::default()
    };
    append(&lab, "prt_new", 40, "token auth_by_account", login).await;
    append(&lab, "prt_new", 1, "requests key_use", with_key()).await;
    assert_eq!(
        states(&lab, "prt_new").await,
        [
            "prt_new admin_change blind no line tells of keys made or changed, or of rights given",
            "prt_new failed_authentication blind nothing that it reads has come for a day",
            "prt_new impossible_travel blind no line tells of a user who was let in from a place that is known: name a database of cities in enrich.databases",
            "prt_new key_use learning less than a week is known: new places are not told yet",
            "prt_new object_access blind no line names both an account and the object that it called for",
            "prt_new probing blind no line tells of a request and the address of its client",
            "prt_new request_spike armed ",
            "prt_new risk armed ",
            "prt_new secret_exposure armed ",
            "prt_new source_health armed ",
            "prt_new threshold armed ",
            "prt_new token_ledger blind no line tells of tokens issued",
            "prt_new token_reuse blind nothing that it reads has come for a day",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_sees_its_own_coverage_only() {
    let lab = Lab::new().await;
    for tenant in [ACME, RIVAL] {
        append(&lab, tenant, 1, &format!("requests {tenant}"), EventRow::default()).await;
    }
    let tenants = lab.lines(&scope(ACME), "SELECT DISTINCT tenant FROM coverage").await;
    assert_eq!(tenants, [ACME]);
    assert_eq!(lab.lines(&Scope::All, "SELECT count(DISTINCT tenant) FROM coverage").await, ["2"]);
}
