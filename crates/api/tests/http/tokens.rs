//! Tokens by HTTP: made, listed and revoked by administrators, and by nobody else.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Server, problem};

async fn make(server: &Server, wanted: Value) -> Response {
    server.post("/v1/tokens", &server.tokens.admin).json(&wanted).send().await.unwrap()
}

async fn revoke(server: &Server, id: &str) -> Response {
    let path = format!("/v1/tokens/{id}");
    server.request(Method::DELETE, &path, &server.tokens.admin).send().await.unwrap()
}

#[tokio::test]
async fn a_token_is_shown_once_works_and_is_revoked() {
    let server = Server::start().await;
    let wanted = json!({"role": "shipper", "partners": ["acme"], "expires_at": "2199-01-01T00:00:00Z"});
    let response = make(&server, wanted).await;
    assert_eq!(response.status(), 201);
    let made: Value = response.json().await.unwrap();
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    let sends = async |partner: &str| {
        let path = format!("/v1/logs/{partner}/edge");
        server.post(&path, token).body("line\n").send().await.unwrap().status().as_u16()
    };
    assert_eq!((sends("acme").await, sends("globex").await), (200, 403));
    let listed = server.json("/v1/tokens", &server.tokens.admin).await;
    assert!(!listed.to_string().contains(token));
    let entry = listed["tokens"].as_array().unwrap().iter().find(|entry| entry["id"] == id).unwrap();
    assert_eq!((&entry["role"], &entry["partners"]), (&"shipper".into(), &json!(["acme"])));
    assert_eq!((&entry["expires_at"], &entry["revoked_at"]), (&"2199-01-01T00:00:00Z".into(), &Value::Null));
    assert_eq!(revoke(&server, id).await.status(), 204);
    assert_eq!(sends("acme").await, 401);
    problem(revoke(&server, id).await, 404).await;
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_not_made() {
    let server = Server::start().await;
    for wanted in [
        json!({"role": "root"}),
        json!({"role": "analyst", "partners": []}),
        json!({"role": "analyst", "partners": ["a/b"]}),
        json!({"role": "analyst", "name": "admin"}),
        json!({"role": "analyst", "name": "tok_0123456789abcdef"}),
        json!({"role": "analyst", "expires_at": "2001-01-01T00:00:00Z"}),
        json!({"role": "analyst", "partner": "acme"}),
    ] {
        problem(make(&server, wanted).await, 400).await;
    }
}

#[tokio::test]
async fn who_may_come_in_is_for_the_platforms_administrators_to_say() {
    let server = Server::start().await;
    let made: Value =
        make(&server, json!({"role": "admin", "partners": ["acme"]})).await.json().await.unwrap();
    let acme_admin = made["token"].as_str().unwrap();
    for token in [acme_admin, &server.tokens.analyst, &server.tokens.acme_shipper] {
        problem(server.get("/v1/tokens", token).send().await.unwrap(), 403).await;
        let more = server.post("/v1/tokens", token).json(&json!({"role": "admin"})).send().await.unwrap();
        problem(more, 403).await;
        let revoked = server.request(Method::DELETE, "/v1/tokens/admin", token).send().await.unwrap();
        problem(revoked, 403).await;
    }
}
