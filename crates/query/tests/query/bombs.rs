//! Short queries that want a lot: each gets an answer, and the process stays small.

use std::time::{Duration, Instant};

use event::Scope;
use query::{QueryError, QueryLimits};

use crate::support::{ACME, Lab, scope};

/// As long as a constant may be, nearly.
fn long() -> String {
    "x".repeat(8_000)
}

/// A query of queries, each of which makes this of what the one before made, `$`. Two names in turn,
/// because DataFusion 55.2 takes two equal projections, one on the other, for one.
fn nested(times: usize, first: &str, make: &str) -> String {
    (0..times).fold(format!("SELECT {first} AS m0"), |sql, n| {
        let (from, to) = (format!("m{}", n % 2), format!("m{}", (n + 1) % 2));
        let events = if n == 0 && first == "message" { " FROM events" } else { "" };
        format!("SELECT {} AS {to} FROM ({sql}{events})", make.replace('$', &from))
    })
}

/// The most memory that this process ever had, in MiB.
#[cfg(target_os = "linux")]
fn peak_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the peak is told");
    let kib = line.split_whitespace().nth(1).expect("a number");
    kib.parse::<usize>().expect("a number") / 1024
}

async fn is_refused(lab: &Lab, sql: &str) -> QueryError {
    let error = lab.ask(&scope(ACME), sql).await.err();
    error.unwrap_or_else(|| panic!("it ran: {}", sql.chars().take(200).collect::<String>()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_over_everything_is_counted() {
    let lab = Lab::with(QueryLimits { memory_bytes: 16 << 20, ..QueryLimits::default() }).await;
    let many = "(SELECT a.time, a.tenant, a.status, a.event_id, a.message, b.event_id AS other FROM events a, events b, (SELECT 1 FROM events LIMIT 10) c)";
    for sql in [
        format!("SELECT *, count(*) OVER () FROM {many}"),
        format!("SELECT *, sum(status) OVER (ORDER BY time) FROM {many}"),
        format!("SELECT *, last_value(message) OVER (PARTITION BY tenant) FROM {many}"),
        format!("SELECT *, lag(message, 90000) OVER (ORDER BY event_id) FROM {many}"),
    ] {
        let error = is_refused(&lab, &sql).await;
        assert!(matches!(error, QueryError::TooMuchMemory { .. }), "{sql}: {error:?}");
    }
    for sql in [
        "SELECT count(*) OVER () FROM events LIMIT 1",
        "SELECT sum(1) OVER (ORDER BY time) FROM events ORDER BY time DESC LIMIT 1",
    ] {
        assert_eq!(lab.lines(&scope(ACME), sql).await, ["100"], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_looks_only_near_runs_over_any_number_of_rows() {
    let lab = Lab::with(QueryLimits { memory_bytes: 32 << 20, ..QueryLimits::default() }).await;
    let sql = "SELECT max(n) FROM (SELECT row_number() OVER () AS n, a.message, b.message
               FROM events a, events b, events c)";
    assert_eq!(lab.lines(&scope(ACME), sql).await, ["1000000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_beyond_all_bounds_is_refused() {
    let lab = Lab::new().await;
    let long = long();
    for (first, then) in [("message", ""), ("'ee'", ", events")] {
        for make in [
            "$ || $",
            "concat($, $)",
            "concat_ws('-', $, $)",
            "replace($, 'e', 'eeeeeeeexxxxxxxx')",
            r"regexp_replace($, '(.*)', '\1\1\1\1')",
            "overlay($ PLACING $ FROM 1 FOR 0)",
            "encode($, 'hex')",
            "array_to_string(make_array($, $), $)",
            "array_to_string(string_to_array($, NULL), 'xxxx')",
            "[$, $]",
        ] {
            let sql = format!("SELECT * FROM ({}) AS made{then}", nested(17, first, make));
            let error = is_refused(&lab, &sql).await;
            let QueryError::Invalid(text) = &error else { panic!("{make}: {error:?}") };
            assert!(text.contains(" makes ") || text.contains("too long for a join"), "{make}: {text}");
        }
    }
    for sql in [
        format!("SELECT replace(replace(message, 'e', '{long}'), 'x', '{long}') FROM events"),
        format!(
            "SELECT regexp_match(replace(message, 'e', '{long}'), '{}') FROM events",
            "(.*)".repeat(1_000)
        ),
        format!("SELECT {} FROM (SELECT '{long}' AS m) a, events", vec!["m"; 100].join(", ")),
        "SELECT array_agg(message) OVER (ORDER BY time) FROM events".to_owned(),
        "SELECT string_agg(message, ',') OVER () FROM events".to_owned(),
        "SELECT CAST(NULL AS INT[2000000000]) FROM events".to_owned(),
        "SELECT arrow_cast(NULL, 'FixedSizeBinary(2000000000)') FROM events".to_owned(),
        "SELECT array_any_match([1, 2], x -> x > 1) FROM events".to_owned(),
        format!(
            "SELECT m, unnest(string_to_array(m, NULL)) FROM (SELECT replace(message, 'e', '{long}') AS m FROM events)"
        ),
    ] {
        let error = is_refused(&lab, &sql).await;
        assert!(matches!(error, QueryError::Invalid(_)), "{sql}: {error:?}");
    }
    let gathers = format!("SELECT length(string_agg(a.message, '{long}')) FROM events a, events b, events c");
    assert!(matches!(is_refused(&lab, &gathers).await, QueryError::TooMuchMemory { .. }));
    #[cfg(target_os = "linux")]
    assert!(peak_mib() < 1_200, "{} MiB", peak_mib());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_compares_all_letters_gives_its_place_back() {
    let limits = QueryLimits { concurrent: 1, time: Duration::from_millis(500), ..QueryLimits::default() };
    let lab = Lab::with(limits).await;
    let long = long();

    let error = is_refused(
        &lab,
        &format!("SELECT levenshtein(replace(message, 'e', '{long}'), '{long}') FROM events"),
    )
    .await;
    assert_eq!(error.to_string(), "Execution error: levenshtein is not computed for texts as long as these");

    let much = format!(
        "SELECT levenshtein(m, '{}') FROM (SELECT replace(message, 'f', '{}') AS m FROM events), events",
        &long[..4_000],
        &long[..2_000]
    );
    let begun = Instant::now();
    let error = is_refused(&lab, &much).await;
    assert!(matches!(error, QueryError::TooLong { .. }), "{error:?}");
    while lab.ask(&Scope::All, "SELECT 1").await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the thread is not free");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_be_converted_is_the_callers_error() {
    let lab = Lab::new().await;
    for sql in [
        "SELECT CAST(concat('https://example.com/', event_id) AS INT) FROM events",
        "SELECT to_timestamp(concat('https://example.com/', event_id)) FROM events",
    ] {
        let error = is_refused(&lab, sql).await;
        assert!(matches!(&error, QueryError::Invalid(text) if text.contains("https://")), "{sql}: {error:?}");
    }
}
