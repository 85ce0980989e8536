//! Questions and their answers, as data: `tests/queries/*.slt`.
//!
//! A case is `query`, the SQL, `----`, the rows as text. The caller is `prt_acme`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use event::Scope;
use query::QueryEngine;

use crate::support::{ACME, EVENTS, Lab, scope};

#[tokio::test(flavor = "multi_thread")]
async fn every_query_gives_its_answer() {
    let lab = Lab::new().await;
    let mut wrong = String::new();
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let cases: Vec<&str> =
            text.split("\n\n").map(without_comments).filter(|case| case.starts_with("query")).collect();
        assert!(!cases.is_empty(), "{} has no case", file.display());
        for case in cases {
            let (sql, expected) = case.split_once("\n----").expect("a case has SQL, ---- and rows");
            let sql = sql.trim_start_matches("query").trim();
            let expected: Vec<&str> = expected.trim().lines().collect();
            let answer = match lab.ask(&scope(ACME), sql).await {
                Ok(answer) => answer.lines,
                Err(error) => vec![format!("error: {error}")],
            };
            if answer != expected {
                write!(wrong, "\n{}:\n{sql}\n----\n{}\n", file.display(), answer.join("\n"))
                    .expect("a string grows");
            }
        }
    }
    assert!(wrong.is_empty(), "other answers:\n{wrong}");
}

fn without_comments(case: &str) -> &str {
    match case.strip_prefix("# ") {
        Some(comment) => comment.split_once("\n").map_or("", |(_, rest)| rest),
        None => case,
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/queries");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_see_all_sees_all_and_who_may_see_none_sees_none() {
    let lab = Lab::new().await;
    let count = "SELECT count(*) FROM events";
    assert_eq!(lab.lines(&Scope::All, count).await, [(2 * EVENTS).to_string()]);
    assert_eq!(lab.lines(&Scope::All, "SELECT * FROM events LIMIT 150").await.len(), 150);
    assert_eq!(lab.lines(&scope(ACME), count).await, [EVENTS.to_string()]);
    assert_eq!(lab.lines(&scope("prt_nobody"), count).await, ["0"]);
    assert_eq!(lab.lines(&Scope::Tenants([].into()), count).await, ["0"]);
    let both = Scope::Tenants(
        [ACME, crate::support::RIVAL].map(|id| event::Tenant::parse(id).expect("a tenant")).into(),
    );
    assert_eq!(lab.lines(&both, "SELECT count(*) FROM alerts").await, ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_later_are_seen_by_the_next_query() {
    let lab = Lab::new().await;
    let (acme, count) = (scope(ACME), "SELECT count(*) FROM events");
    assert_eq!(lab.lines(&acme, count).await, ["100"]);
    let mut builder = event::EventBatchBuilder::default();
    builder.append(&event::EventRow { tenant: Some(ACME.into()), ..event::EventRow::default() });
    let mut positions = event::Positions::default();
    positions.read(&std::sync::Arc::from("watchfire.events"), 0, 2);
    let batch = builder.finish().into_arrow();
    lab.tables.append(store::Table::Events, vec![batch], &positions).await.expect("appended");
    assert_eq!(lab.lines(&acme, count).await, ["101"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_column_can_be_asked_for() {
    let lab = Lab::new().await;
    for table in QueryEngine::tables_doc() {
        let answer = lab.engine.query(&scope(ACME), &format!("SELECT * FROM {} LIMIT 1", table.name)).await;
        let schema = answer.expect("an answer").schema.clone();
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let documented: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(columns, documented, "{}", table.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_what_is_behind_the_wall_as_a_name() {
    let lab = Lab::new().await;
    let sql = "EXPLAIN SELECT tenant FROM events WHERE status = 401 AND user_ref::INT > 3";
    let plan = lab.lines(&scope(ACME), sql).await.join("\n");
    assert!(plan.contains("partial_filters=[events.status = Int32(401)]"), "{plan}");
    assert!(plan.contains("Rows: events"), "{plan}");
    for hidden in ["parquet", "file", "prt_", "Delta"] {
        assert!(!plan.contains(hidden), "{hidden}: {plan}");
    }
}
