//! `watchfire explain`: what becomes of each line, and why.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::harness::watchfire;

/// A line in a wrapper, with a secret; one that nobody knows; one of a known source that lacks its time.
const LINES: &str = r#"{"log":"192.0.2.1 - - [14/Mar/2026:09:30:00 +0000] \"GET /a?password=hunter2 HTTP/1.1\" 200 5 \"-\" \"curl\"\n","stream":"stdout","time":"2026-03-14T09:30:00.5Z"}

hello
{"event":"login","partner_id":"prt_acme"}
"#;

fn explain(args: &[&str]) -> Output {
    let empty = tempfile::tempdir().unwrap();
    let mut command = watchfire();
    command.arg("explain").args(["--received", "2026-03-14T10:00:00Z"]).args(args).current_dir(empty.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(LINES.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(empty.path().read_dir().unwrap().next().is_none(), "it leaves nothing behind");
    output
}

#[test]
fn each_line_is_told_step_by_step() {
    let output = explain(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    for expected in [
        "line 1  192.0.2.1",
        "unwrapped   docker",
        "recognised  nginx_combined: a template of 8 fields fits (high confidence)",
        "redacted    password:query_redacted",
        "line 3  hello",
        "rejected    unknown_format: no source recognises the line",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 events, 2 rejects"));
}

#[test]
fn as_json_each_line_is_an_object_with_the_flat_columns() {
    let output = explain(&["--json", "--source", "partner"]);
    let rows: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let said: Vec<_> =
        rows.iter().map(|row| (row["line"].as_i64().unwrap(), row["reason"].as_str().unwrap())).collect();
    assert_eq!(said, [(1, "missing_field"), (3, "invalid_json"), (4, "missing_field")]);
    let rows = explain(&["--json"]).stdout;
    let first: Value = serde_json::from_slice(rows.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(
        (&first["verdict"], &first["src_ip"], &first["status"]),
        (&"event".into(), &"192.0.2.1".into(), &200.into())
    );
    assert_eq!((&first["recognised"], &first["confidence"]), (&"nginx_combined".into(), &"high".into()));
}
