//! Tables with two partners' events in them.

use std::path::Path;
use std::sync::Arc;

use event::{EventBatchBuilder, EventRow, EventTime, Positions};
use reqwest::Url;
use store::{StoreOptions, Table, Tables};
use tokio::sync::OnceCell;

/// Events that each partner has.
pub(crate) const EVENTS: i64 = 1_000;

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
                message: Some(format!("{tenant}, \"quoted\"\nand on two lines").into()),
                ..EventRow::default()
            });
        }
    }
    let mut positions = Positions::default();
    positions.read(&Arc::from(Table::Events.topic()), 0, 1);
    tables.append(Table::Events, vec![events.finish().into_arrow()], &positions).await.unwrap();
    tables
}
