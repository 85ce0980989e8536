//! Whatever text comes in, an answer or an error comes out.

use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use query::{QueryError, QueryLimits};
use tokio::runtime::Runtime;

use crate::support::{ACME, Lab, SECRET, scope};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static LAB: LazyLock<Lab> = LazyLock::new(|| {
    let limits = QueryLimits { time: Duration::from_secs(5), rows_max: 1_000, ..QueryLimits::default() };
    RUNTIME.block_on(Lab::with(limits))
});

/// Words that SQL is made of, and some that it is not.
const WORDS: &[&str] = &[
    "SELECT",
    "*",
    "FROM",
    "events",
    "alerts",
    "WHERE",
    "tenant",
    "=",
    "'prt_acme'",
    "AND",
    "OR",
    "NOT",
    "(",
    ")",
    ",",
    "count(*)",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "1",
    "-1",
    "0.5",
    "NULL",
    "UNION ALL",
    "JOIN",
    "ON",
    "USING",
    "WITH x AS (SELECT 1)",
    "CASE WHEN",
    "THEN",
    "END",
    "::INT",
    "||",
    "/",
    "status",
    "time",
    "INTERVAL '1 day'",
    "date_trunc('day', time)",
    "EXPLAIN",
    "DESCRIBE",
    ";",
    "--",
    "/*",
    "\"",
    "'",
    "$1",
    "[1]",
    "array_agg(flags)",
    "unnest(flags)",
    "OVER ()",
    "LATERAL",
    "VALUES (1)",
    "substr(raw, -1)",
    "\u{0}",
    "é",
    "lag(status)",
];

fn never_panics(sql: &str) -> Result<(), TestCaseError> {
    let answer = RUNTIME.block_on(LAB.ask(&scope(ACME), sql));
    match answer {
        Ok(answer) => prop_assert!(answer.lines.iter().all(|line| !line.contains(SECRET))),
        Err(QueryError::Unavailable(cause)) => prop_assert!(false, "{sql}: {cause}"),
        Err(error) => {
            let text = error.to_string();
            prop_assert!(!text.contains("cannot run this query"), "{sql}: the engine panicked");
            prop_assert!(!text.contains(SECRET), "{sql}: {text}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(sql in ".{0,200}") {
        never_panics(&sql)?;
    }

    #[test]
    fn any_words_are_answered(words in proptest::collection::vec(proptest::sample::select(WORDS), 1..25)) {
        never_panics(&words.join(" "))?;
    }

    #[test]
    fn any_condition_is_answered(words in proptest::collection::vec(proptest::sample::select(WORDS), 1..12)) {
        never_panics(&format!("SELECT * FROM events WHERE {}", words.join(" ")))?;
    }
}
