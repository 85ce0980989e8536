//! Attempts to see another partner's rows, or anything else. Each is a template that is tried from
//! both sides, alone and inside others.

use event::{EventRow, Scope};
use query::QueryError;
use testkit::escapes::Escapes;

use crate::coverage;
use crate::support::{ACME, Lab, RIVAL, SECRET, scope};

/// What may be asked, and must answer with own rows only.
const READS: &[&str] = &[
    "SELECT * FROM {table}",
    "SELECT * FROM {table} WHERE tenant = '{other}'",
    "SELECT * FROM {table} WHERE tenant = '{own}' OR tenant = '{other}' OR 1 = 1",
    "SELECT * FROM {table} WHERE tenant <> '{own}'",
    "SELECT * FROM {table} WHERE tenant IN ('{own}', '{other}') OR tenant IS NULL",
    "SELECT * FROM {table} UNION ALL SELECT * FROM {table}",
    "SELECT * FROM {table} UNION SELECT * FROM {table} WHERE tenant = '{other}'",
    "SELECT * FROM {table} EXCEPT SELECT * FROM {table} WHERE tenant = '{own}'",
    "SELECT * FROM (SELECT * FROM {table}) AS t WHERE t.tenant LIKE '%'",
    "SELECT a.* FROM {table} a JOIN {table} b ON a.tenant <> b.tenant OR true",
    "SELECT a.*, b.* FROM {table} a LEFT JOIN {table} b ON b.tenant = '{other}'",
    "SELECT * FROM {table} WHERE EXISTS (SELECT 1 FROM {table} o WHERE o.tenant = '{other}')",
    "SELECT (SELECT max(tenant) FROM {table})",
    "SELECT max(tenant), min(tenant), count(DISTINCT tenant), array_agg(DISTINCT tenant) FROM {table}",
    "SELECT *, lag(tenant) OVER (ORDER BY tenant) FROM {table}",
    "SELECT tenant, count(*) FROM {table} GROUP BY ROLLUP (tenant)",
    "WITH {table} AS (SELECT * FROM {table}) SELECT * FROM {table}",
    "WITH x AS (SELECT * FROM {table}), {table} AS (SELECT * FROM x) SELECT * FROM {table}",
    "WITH tenant AS (SELECT '{other}') SELECT * FROM {table}, tenant",
    "SELECT * FROM public.{table}",
    "SELECT * FROM watchfire.public.{table}",
    "SELECT * FROM \"{table}\"",
    "SELECT * FROM {table} ORDER BY tenant DESC LIMIT 5",
    "SELECT * FROM {table} LIMIT 5 OFFSET 100",
    "SELECT * FROM {table} WHERE CAST(tenant AS VARCHAR) = '{other}'",
    "SELECT * FROM {table} WHERE tenant BETWEEN 'a' AND 'z'",
    "SELECT * FROM {table} WHERE NOT (tenant = '{own}')",
    "SELECT * FROM {table} WHERE coalesce(tenant, '') || '' = '{other}'",
    "SELECT * FROM {table} WHERE tenant = (SELECT '{other}')",
    "SELECT '{own}' AS tenant, count(*) FROM {table} GROUP BY tenant",
    "EXPLAIN SELECT * FROM {table} WHERE tenant = '{own}'",
    "DESCRIBE {table}",
    "SHOW COLUMNS FROM {table}",
    "SHOW TABLES",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.views",
    "SELECT * FROM information_schema.schemata",
    "SELECT routine_name FROM information_schema.routines",
];

