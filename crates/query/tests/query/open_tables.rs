//! The tables are open: other engines read from the same files what our SQL says.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use event::Scope;
use store::Table;

use crate::support::Lab;

/// The interpreter that `WATCHFIRE_PYTHON` names, which has the packages of `.ci/python.txt`.
fn interpreter() -> Option<OsString> {
    let python = std::env::var_os("WATCHFIRE_PYTHON");
    if python.is_none() {
        eprintln!("skipped: WATCHFIRE_PYTHON is not set");
    }
    python
}

/// What Python's deltalake and DuckDB count.
async fn counted_elsewhere(python: &OsStr, folder: &Path) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/query/python/open_tables.py");
    let mut run = Command::new(python);
    run.arg(script).arg(folder);
    let ran = tokio::task::spawn_blocking(move || run.output()).await.expect("nothing panics");
    let output = ran.expect("WATCHFIRE_PYTHON names an interpreter");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let install =
        "install the packages of .ci/python.txt for the interpreter in WATCHFIRE_PYTHON; README.md says how";
    assert!(!errors.contains("ModuleNotFoundError"), "{install}\n{errors}");
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("Python prints UTF-8").lines().map(str::to_owned).collect()
}

/// What our SQL says, in the same words, for each engine.
async fn counted_here(lab: &Lab) -> Vec<String> {
    let mut all = Vec::new();
    for (table, time) in [("events", "time"), ("rejects", "time"), ("alert_changes", "triggered_at")] {
        let millis = |of: &str| format!("CAST(round(date_part('epoch', {of}({time})) * 1000) AS BIGINT)");
        let (first, last) = (millis("min"), millis("max"));
        let sql = format!("SELECT tenant, count(*), {first}, {last} FROM {table} GROUP BY 1 ORDER BY 1");
        let rows = lab.lines(&Scope::All, &sql).await;
        for engine in ["deltalake", "duckdb"] {
            all.extend(rows.iter().map(|row| format!("{engine} {table} {row}")));
        }
    }
    all
}

#[tokio::test]
async fn deltalake_and_duckdb_count_the_same_rows_as_our_sql() {
    let Some(python) = interpreter() else { return };
    let lab = Lab::new().await;
    let here = counted_here(&lab).await;
    assert_eq!(here.len(), 12, "{here:?}");
    assert_eq!(counted_elsewhere(&python, lab.folder.path()).await, here);
}

#[tokio::test]
async fn they_count_the_same_once_the_files_were_put_together() {
    let Some(python) = interpreter() else { return };
    let lab = Lab::new().await;
    for n in 0..4 {
        let more = event::EventRow { outcome: Some("success".into()), ..event::EventRow::default() };
        crate::coverage::append(&lab, crate::support::ACME, n, "login", more).await;
    }
    lab.tables.compact(Table::Events).await.expect("it is compacted");
    assert_eq!(counted_elsewhere(&python, lab.folder.path()).await, counted_here(&lab).await);
}
