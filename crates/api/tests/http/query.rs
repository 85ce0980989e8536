//! SQL over HTTP: formats, walls, and limits by name.

use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use query::QueryLimits;
use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::{Server, problem};
use crate::tables::EVENTS;

/// Runs as long as it is let.
const ENDLESS: &str = "SELECT count(*) FROM events a, events b, generate_series(1, 100000000) AS s(n) \
                       WHERE a.status + b.status + s.n = 1";

async fn ask(server: &Server, token: &str, sql: &str, accept: &str) -> Response {
    let request = server.post("/v1/query", token).json(&json!({ "sql": sql })).header("accept", accept);
    request.send().await.unwrap()
}

async fn rows(server: &Server, token: &str, sql: &str) -> Value {
    let response = ask(server, token, sql, "application/json").await;
    assert_eq!(response.status(), 200, "{sql}");
    let mut answer: Value = response.json().await.unwrap();
    answer["rows"].take()
}

const FIRST: &str =
    "SELECT event_id, status, user_agent FROM events WHERE tenant = 'acme' ORDER BY status LIMIT 1";

#[tokio::test(flavor = "multi_thread")]
async fn json_tells_columns_rows_and_whether_there_is_more() {
    let server = Server::start().await;
    let response = ask(&server, &server.tokens.acme, FIRST, "*/*").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["wf-truncated"], "false");
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["columns"][1], json!({"name": "status", "type": "Int32"}));
    assert_eq!(
        answer["rows"][0],
        json!({"event_id": "evt_acme_0", "status": 0, "user_agent": "=cmd|' /C calc'!A0"})
    );
    assert_eq!(answer["truncated"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_formats_are_asked_for_by_accept() {
    let server = Server::start().await;
    let token = &server.tokens.acme;
    let lines = ask(&server, token, FIRST, "application/x-ndjson").await.text().await.unwrap();
    assert_eq!(lines, "{\"event_id\":\"evt_acme_0\",\"status\":0,\"user_agent\":\"=cmd|' /C calc'!A0\"}\n");
    let csv = ask(&server, token, FIRST, "text/csv").await;
    assert!(csv.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    let csv = csv.text().await.unwrap();
    assert_eq!(csv, "event_id,status,user_agent\r\nevt_acme_0,0,\"'=cmd|' /C calc'!A0\"\r\n");
    let count = "SELECT count(*) AS n FROM events";
    let arrow =
        ask(&server, token, count, "application/vnd.apache.arrow.stream").await.bytes().await.unwrap();
    let batch = StreamReader::try_new(&arrow[..], None).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), EVENTS);
    assert_eq!(problem(ask(&server, token, FIRST, "text/html").await, 406).await, "not-acceptable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_may_come_as_text() {
    let server = Server::start().await;
    for content_type in ["text/plain", "text/plain; charset=utf-8", "application/sql"] {
        let request = server.post("/v1/query", &server.tokens.acme).header("content-type", content_type);
        let answer: Value = request.body("SELECT 1 AS one").send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["rows"], json!([{"one": 1}]), "{content_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_curl_sends_without_a_word_about_its_type_is_understood() {
    let server = Server::start().await;
    for body in [r#"{"sql": "SELECT 1 AS one"}"#, " {\n\"sql\": \"SELECT 1 AS one\"}", "SELECT 1 AS one"] {
        let request = server.post("/v1/query", &server.tokens.acme);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer: Value = request.body(body).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["rows"], json!([{"one": 1}]), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_sent_as_it_comes() {
    let limits = QueryLimits { rows_max: 2_000_000, ..QueryLimits::default() };
    let server = Server::start_limited(|_| {}, limits).await;
    let sql = "SELECT a.status, b.event_id FROM events a, events b LIMIT 300000";
    let mut response = ask(&server, &server.tokens.acme, sql, "application/x-ndjson").await;
    assert!(!response.headers().contains_key("content-length"));
    let mut lines = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
    }
    assert_eq!(lines, 300_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_counts_its_own_rows_only() {
    let server = Server::start().await;
    let everybody = rows(&server, &server.tokens.analyst, "SELECT count(*) AS n FROM events").await;
    assert_eq!(everybody, json!([{"n": 2 * EVENTS}]));
    for sql in [
        "SELECT count(*) AS n FROM events",
        "SELECT count(*) AS n FROM events WHERE tenant = 'globex' OR true",
        "SELECT count(*) AS n FROM (SELECT * FROM events UNION SELECT * FROM events WHERE tenant = 'acme')",
    ] {
        assert_eq!(rows(&server, &server.tokens.globex, sql).await, json!([{"n": EVENTS}]), "{sql}");
    }
    let tenants = rows(&server, &server.tokens.globex, "SELECT DISTINCT tenant FROM events").await;
    assert_eq!(tenants, json!([{"tenant": "globex"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_statement_is_refused() {
    let server = Server::start().await;
    let token = &server.tokens.acme;
    for sql in ["", "SELEKT 1", "SELECT nothing FROM events", "SELECT * FROM nowhere"] {
        assert_eq!(problem(ask(&server, token, sql, "*/*").await, 400).await, "bad-request", "{sql}");
    }
    for sql in [
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY (SELECT * FROM events) TO '/tmp/x.csv'",
        "INSERT INTO events SELECT * FROM events",
        "SET datafusion.execution.batch_size = 1",
    ] {
        assert_eq!(problem(ask(&server, token, sql, "*/*").await, 403).await, "query-refused", "{sql}");
    }
    let post = |content_type: &str, body: String| {
        server.post("/v1/query", token).header("content-type", content_type).body(body).send()
    };
    for body in ["", "{", "{\"sql\": 1}", "{\"sql\": \"SELECT 1\", \"limit\": 1}", "[]"] {
        problem(post("application/json", body.to_owned()).await.unwrap(), 400).await;
    }
    let form = "application/x-www-form-urlencoded";
    problem(post("application/xml", "SELECT 1".to_owned()).await.unwrap(), 415).await;
    for body in ["{", "{\"sql\": 1}", " {\"sql\": \"SELECT 1\", \"limit\": 1}", ""] {
        problem(post(form, body.to_owned()).await.unwrap(), 400).await;
    }
    for content_type in ["text/plain", "application/json"] {
        let long = format!("{{\"sql\": \"SELECT 1{}\"}}", " ".repeat(300_000));
        assert_eq!(problem(post(content_type, long).await.unwrap(), 413).await, "too-large");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_past_the_limit_are_said_to_be_missing() {
    let server = Server::start_limited(|_| {}, QueryLimits { rows_max: 10, ..QueryLimits::default() }).await;
    let response = ask(&server, &server.tokens.acme, "SELECT event_id FROM events", "*/*").await;
    assert_eq!(response.headers()["wf-truncated"], "true");
    let answer: Value = response.json().await.unwrap();
    assert_eq!((answer["rows"].as_array().unwrap().len(), &answer["truncated"]), (10, &true.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_that_misses_rows_is_seen_to_be_incomplete() {
    let limits = QueryLimits { rows_max: 50_000, ..QueryLimits::default() };
    let server = Server::start_limited(|_| {}, limits).await;
    let sql = |rows: usize| {
        format!("SELECT a.status, b.event_id FROM events a, events b, events c, events d LIMIT {rows}")
    };
    for accept in ["text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream"] {
        let whole = ask(&server, &server.tokens.acme, &sql(50_000), accept).await;
        assert!(whole.bytes().await.is_ok(), "{accept}");
        let mut cut = ask(&server, &server.tokens.acme, &sql(50_001), accept).await;
        assert_eq!(cut.status(), 200);
        let mut lines = 0;
        let error = loop {
            match cut.chunk().await {
                Ok(Some(chunk)) => lines += chunk.iter().filter(|byte| **byte == b'\n').count(),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(error.is_some(), "{accept} looks whole");
        if accept == "application/x-ndjson" {
            // The last piece may go down with the connection.
            assert!((40_000..=50_000).contains(&lines), "what may be sent is sent: {lines}");
        }
    }
    let json = ask(&server, &server.tokens.acme, &sql(50_001), "application/json").await;
    assert_eq!(json.json::<Value>().await.unwrap()["truncated"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_time_and_memory_have_names() {
    let limits = QueryLimits { time: Duration::from_millis(400), ..QueryLimits::default() };
    let server = Server::start_limited(|_| {}, limits).await;
    assert_eq!(problem(ask(&server, &server.tokens.acme, ENDLESS, "*/*").await, 422).await, "query-too-long");
    let limits = QueryLimits { memory_bytes: 1 << 20, ..QueryLimits::default() };
    let server = Server::start_limited(|_| {}, limits).await;
    let sql = "SELECT array_agg(concat(a.event_id, b.event_id)) FROM events a, events b";
    assert_eq!(
        problem(ask(&server, &server.tokens.acme, sql, "*/*").await, 422).await,
        "query-too-much-memory"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_query_too_many_waits_its_turn() {
    let limits = QueryLimits { concurrent: 2, time: Duration::from_secs(5), ..QueryLimits::default() };
    let server = Server::start_limited(|_| {}, limits).await;
    let endless = ask(&server, &server.tokens.acme, ENDLESS, "*/*");
    let second = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        ask(&server, &server.tokens.acme, "SELECT 1", "*/*").await
    };
    let response = tokio::select! {
        _ = endless => panic!("it ended"),
        response = second => response,
    };
    assert!(response.headers().contains_key("retry-after"));
    problem(response, 429).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_read_as_ocsf_or_as_its_columns() {
    let server = Server::start().await;
    let token = &server.tokens.acme;
    let ocsf = server.json("/v1/events/evt_acme_200", token).await;
    assert_eq!(
        (&ocsf["metadata"]["uid"], &ocsf["metadata"]["version"]),
        (&json!("evt_acme_200"), &json!("1.8.0"))
    );
    assert_eq!(ocsf["time"], 1_773_480_613_589_i64);
    let columns = server.json("/v1/events/evt_acme_200?format=columns", token).await;
    assert_eq!((&columns["event_id"], &columns["status"]), (&json!("evt_acme_200"), &json!(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partners_event_is_as_one_that_does_not_exist() {
    let server = Server::start().await;
    for id in ["evt_globex_200", "evt_none", "x' OR '1'='1", &"e".repeat(100)] {
        let mut url = server.get("/v1/events/x", &server.tokens.acme).build().unwrap().url().clone();
        url.path_segments_mut().unwrap().pop().push(id);
        let response = server.get(url.path(), &server.tokens.acme).send().await.unwrap();
        problem(response, 404).await;
    }
}
