//! Statements that are kept by name, and run with values.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Server, problem};
use crate::tables::EVENTS;

async fn save(server: &Server, token: &str, name: &str, body: Value) -> reqwest::Response {
    server.request(Method::PUT, &format!("/v1/queries/{name}"), token).json(&body).send().await.unwrap()
}

async fn run(server: &Server, token: &str, name: &str, values: Value) -> reqwest::Response {
    let path = format!("/v1/queries/{name}/run");
    server.post(&path, token).json(&json!({ "parameters": values })).send().await.unwrap()
}

async fn count(server: &Server, token: &str, name: &str, values: Value) -> Value {
    let response = run(server, token, name, values).await;
    assert_eq!(response.status(), 200);
    response.json::<Value>().await.unwrap()["rows"][0]["n"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_saved_with_what_its_parameters_are_and_run_with_values() {
    let server = Server::start().await;
    let token = &server.tokens.acme;
    let sql = "SELECT count(*) AS n FROM events WHERE status >= $1 AND time < $2 AND user_ref = $3";
    let saved = save(&server, token, "by-status", json!({"sql": sql, "description": "how many"})).await;
    let saved: Value = saved.json().await.unwrap();
    assert_eq!(saved["parameters"], json!(["integer", "timestamp with time zone", "text"]));
    assert_eq!(saved["saved_by"], "acme");
    let moment = "2026-03-14T09:27:53.589Z";
    assert_eq!(count(&server, token, "by-status", json!([10, moment, "usr_acme"])).await, 50);
    assert_eq!(count(&server, token, "by-status", json!(["10", moment, "x' OR true --"])).await, 0);
    assert_eq!(count(&server, token, "by-status", json!([null, moment, "usr_acme"])).await, 0);
    for (values, told) in [
        (json!([10, moment]), "2 values were given, and the query takes 3"),
        (json!(["many", moment, "x"]), "$1 is no integer"),
        (json!([[1], moment, "x"]), "$1 is no single value"),
    ] {
        let refused = run(&server, token, "by-status", values).await;
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.json::<Value>().await.unwrap()["detail"], told);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_scope_has_its_own() {
    let server = Server::start().await;
    let sql = json!({"sql": "SELECT count(*) AS n FROM events"});
    for token in [&server.tokens.acme, &server.tokens.analyst] {
        assert_eq!(save(&server, token, "all", sql.clone()).await.status(), 200);
    }
    assert_eq!(count(&server, &server.tokens.acme, "all", json!([])).await, EVENTS);
    assert_eq!(count(&server, &server.tokens.analyst, "all", json!([])).await, 2 * EVENTS);
    let other = &server.tokens.globex;
    assert_eq!(server.json("/v1/queries", other).await, json!({"queries": []}));
    assert_eq!(problem(run(&server, other, "all", json!([])).await, 404).await, "not-found");
    let delete = |token: &str| server.request(Method::DELETE, "/v1/queries/all", token).send();
    assert_eq!(delete(other).await.unwrap().status(), 404);
    assert_eq!(delete(&server.tokens.acme).await.unwrap().status(), 204);
    assert_eq!(server.json("/v1/queries/all", &server.tokens.analyst).await["name"], "all");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_is_not_saved() {
    let server = Server::start().await;
    let token = &server.tokens.acme;
    for (body, status, kind) in [
        (json!({"sql": "SELECT tennant FROM events"}), 400, "bad-request"),
        (json!({"sql": "SELECT"}), 400, "bad-request"),
        (json!({"sql": "DROP TABLE events"}), 403, "query-refused"),
        (json!({"sql": "SELECT $1", "parameters": ["word"]}), 400, "bad-request"),
        (json!({"sql": format!("SELECT '{}'", "x".repeat(70_000))}), 400, "bad-request"),
    ] {
        assert_eq!(problem(save(&server, token, "q", body).await, status).await, kind);
    }
    let named = save(&server, token, "Q%20", json!({"sql": "SELECT 1"})).await;
    assert_eq!(problem(named, 400).await, "bad-request");
    let shipper = save(&server, &server.tokens.acme_shipper, "q", json!({"sql": "SELECT 1"})).await;
    assert_eq!(problem(shipper, 403).await, "forbidden");
    assert_eq!(server.json("/v1/queries", token).await, json!({"queries": []}));
}
