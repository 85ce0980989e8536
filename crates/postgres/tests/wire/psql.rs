//! psql, as its users call it.

use alerting::Role;
use event::Scope;

use crate::support::{ACME, EVENTS, Lab};

#[tokio::test]
async fn rows_come_as_postgresql_would_write_them() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let sql = "SELECT time, tenant, status, status = 401, NULL, 1.5::float8, 12.50::numeric(5,2) \
               FROM events ORDER BY time LIMIT 2";
    let answer = lab.answer(&token, sql).await;
    assert_eq!(
        answer,
        "2026-03-14 09:26:53.589+00|prt_acme|401|t||1.5|12.50\n2026-03-14 09:26:54.589+00|prt_acme|200|f||1.5|12.50"
    );
    assert_eq!(lab.answer(&token, "SELECT count(*) FROM events").await, EVENTS.to_string());
    assert_eq!(lab.answer(&token, "BEGIN; SET x.y = 'z'; SHOW x.y; COMMIT").await, "BEGIN\nSET\nz\nCOMMIT");
}

#[tokio::test]
async fn what_psql_describes_with_its_commands_is_there() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    for (command, expected) in [
        (r"\d", "public|events|table|watchfire"),
        (r"\dt", "public|rejects|table|watchfire"),
        (r"\dv", "public|alerts|view|watchfire"),
        (r"\d events", "time|timestamp with time zone|||"),
        (r"\d+ events", "tenant|text|"),
        (r"\d alerts", "severity|text|"),
        (r"\dn", "public|watchfire"),
        (r"\l", "watchfire|watchfire|UTF8"),
        (r"\du", "watchfire"),
        (r"\dT", ""),
        (r"\df", ""),
        (r"\di", ""),
        (r"\conninfo", "You are connected to database \"watchfire\" as user \"anybody\""),
    ] {
        let answer = lab.answer(&token, command).await;
        assert!(answer.contains(expected), "{command}: {answer}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_code_place_and_a_hint() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    for (sql, code, more) in [
        ("SELECT 1 FORM events", "42601", ""),
        ("SELECT tennant FROM events", "42703", "tenant"),
        ("SELECT * FROM evnts", "42P01", "did you mean events?"),
        ("SELECT nonsense(1)", "42883", ""),
        ("SELECT CAST('x' AS INT)", "22P02", ""),
        ("INSERT INTO events VALUES (1)", "25006", "read-only"),
        ("DROP TABLE events", "25006", ""),
        ("COPY events TO '/tmp/x'", "25006", ""),
        ("SET ROLE admin", "42501", ""),
        ("SHOW nonsense", "42704", ""),
    ] {
        let refusal = lab.refusal(&token, sql).await;
        assert!(refusal.contains(&format!("ERROR:  {code}:")) && refusal.contains(more), "{sql}: {refusal}");
    }
    let refusal = lab.refusal(&token, "SELECT tennant FROM events").await;
    assert!(refusal.contains("LINE 1: SELECT tennant") && refusal.contains("               ^"), "{refusal}");
}

#[tokio::test]
async fn nobody_comes_in_without_a_token_that_may_read() {
    let lab = Lab::new().await;
    let wrong = lab.refusal("wf_wrong", "SELECT 1").await;
    assert!(wrong.contains("this token is unknown, revoked or expired"), "{wrong}");
    let shipper = lab.token_of(Role::Shipper, Some(ACME)).await;
    let refused = lab.refusal(&shipper, "SELECT 1").await;
    assert!(refused.contains("a shipper's token may only send logs"), "{refused}");
    let token = lab.token(None).await;
    let arguments = ["-X", "-d", "other", "-c", "SELECT 1"];
    let other = lab.psql_with(&token, &arguments).await;
    assert!(String::from_utf8_lossy(&other.stderr).contains("the only one is \"watchfire\""));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &lab.registry).unwrap();
    assert!(
        text.contains("watchfire_postgres_connections_refused_total{reason=\"wrong_token\"} 1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_its_connections() {
    let lab = Lab::new().await;
    let token = lab.token(None).await;
    let mut client = crate::client::Client::connect(&lab, &token).await;
    assert_eq!(client.query("SELECT 1 AS x").await.unwrap().rows, [["1"]]);
    for entry in lab.control.tokens().await.unwrap().iter().filter(|entry| entry.scope == Scope::All) {
        assert!(lab.control.revoke_token(&entry.id).await.unwrap());
    }
    assert_eq!(client.query("SELECT 1 AS x").await.unwrap_err().code, "28P01");
}
