//! Tables with two partners' events in them.

use std::path::Path;
use std::sync::Arc;

use event::{AlertChange, Change, EventBatchBuilder, EventRow, EventTime, Positions, Severity};
use reqwest::Url;
use store::{StoreOptions, Table, Tables, alert_changes_batch};
use tokio::sync::OnceCell;

use crate::harness::alert;

/// Events that each partner has.
pub(crate) const EVENTS: i64 = 1_000;

/// The API key that both partners' first rows were made with, as it is known.
pub(crate) const KEY: &str = "hmac256:k1:00112233445566778899aabbccddeeff";
/// Rows of each partner that were made with it, the last ones from elsewhere.
const BY_KEY: i64 = 100;
const BEFORE: i64 = 60;

/// The tables, made by whoever comes first: nobody changes them.
pub(crate) async fn shared() -> Tables {
    static TABLES: OnceCell<Tables> = OnceCell::const_new();
    TABLES.get_or_init(create).await.clone()
}

async fn create() -> Tables {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("api-tables");
    drop(std::fs::remove_dir_all(&directory));
    std::fs::create_dir_all(&directory).unwrap();
    let root = Url::from_directory_path(&directory).unwrap();
    let tables = Tables::open(&root, StoreOptions::default()).await.unwrap();
    let mut events = EventBatchBuilder::default();
    for tenant in ["acme", "globex"] {
        for n in 0..EVENTS {
            let time = Some(EventTime::from_millis(1_773_480_413_589 + n * 1_000));
            events.append(&EventRow {
                event_id: Some(format!("evt_{tenant}_{n}").into()),
                tenant: Some(tenant.into()),
                time,
                ingest_time: time,
                status: Some(n as i32),
                user_agent: Some("=cmd|' /C calc'!A0".into()),
                api_key_fp: (n < BY_KEY).then(|| KEY.into()),
                user_ref: Some(format!("usr_{tenant}").into()),
                outcome: Some(if n < BEFORE { "success" } else { "failure" }.into()),
                route: Some(if n < BEFORE { "GET /v1/orders" } else { "POST /v1/exports" }.into()),
                src_ip: Some(if n < BEFORE { "198.51.100.7" } else { "203.0.113.9" }.into()),
                src_country: Some("NL".into()),
                src_asn: Some(64_500),
                message: Some(format!("{tenant}, \"quoted\"\nand on two lines").into()),
                ..EventRow::default()
            });
        }
    }
    let mut positions = Positions::default();
    positions.read(&Arc::from(Table::Events.topic()), 0, 1);
    tables.append(Table::Events, vec![events.finish().into_arrow()], &positions).await.unwrap();
    let changes = ["acme", "globex"].map(named);
    let mut positions = Positions::default();
    positions.read(&Arc::from(Table::AlertChanges.topic()), 0, 1);
    let batch = alert_changes_batch(&changes);
    tables.append(Table::AlertChanges, vec![batch], &positions).await.unwrap();
    tables
}

/// An alert that names the key, twenty seconds after the first row.
fn named(tenant: &str) -> AlertChange {
    let time = EventTime::from_millis(1_773_480_413_589 + 20_000);
    let mut alert = alert(&format!("alr_{tenant}"), tenant, Severity::High, 0);
    alert.entity = KEY.to_owned();
    (alert.triggered_at, alert.first_seen, alert.last_seen) = (time, time, time);
    AlertChange { change: Change::Create, revision: 0, alert }
}
