//! Tables with two partners' rows in them, and ways to ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use event::{
    Alert, AlertChange, Change, EventBatchBuilder, EventRow, EventTime, Positions, RejectBatchBuilder,
    RejectRow, Scope, Severity, Tenant,
};
use futures::TryStreamExt;
use query::{QueryEngine, QueryError, QueryLimits};
use store::{StoreOptions, Table, Tables, alert_changes_batch};
use url::Url;

/// 2026-03-14T09:26:53.589Z.
const MARCH_14: i64 = 1_773_480_413_589;

/// The two partners. Whatever is the second one's has this word in it.
pub(crate) const ACME: &str = "prt_acme";
pub(crate) const RIVAL: &str = "prt_rival";
pub(crate) const SECRET: &str = "rival";

/// Events that each partner has.
pub(crate) const EVENTS: usize = 100;

/// An engine over a folder that is gone at the end of the test.
pub(crate) struct Lab {
    pub(crate) engine: QueryEngine,
    pub(crate) tables: Tables,
    pub(crate) folder: tempfile::TempDir,
}

/// An answer as text, one line a row, values apart by a space.
pub(crate) struct Answer {
    pub(crate) lines: Vec<String>,
    pub(crate) truncated: bool,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(QueryLimits::default()).await
    }

    pub(crate) async fn with(limits: QueryLimits) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Url::from_directory_path(folder.path()).expect("an absolute path");
        let tables = Tables::open(&root, StoreOptions::default()).await.expect("the tables open");
        fill(&tables).await;
        let spill = folder.path().join("spill");
        let engine = QueryEngine::new(tables.clone(), limits, Some(spill)).expect("an engine");
        Self { engine, tables, folder }
    }

    pub(crate) async fn ask(&self, scope: &Scope, sql: &str) -> Result<Answer, QueryError> {
        let answer = self.engine.query(scope, sql).await?;
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
        let lines = batches.iter().flat_map(lines).collect();
        Ok(Answer { lines, truncated: answer.truncated.load(Ordering::Acquire) })
    }

    pub(crate) async fn lines_or_error(&self, scope: &Scope, sql: &str) -> Vec<String> {
        self.ask(scope, sql).await.map_or_else(|error| vec![error.to_string()], |answer| answer.lines)
    }

    pub(crate) async fn lines(&self, scope: &Scope, sql: &str) -> Vec<String> {
        self.ask(scope, sql)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", sql.chars().take(200).collect::<String>()))
            .lines
    }
}

pub(crate) fn scope(tenant: &str) -> Scope {
    Scope::Tenants([Tenant::parse(tenant).expect("a tenant")].into())
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    let line = |row: usize| {
        let values =
            batch.columns().iter().map(|column| array_value_to_string(column, row).expect("a value"));
        values.collect::<Vec<_>>().join(" ")
    };
    (0..batch.num_rows()).map(line).collect()
}

/// The same for both partners, but that every text of the second one says whose it is.
async fn fill(tables: &Tables) {
    let (mut events, mut rejects, mut changes) =
        (EventBatchBuilder::default(), RejectBatchBuilder::default(), Vec::new());
    for tenant in [ACME, RIVAL] {
        let word = tenant.trim_start_matches("prt_");
        for n in 0..EVENTS as i64 {
            let time = Some(EventTime(MARCH_14 + n * 1_000));
            events.append(&EventRow {
                event_id: Some(format!("evt_{word}_{n}").into()),
                tenant: Some(tenant.into()),
                time,
                ingest_time: time,
                // Only the first partner's user names are numbers: converting the other's fails.
                user_ref: Some(if tenant == ACME { n.to_string() } else { format!("usr_{word}_{n}") }.into()),
                action: Some(if n % 10 == 0 { "login" } else { "http.request" }.into()),
                outcome: Some(if n % 4 == 0 { "failure" } else { "success" }.into()),
                status: Some(if n % 4 == 0 {
                    401
                } else if tenant == ACME {
                    200
                } else {
                    0
                }),
                src_ip: Some(format!("203.0.113.{}", n % 20).into()),
                message: Some(format!("secret of {word}").into()),
                ..EventRow::default()
            });
        }
        rejects.append(&RejectRow {
            reject_id: Some(format!("rej_{word}").into()),
            tenant: Some(tenant.into()),
            time: Some(EventTime(MARCH_14)),
            reason: Some("invalid_json".into()),
            excerpt: Some(format!("excerpt of {word}").into()),
            ..RejectRow::default()
        });
        changes.extend([change(tenant, word, 0, Change::Create), change(tenant, word, 1, Change::Update)]);
    }
    append(tables, Table::Events, events.finish().into_arrow()).await;
    append(tables, Table::Rejects, rejects.finish().into_arrow()).await;
    append(tables, Table::AlertChanges, alert_changes_batch(&changes)).await;
}

async fn append(tables: &Tables, table: Table, batch: RecordBatch) {
    let mut positions = Positions::default();
    positions.read(&Arc::from(table.topic()), 0, 1);
    tables.append(table, vec![batch], &positions).await.expect("appended");
}

fn change(tenant: &str, word: &str, revision: u32, change: Change) -> AlertChange {
    let at = EventTime(MARCH_14);
    let alert = Alert {
        alert_id: format!("alr_{word}"),
        dedup_key: format!("{tenant}/login.burst/x/1"),
        detector: "failed_login_burst".to_owned(),
        class: "login.burst".to_owned(),
        rule_version: "1".to_owned(),
        title: format!("Failed logins at {word}"),
        description: String::new(),
        tenant: Tenant::parse(tenant).expect("a tenant"),
        entity_type: "user".to_owned(),
        entity: word.to_owned(),
        severity: Severity::High,
        page: true,
        confidence: 90,
        triggered_at: at,
        ingested_at: at,
        first_seen: at,
        last_seen: at,
        count: u64::from(revision) + 5,
        observed: 5.0,
        threshold: 5.0,
        baseline: None,
        parameters: BTreeMap::new(),
        details: BTreeMap::new(),
        techniques: Vec::new(),
        owasp_api: None,
        owasp_event: None,
        evidence: Vec::new(),
        query_sql: String::new(),
        episode_open: true,
        late: false,
        approx: false,
    };
    AlertChange { change, revision, alert }
}
