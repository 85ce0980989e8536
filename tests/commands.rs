//! The commands beside `serve`, as a person meets them.

use crate::harness::{Home, partner, watchfire};

#[test]
fn check_accepts_the_example_configuration_and_names_the_sources() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../watchfire.example.toml");
    let checked = watchfire().args(["check", "--config", example]).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(said.contains("partner") && said.contains("sshd"), "{said}");
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("watchfire.toml");
    std::fs::write(&file, "[server]\nlissten = '127.0.0.1:1'\n").unwrap();
    let checked = watchfire().arg("check").arg("--config").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && said.contains("lissten"), "{said}");
}

#[test]
fn the_same_seed_generates_the_same_lines() {
    let generate = |seed: &str| {
        let made = watchfire()
            .args([
                "generate",
                "--seed",
                seed,
                "--events",
                "2000",
                "--start",
                "2026-03-14T09:00:00Z",
                "--out",
                "-",
            ])
            .output()
            .unwrap();
        assert!(made.status.success());
        made.stdout
    };
    assert_eq!(generate("5"), generate("5"));
    assert_ne!(generate("5"), generate("6"));
}

#[test]
fn query_prints_a_table_and_refuses_to_write() {
    let partner = partner("query");
    let mut home = Home::new("");
    let mut server = home.start();
    server.send(
        &partner,
        "x",
        &["203.0.113.24 - - [14/Mar/2026:09:26:53 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\""],
    );
    server.until_stored(&partner, 1);
    let ask = |sql: &str| {
        watchfire()
            .args(["query", "--url", &server.api, sql])
            .env("WATCHFIRE_TOKEN", &server.token)
            .output()
            .unwrap()
    };
    let answered = ask(&format!("SELECT method, status FROM events WHERE tenant = '{partner}'"));
    let table = String::from_utf8_lossy(&answered.stdout).into_owned();
    assert!(answered.status.success() && table.contains("| GET") && table.contains("1 rows"), "{table}");
    for refused in ["DROP TABLE events", "COPY events TO 'x.csv'", "SELECT * FROM '/etc/passwd'"] {
        assert!(!ask(refused).status.success(), "{refused}");
    }
    server.stop();
}

#[test]
fn report_tells_what_a_key_did_to_who_may_see_it() {
    let partner = partner("report");
    let mut home = Home::new("");
    let mut server = home.start();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/aws_apigw/sample.log");
    let samples = std::fs::read_to_string(samples).unwrap();
    server.send(&partner, "x", &[samples.lines().next().unwrap()]);
    server.until_stored(&partner, 1);
    let (theirs, other) = (home.token_for(&partner), home.token_for("prt_other"));
    let report = |token: &str| {
        watchfire()
            .args(["report", "key", "a1b2c3d4e5", "--until", "2026-03-15T00:00:00Z", "--url", &server.api])
            .env("WATCHFIRE_TOKEN", token)
            .output()
            .unwrap()
    };
    let told = report(&theirs);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert!(text.starts_with("a1b2c3d4e5\n") && text.contains("203.0.113.24"), "{text}");
    let refused = report(&other);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("Not found (404)"), "{said}");
    server.stop();
}

#[test]
fn a_listener_beyond_loopback_is_refused_with_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let refused =
        watchfire().args(["serve", "--listen", "0.0.0.0:0", "--data-dir"]).arg(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("allow_insecure_listen"), "{said}");
}

#[test]
fn each_value_of_a_series_is_scored_and_a_bad_row_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (series, scores) = (dir.path().join("series.csv"), dir.path().join("scores.csv"));
    let value = |n: i32| if n == 900 { 500 } else { 100 + n * 7 % 13 };
    let rows: String = (0..1_000).map(|n| format!("{},{}\n", 1_700_000_000 + n * 300, value(n))).collect();
    std::fs::write(&series, format!("timestamp,value\n{rows}")).unwrap();
    let scored = watchfire().arg("score").arg(&series).arg("--out").arg(&scores).output().unwrap();
    let said = String::from_utf8_lossy(&scored.stderr).into_owned();
    assert!(scored.status.success() && said.starts_with("1000 values, "), "{said}");
    let scores = std::fs::read_to_string(&scores).unwrap();
    let first = scores.lines().skip(1).find(|row| is_alarm(row));
    assert!(scores.starts_with("timestamp,value,anomaly_score\n") && scores.lines().count() == 1_001);
    assert!(first.is_some_and(|row| row.starts_with("1700270000,500,")), "{first:?}");

    std::fs::write(&series, "timestamp,value\n1700000000,1\n1700000300,many\n").unwrap();
    let refused = watchfire().arg("score").arg(&series).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("series.csv") && said.contains("line 3"), "{said}");
}

fn is_alarm(row: &str) -> bool {
    row.rsplit(',').next().and_then(|score| score.parse().ok()).is_some_and(|score: f64| score >= 0.5)
}