/// What must be refused.
const FORBIDDEN: &[&str] = &[
    "SELECT * FROM information_schema.df_settings",
    "SHOW ALL",
    "SHOW datafusion.runtime.temp_directory",
    "SET datafusion.catalog.information_schema = true",
    "RESET datafusion.execution.batch_size",
    "COPY {table} TO '{folder}/out.csv' STORED AS CSV",
    "COPY (SELECT * FROM {table}) TO '{folder}/out.parquet'",
    "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '{folder}/events/'",
    "CREATE TABLE x AS SELECT * FROM {table}",
    "CREATE VIEW {table} AS SELECT * FROM {table}",
    "CREATE OR REPLACE VIEW x AS SELECT 1",
    "SELECT * INTO x FROM {table}",
    "INSERT INTO {table} SELECT * FROM {table}",
    "WITH x AS (SELECT 1) INSERT INTO {table} SELECT * FROM x",
    "DELETE FROM {table}",
    "UPDATE {table} SET tenant = '{own}'",
    "TRUNCATE TABLE {table}",
    "DROP TABLE {table}",
    "ALTER TABLE {table} ADD COLUMN x INT",
    "CREATE FUNCTION f() RETURNS INT RETURN 1",
    "PREPARE p AS SELECT * FROM {table} WHERE tenant = $1",
    "EXECUTE p('{other}')",
    "EXPLAIN ANALYZE SELECT * FROM {table}",
    "EXPLAIN VERBOSE SELECT * FROM {table}",
    "EXPLAIN COPY {table} TO '{folder}/x'",
    "SELECT * FROM {table}; DROP TABLE {table}",
    "SELECT 1; SELECT * FROM {table}",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM \"file:///etc/passwd\"",
    "SELECT * FROM '{folder}/events/day=2026-03-14/*.parquet'",
    "SELECT * FROM \"{folder}/events\"",
    "SELECT * FROM 'events.parquet'",
    "SELECT * FROM read_parquet('{folder}/events')",
    "SELECT * FROM parquet_metadata('{folder}/events')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM delta_scan('{folder}/events')",
    "SELECT * FROM other.public.{table}",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM {table} WHERE tenant = $1",
    "SELECT * FROM {table} WHERE tenant = @@tenant",
    "SELECT input_file_name() FROM {table}",
    "SELECT file_row_index() FROM {table}",
    "SELECT __delta_rs_path FROM {table}",
    "SELECT * FROM {table}@v1",
    "SELECT * FROM {table} VERSION AS OF 0",
    "ATTACH DATABASE '{folder}' AS x",
    "LOAD DATA INPATH '/etc/passwd' INTO TABLE {table}",
];

/// Queries that fail, or not, depending on a row. They must not depend on another partner's: all
/// numbers of the first partner's convert, none of the second's does.
const ORACLES: &[&str] = &[
    "SELECT count(*) FROM events WHERE CAST(user_ref AS INT) >= 0",
    "SELECT count(*) FROM events WHERE 100 / status >= 0",
    "SELECT count(*) FROM events WHERE tenant = '{other}' AND CAST(user_ref AS INT) = 1",
    "SELECT sum(user_ref::INT) FROM events",
    "SELECT count(*) FROM events WHERE CASE WHEN tenant = '{other}' THEN CAST(message AS INT) = 1 ELSE true END",
    "SELECT max(100 / status) FROM events",
    "SELECT a.user_ref FROM events a JOIN events b ON CAST(a.user_ref AS INT) = CAST(b.user_ref AS INT)",
    "SELECT count(*) FROM events WHERE user_ref::INT IN (SELECT status FROM events)",
    "SELECT user_ref::INT FROM events ORDER BY user_ref::INT DESC LIMIT 3",
    "SELECT count(*) FILTER (WHERE user_ref::INT > 3) FROM events",
];

