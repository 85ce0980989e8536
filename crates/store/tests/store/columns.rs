//! Columns: alerts go in whole, tables of older versions grow, foreign tables are refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use deltalake::DeltaTableBuilder;
use deltalake::kernel::{DataType, PrimitiveType};
use deltalake::operations::create::CreateBuilder;
use event::alert::Technique;
use event::{Alert, AlertChange, Change, EventTime, Evidence, Position, Severity, Tenant};
use serde_json::json;
use store::{StoreError, StoreOptions, Table, Tables, alert_changes_batch};
use url::Url;

use crate::support::{Folder, MARCH_14, count, events, number, positions, rows};

fn change(revision: u32, change: Change) -> AlertChange {
    let at = EventTime(MARCH_14);
    let evidence = Evidence {
        time: at,
        event_id: "evt_1".to_owned(),
        position: Position { topic: Arc::from("logs.prt_acme.x"), partition: 0, offset: 7, line: 0 },
        what: "session_token.redeemed success".to_owned(),
        src_ip: Some("203.0.113.9".to_owned()),
        user_ref: None,
        api_key: None,
        route: None,
    };
    let alert = Alert {
        alert_id: "alr_1".to_owned(),
        dedup_key: "prt_acme/token.reuse.other_origin/hmac256:k3:2ded/1".to_owned(),
        detector: "token_reuse".to_owned(),
        class: "token.reuse.other_origin".to_owned(),
        rule_version: "1".to_owned(),
        title: "Token used from two networks".to_owned(),
        description: "It was redeemed twice.".to_owned(),
        tenant: Tenant::parse("prt_acme").expect("a tenant"),
        entity_type: "token".to_owned(),
        entity: "hmac256:k3:2ded".to_owned(),
        severity: Severity::High,
        page: true,
        confidence: 92,
        triggered_at: at,
        ingested_at: at + 5,
        first_seen: at - 10,
        last_seen: at,
        count: u64::from(revision) + 2,
        observed: 2.0,
        threshold: 1.0,
        baseline: None,
        parameters: BTreeMap::from([("grace_seconds".to_owned(), json!(5))]),
        details: BTreeMap::new(),
        techniques: vec![Technique {
            v18: "T1539".into(),
            v19: "T1539".into(),
            name: "Steal Web Session Cookie".into(),
        }],
        owasp_api: Some("API2".to_owned()),
        owasp_event: None,
        evidence: vec![evidence],
        query_sql: "SELECT 1".to_owned(),
        episode_open: change != Change::Close,
        late: false,
        approx: false,
    };
    AlertChange { change, revision, alert }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_alert_comes_back_as_it_went() {
    let folder = Folder::new();
    let tables = folder.open().await;
    let batch = alert_changes_batch(&[change(0, Change::Create), change(1, Change::Close)]);

    tables.append(Table::AlertChanges, vec![batch], &positions(0, 2)).await.expect("appended");

    let sql = "SELECT \"count\", parameters, evidence, day FROM alert_changes
               WHERE NOT episode_open AND severity_id >= 4 AND page AND observed > threshold";
    let answer = rows(&tables, sql).await;
    let row = &answer[0];
    assert_eq!((row.num_rows(), row.column(0).as_primitive::<Int64Type>().value(0)), (1, 3));
    assert_eq!(text(row.column(1)), "{\"grace_seconds\":5}");
    assert!(text(row.column(2)).contains("\"offset\":7"));
}

fn text(column: &arrow::array::ArrayRef) -> String {
    arrow::util::display::array_value_to_string(column, 0).expect("a text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_an_older_version_gets_the_columns_it_lacks() {
    let folder = Folder::new();
    create(
        &folder,
        &[("tenant", PrimitiveType::String), ("ours", PrimitiveType::Long), ("day", PrimitiveType::Date)],
    )
    .await;

    let tables = folder.open().await;
    let (batches, read) = events(0, 0, 10);
    tables.append(Table::Events, batches, &read).await.expect("appended");

    assert_eq!(count(&tables).await, 10);
    assert_eq!(
        number(&tables, "SELECT count(*) FROM events WHERE ours IS NULL AND kafka_offset < 5").await,
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_another_type_is_refused_by_name() {
    let folder = Folder::new();
    create(&folder, &[("tenant", PrimitiveType::Integer), ("day", PrimitiveType::Date)]).await;

    let root = Url::from_directory_path(folder.path()).expect("a path");
    let refused = Tables::open(&root, StoreOptions::default()).await.err().expect("refused");

    assert!(matches!(refused, StoreError::Unusable { table: "events", .. }), "{refused}");
    assert!(refused.to_string().contains("column tenant"), "{refused}");
}

async fn create(folder: &Folder, columns: &[(&str, PrimitiveType)]) {
    let path = folder.path().join("events");
    std::fs::create_dir_all(&path).expect("a folder");
    let url = Url::from_directory_path(path).expect("a path");
    let table = DeltaTableBuilder::from_url(url).expect("a table").build().expect("a table");
    let mut create = CreateBuilder::new().with_log_store(table.log_store()).with_partition_columns(["day"]);
    for (name, kind) in columns {
        create = create.with_column(*name, DataType::Primitive(kind.clone()), true, None);
    }
    create.await.expect("created");
}
