//! Limits of time, rows, memory, places and length, each with its own answer.

use std::time::{Duration, Instant};

use event::Scope;
use futures::StreamExt;
use query::{QueryEngine, QueryError, QueryLimits};

use crate::support::{ACME, Lab, RIVAL, scope};

/// A million million rows, of which none is needed.
const BOMB: &str = "SELECT count(*) FROM events a, events b, generate_series(1, 100000000) AS s(n)
                    WHERE a.status + b.status + s.n = 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_cartesian_bomb_is_stopped_by_time() {
    let lab = Lab::with(QueryLimits { time: Duration::from_millis(700), ..QueryLimits::default() }).await;
    let begun = Instant::now();

    let error = lab.ask(&scope(ACME), BOMB).await.err().expect("too long");

    assert!(matches!(error, QueryError::TooLong { .. }), "{error:?}");
    assert_eq!(error.to_string(), "query took longer than 0.7 s");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    wait_until_free(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_allowed_are_cut_and_the_answer_says_so() {
    let lab = Lab::with(QueryLimits { rows_max: 30, ..QueryLimits::default() }).await;
    for (sql, rows, truncated) in [
        ("SELECT * FROM events", 30, true),
        ("SELECT * FROM events ORDER BY time", 30, true),
        ("SELECT * FROM events LIMIT 30", 30, false),
        ("SELECT * FROM events LIMIT 7", 7, false),
        ("SHOW TABLES", 12, false),
    ] {
        let answer = lab.ask(&scope(ACME), sql).await.expect("an answer");
        assert_eq!(answer.truncated, truncated, "{sql}");
        assert!(answer.lines.len() == rows || sql == "SHOW TABLES", "{sql}: {}", answer.lines.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_bomb_gets_a_clear_answer() {
    let lab = Lab::with(QueryLimits { memory_bytes: 1024 * 1024, ..QueryLimits::default() }).await;
    let sql =
        "SELECT array_agg(concat(a.event_id, b.event_id, c.event_id)) FROM events a, events b, events c";

    let error = lab.ask(&scope(ACME), sql).await.err().expect("too much");

    assert_eq!(error.to_string(), "query needs more memory than it may have of the 1 MiB that all share");
    wait_until_free(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_panics_without_memory_gets_the_same_answer() {
    let lab = Lab::with(QueryLimits { memory_bytes: 4 * 1024 * 1024, ..QueryLimits::default() }).await;
    let sql = "SELECT count(*) FROM events a, events b, events c, events d WHERE a.status + b.status + c.status + d.status = 1";

    let error = lab.ask(&scope(ACME), sql).await.err().expect("too much");

    assert!(matches!(error, QueryError::TooMuchMemory { .. }), "{error:?}");
    wait_until_free(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_partner_cannot_keep_the_others_waiting() {
    let limits = QueryLimits { concurrent: 3, time: Duration::from_secs(5), ..QueryLimits::default() };
    let lab = Lab::with(limits).await;
    let (acme, rival) = (scope(ACME), scope(RIVAL));

    let bomb = lab.engine.query(&acme, BOMB).await.expect("it runs");
    let second =
        lab.engine.query(&acme, "SELECT 1").await.expect_err("one at a time for one of three places");
    assert!(matches!(second, QueryError::Busy(1)), "{second:?}");
    assert_eq!(lab.lines(&rival, "SELECT count(*) FROM events").await, ["100"]);

    // Not to listen any more stops it.
    drop(bomb);
    wait_until_free(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_can_be_left_half_way() {
    let lab = Lab::new().await;
    let sql = "SELECT a.*, b.event_id FROM events a, events b, events c, events d";
    let mut answer = lab.engine.query(&scope(ACME), sql).await.expect("it runs");
    assert!(answer.batches.next().await.expect("a batch").is_ok());
    drop(answer);
    wait_until_free(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_or_deep_sql_is_turned_away() {
    let lab = Lab::new().await;
    let acme = scope(ACME);
    let long = format!("SELECT {}1", "1+".repeat(40_000));
    let deep = format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000));
    let nested = format!("{}SELECT 1{}", "SELECT * FROM (".repeat(300), ")".repeat(300));
    for sql in [
        long,
        deep,
        nested,
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r".to_owned(),
    ] {
        let error = lab.ask(&acme, &sql).await.err().expect("turned away");
        assert!(matches!(error, QueryError::Invalid(_)), "{error:?}");
    }
    for operator in ["1+", "1 - ", "1 * "] {
        let wide = format!("SELECT {}1", operator.repeat(300));
        assert_eq!(lab.lines(&acme, &wide).await.len(), 1, "{operator}");
    }
    for operator in ["OR", "AND NOT"] {
        let wide = format!("SELECT {}1 = 1", format!("1 = 1 {operator} ").repeat(300));
        assert_eq!(lab.lines(&acme, &wide).await.len(), 1, "{operator}");
    }
    let texts = format!("SELECT {}'a'", "'a' || ".repeat(300));
    assert_eq!(lab.lines(&acme, &texts).await, ["a".repeat(301)]);
    let casts = format!("SELECT 1{}", "::INT::BIGINT".repeat(450));
    assert_eq!(lab.lines(&acme, &casts).await, ["1"]);
    let unions = vec!["SELECT 1"; 400].join(" UNION ALL ");
    assert_eq!(lab.lines(&acme, &unions).await.len(), 400);
    let list = (0..8_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(
        lab.lines(&acme, &format!("SELECT count(*) FROM events WHERE status IN ({list})")).await,
        ["100"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_may_be_dropped_where_waiting_is_not_allowed() {
    let lab = Lab::new().await;
    let other: QueryEngine = lab.engine.clone();
    let Lab { folder, engine, .. } = lab;
    drop(engine);
    let answer = other.query(&Scope::All, "SELECT 1").await.expect("it still runs");
    drop(other);
    drop(answer);
    drop(folder);
}

async fn wait_until_free(lab: &Lab) {
    for _ in 0..100 {
        if lab.ask(&scope(ACME), "SELECT 1").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the place is not free again");
}