fn filled(template: &str, table: &str, own: &str, other: &str, folder: &str) -> String {
    template
        .replace("{table}", table)
        .replace("{own}", own)
        .replace("{other}", other)
        .replace("{folder}", folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_only_own_rows_are_answered() {
    let lab = Lab::new().await;
    // The view of coverage looks at the last days alone.
    for tenant in [ACME, RIVAL] {
        coverage::append(&lab, tenant, 1, &format!("requests {tenant}"), EventRow::default()).await;
    }
    let folder = lab.folder.path().to_string_lossy().into_owned();
    let mut tried = 0;
    for (own, other) in [(ACME, RIVAL), (RIVAL, ACME)] {
        let foreign = if own == ACME { SECRET } else { "acme" };
        for template in READS {
            // The name of the other partner in the question must not be taken for an answer.
            for table in ["events", "alert_changes", "alerts", "coverage", "rejects"] {
                let whole =
                    if table == "events" || template.len() < 40 { wrap(template) } else { Vec::new() };
                for wrapped in whole {
                    let sql = filled(&wrapped, table, own, other, &folder);
                    let answer = lab.ask(&scope(own), &sql).await;
                    check(&sql, answer.map(|answer| answer.lines), foreign, &folder);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 200, "{tried}");
}

/// A query alone, as a sub-query, as a common table and under a set operation.
fn wrap(template: &str) -> Vec<String> {
    let mut all = vec![template.to_owned()];
    if template.starts_with("SELECT *") {
        all.push(format!("SELECT * FROM ({template}) AS outer_query"));
        all.push(format!("WITH c AS ({template}) SELECT * FROM c UNION ALL SELECT * FROM c"));
    }
    all
}

fn check(sql: &str, answer: Result<Vec<String>, QueryError>, foreign: &str, folder: &str) {
    let texts = match answer {
        Ok(lines) => lines,
        Err(error @ (QueryError::Invalid(_) | QueryError::Refused(_))) => vec![error.to_string()],
        Err(other) => panic!("{sql}: {other:?}"),
    };
    for text in texts {
        // A constant of the question may come back as a column of its own, or as a predicate.
        let text = text.replace(&format!("'prt_{foreign}'"), "").replace(&format!("\"prt_{foreign}\""), "");
        let echoed =
            sql.contains("AS tenant") || sql.contains("(SELECT 'prt_") || sql.contains("tenant AS (");
        let text = if echoed { text.replace(&format!("prt_{foreign}"), "") } else { text };
        assert!(!text.contains(foreign), "{sql}\nanswers {text}");
        assert!(!text.contains(folder) && !text.contains(".parquet"), "{sql}\nnames a file: {text}");
    }
}

/// Statements made up for each side, unless WATCHFIRE_ESCAPES says how many.
const MADE_UP: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_made_up_only_own_rows_are_answered() {
    let lab = Lab::new().await;
    tokio::join!(try_to_see(&lab, ACME, RIVAL, SECRET), try_to_see(&lab, RIVAL, ACME, "acme"));
}

#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn made_up() -> usize {
    std::env::var("WATCHFIRE_ESCAPES").map_or(MADE_UP, |n| n.parse().expect("a number"))
}

async fn try_to_see(lab: &Lab, own: &str, other: &str, foreign: &str) {
    let tables = ["events", "alert_changes", "alerts", "rejects"];
    let made_up = made_up();
    let (mut answered, mut rows) = (0, 0);
    for sql in Escapes::new(1, own, other, &tables).take(made_up) {
        let told = match lab.ask(&scope(own), &sql).await {
            Ok(answer) => {
                answered += 1;
                rows += answer.lines.len();
                answer.lines.join("\n").to_lowercase()
            }
            // What was asked may be named in what is wrong with it.
            Err(error) => error.to_string().replace(other, ""),
        };
        assert!(!told.contains(foreign), "{sql}\nanswers {told}");
    }
    println!("{own}: {answered} of {made_up} answered, {rows} rows, none of {other}");
    assert!(answered * 10 >= made_up * 9, "most of it can be asked: {answered}");
    assert!(rows > made_up, "there is something to see: {rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_reading_our_tables_is_refused() {
    let lab = Lab::new().await;
    let folder = lab.folder.path().to_string_lossy().into_owned();
    for (own, other) in [(ACME, RIVAL), (RIVAL, ACME)] {
        for template in FORBIDDEN {
            for scope in [scope(own), Scope::All] {
                let sql = filled(template, "events", own, other, &folder);
                match lab.ask(&scope, &sql).await {
                    Ok(answer) => panic!("{sql}\nanswers {:?}", answer.lines),
                    Err(QueryError::Invalid(text) | QueryError::Refused(text)) => {
                        let text = if sql.contains(&folder) { text.replace(&folder, "") } else { text };
                        assert!(!text.contains(&folder), "{sql}: {text}");
                    }
                    Err(error) => panic!("{sql}: {error:?}"),
                }
            }
        }
    }
    let left: Vec<_> =
        std::fs::read_dir(lab.folder.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 4, "three tables and the folder to spill to: {left:?}");
    assert_eq!(lab.lines(&Scope::All, "SELECT count(*) FROM events").await, ["200"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_tells_nothing_of_other_partners_rows() {
    let lab = Lab::new().await;
    for template in ORACLES {
        let sql = filled(template, "events", ACME, RIVAL, "");
        let answer = lab.ask(&scope(ACME), &sql).await;
        assert!(answer.is_ok(), "{sql}: {}", answer.err().expect("an error"));
    }
    let own = lab.ask(&scope(RIVAL), ORACLES[0]).await.err().expect("one's own rows may not convert");
    assert!(own.to_string().contains("usr_rival_"), "{own}");
}
