//! A folder with tables in it, rows to append, and a way to count what is there.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use deltalake::datafusion::prelude::SessionContext;
use event::{EventBatchBuilder, EventRow, EventTime, Positions};
use store::{StoreOptions, Table, Tables};
use url::Url;

pub(crate) const TOPIC: &str = "watchfire.events";
/// 2026-03-14T09:26:53.589Z.
pub(crate) const MARCH_14: i64 = 1_773_480_413_589;
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A folder that is gone at the end of the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    pub(crate) async fn open(&self) -> Tables {
        self.open_with(StoreOptions::default()).await
    }

    pub(crate) async fn open_with(&self, options: StoreOptions) -> Tables {
        let root = Url::from_directory_path(self.path()).expect("an absolute path");
        Tables::open(&root, options).await.expect("the tables open")
    }
}

/// One event per offset in `from..to` of a partition, and the positions that go with them.
pub(crate) fn events(partition: i32, from: i64, to: i64) -> (Vec<RecordBatch>, Positions) {
    let mut builder = EventBatchBuilder::default();
    for offset in from..to {
        let time = Some(EventTime(MARCH_14 + offset));
        builder.append(&EventRow {
            event_id: Some(format!("evt_{partition}_{offset}").into()),
            tenant: Some("prt_acme".into()),
            time,
            ingest_time: time,
            kafka_topic: Some("logs.prt_acme.x".into()),
            kafka_partition: Some(partition),
            kafka_offset: Some(offset),
            flags: vec!["late".into()],
            ..EventRow::default()
        });
    }
    (vec![builder.finish().into_arrow()], positions(partition, to))
}

/// Positions of one partition that was read up to `next`.
pub(crate) fn positions(partition: i32, next: i64) -> Positions {
    let mut positions = Positions::default();
    positions.read(&Arc::from(TOPIC), partition, next - 1);
    positions
}

/// What a query that gives one number gives, with the three tables under their names.
pub(crate) async fn number(tables: &Tables, sql: &str) -> i64 {
    let answer = rows(tables, sql).await;
    answer[0].column(0).as_primitive::<Int64Type>().value(0)
}

pub(crate) async fn rows(tables: &Tables, sql: &str) -> Vec<RecordBatch> {
    let session = SessionContext::new();
    for table in Table::ALL {
        let provider = tables.provider(table).await.expect("a provider");
        session.register_table(table.name(), provider).expect("a free name");
    }
    session.sql(sql).await.expect("a plan").collect().await.expect("an answer")
}

pub(crate) async fn count(tables: &Tables) -> i64 {
    number(tables, "SELECT count(*) FROM events").await
}
