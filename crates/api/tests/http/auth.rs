//! Who gets in, and how far.

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Server, problem};

/// Every route under `/v1` that the API itself lists, with something in its placeholders.
async fn guarded(server: &Server) -> Vec<(Method, String)> {
    let api = server.json("/openapi.json", "").await;
    let mut routes = Vec::new();
    for (path, operations) in api["paths"].as_object().unwrap() {
        if path.starts_with("/v1/") {
            let path = path.replace("{partner}", "acme").replace("{feed}", "edge").replace("{id}", "alr_1");
            let methods = operations.as_object().unwrap().keys();
            routes.extend(methods.map(|method| (method.to_uppercase().parse().unwrap(), path.clone())));
        }
    }
    assert!(routes.len() >= 7, "{routes:?}");
    routes
}

#[tokio::test]
async fn no_route_answers_without_a_token() {
    let server = Server::start().await;
    for (method, path) in guarded(&server).await {
        let response = server.request(method, &path, "").send().await.unwrap();
        assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"), "{path}");
        assert_eq!(problem(response, 401).await, "unauthenticated");
    }
}

#[tokio::test]
async fn no_route_answers_a_wrong_token() {
    let server = Server::start_with(|config| config.failed_auth_per_minute_max = 1_000).await;
    let mut unknown = server.tokens.admin.clone();
    unknown.replace_range(5..6, if &unknown[5..6] == "A" { "B" } else { "A" });
    for (method, path) in guarded(&server).await {
        for token in [unknown.as_str(), "wf_", "wf_short", "not-ours", &"wf_".repeat(10_000)] {
            let response = server.request(method.clone(), &path, token).send().await.unwrap();
            problem(response, 401).await;
        }
    }
}

#[tokio::test]
async fn only_one_bearer_token_will_do() {
    let server = Server::start().await;
    let token = &server.tokens.admin;
    for header in [format!("Basic {token}"), format!("Bearer{token}"), token.clone(), "Bearer".to_owned()] {
        let response = server.get("/v1/alerts", "").header("authorization", header).send().await.unwrap();
        problem(response, 401).await;
    }
    let twice = server.get("/v1/alerts", token).header("authorization", format!("Bearer {token}"));
    problem(twice.send().await.unwrap(), 401).await;
    let lower_case = server.get("/v1/alerts", "").header("authorization", format!("bearer {token}"));
    assert_eq!(lower_case.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_shipper_may_only_send_logs() {
    let server = Server::start().await;
    for (method, path) in guarded(&server).await {
        let response = server.request(method, &path, &server.tokens.acme_shipper).send().await.unwrap();
        if path.starts_with("/v1/logs/") {
            assert_ne!(response.status(), 403, "{path}");
        } else {
            assert_eq!(problem(response, 403).await, "forbidden", "{path}");
        }
    }
}

#[tokio::test]
async fn an_analyst_may_not_send_logs() {
    let server = Server::start().await;
    for token in [&server.tokens.analyst, &server.tokens.acme] {
        let response = server.post("/v1/logs/acme/edge", token).body("line\n").send().await.unwrap();
        assert_eq!(problem(response, 403).await, "forbidden");
    }
    let response =
        server.post("/v1/logs/acme/edge", &server.tokens.admin).body("line\n").send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_revoked_token_is_unknown() {
    let server = Server::start().await;
    assert_eq!(server.get("/v1/alerts", &server.tokens.acme).send().await.unwrap().status(), 200);
    server.control.revoke_token("acme").await.unwrap();
    problem(server.get("/v1/alerts", &server.tokens.acme).send().await.unwrap(), 401).await;
}

#[tokio::test]
async fn who_guesses_is_told_to_wait_and_who_knows_is_not() {
    let server = Server::start_with(|config| config.failed_auth_per_minute_max = 3).await;
    for _ in 0..3 {
        problem(server.get("/v1/alerts", "wf_guess").send().await.unwrap(), 401).await;
    }
    let response = server.get("/v1/alerts", "wf_guess").send().await.unwrap();
    let retry_after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&retry_after));
    assert_eq!(problem(response, 429).await, "too-many-requests");
    assert_eq!(server.get("/v1/alerts", &server.tokens.acme).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn no_answer_repeats_a_token() {
    let server = Server::start().await;
    let token = "wf_secret_that_must_not_come_back";
    let response = server.get("/v1/alerts", token).send().await.unwrap();
    assert!(response.headers().values().all(|value| !value.to_str().unwrap().contains(token)));
    let body: Value = response.json().await.unwrap();
    assert!(!body.to_string().contains(token));
}
