//! What operators and their tools look at.

use api::PartHealth;
use reqwest::Method;
use serde_json::Value;

use crate::harness::{Server, problem};

#[tokio::test]
async fn a_part_that_is_not_ready_is_named() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz", "").send().await.unwrap().status(), 200);
    assert_eq!(server.json("/readyz", "").await["ready"], true);
    let detail = "logs.acme.edge: no leader".to_owned();
    server.parts.0.lock().unwrap().push(PartHealth { name: "detect".into(), ready: false, detail });
    let response = server.get("/readyz", "").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()),
        (503, "application/json")
    );
    let readiness: Value = response.json().await.unwrap();
    assert_eq!((&readiness["parts"][1]["name"], &readiness["ready"]), (&"detect".into(), &false.into()));
    assert_eq!(readiness["parts"][1]["detail"], "logs.acme.edge: no leader", "loopback sees details");
}

#[tokio::test]
async fn details_and_metrics_are_for_operators() {
    let server = Server::start().await;
    let as_seen_through_a_proxy =
        |path: &str, token: &str| server.get(path, token).header("x-forwarded-for", "203.0.113.9").send();
    let readiness: Value = as_seen_through_a_proxy("/readyz", "").await.unwrap().json().await.unwrap();
    assert_eq!(readiness["parts"][0].get("detail"), None);
    for token in ["", server.tokens.acme.as_str(), server.tokens.acme_shipper.as_str()] {
        problem(as_seen_through_a_proxy("/metrics", token).await.unwrap(), 401).await;
    }
    assert_eq!(as_seen_through_a_proxy("/metrics", &server.tokens.analyst).await.unwrap().status(), 200);
    let open = Server::start_with(|config| config.metrics_public = true).await;
    let request = open.get("/metrics", "").header("x-forwarded-for", "203.0.113.9");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn behind_a_proxy_loopback_is_nobody_in_particular() {
    let server = Server::start().await;
    for header in ["via", "forwarded", "x-real-ip", "x-forwarded-proto"] {
        let request = server.get("/metrics", "").header(header, "proxy");
        problem(request.send().await.unwrap(), 401).await;
    }
    // A proxy that says nothing of itself.
    let server = Server::start_with(|config| config.behind_proxy = true).await;
    problem(server.get("/metrics", "").send().await.unwrap(), 401).await;
    assert_eq!(server.json("/readyz", "").await["parts"][0].get("detail"), None);
    assert_eq!(server.get("/metrics", &server.tokens.analyst).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn metrics_count_by_route_not_by_path() {
    let server = Server::start().await;
    for path in ["/v1/alerts/alr_1", "/v1/alerts/alr_2", "/nowhere/1", "/nowhere/2"] {
        server.get(path, &server.tokens.acme).send().await.unwrap();
    }
    server.request("BREW".parse().unwrap(), "/v1/alerts/x", "").send().await.unwrap();
    server
        .post("/v1/logs/acme/edge", &server.tokens.acme_shipper)
        .body("12345\n67890\n")
        .send()
        .await
        .unwrap();
    let text = server.get("/metrics", "").send().await.unwrap().text().await.unwrap();
    for line in [
        "watchfire_http_requests_total{route=\"/v1/alerts/{id}\",method=\"GET\",status=\"404\"} 2",
        "watchfire_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} 2",
        "watchfire_http_requests_total{route=\"/v1/logs/{partner}/{feed}\",method=\"POST\",status=\"200\"} 1",
        "watchfire_http_request_seconds_count{route=\"/v1/alerts/{id}\"}",
        "watchfire_intake_lines_total 2",
        "watchfire_intake_bytes_total 10",
        "method=\"other\",status=\"401\"",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("alr_1") && !text.contains("nowhere") && !text.contains("BREW"));
}

#[tokio::test]
async fn an_unknown_path_and_method_are_problems() {
    let server = Server::start().await;
    assert_eq!(problem(server.get("/nowhere", "").send().await.unwrap(), 404).await, "not-found");
    assert_eq!(problem(server.get("/v1/nowhere", "").send().await.unwrap(), 404).await, "not-found");
    let token = &server.tokens.admin;
    for (method, path, allow) in [
        (Method::DELETE, "/v1/alerts", "GET"),
        (Method::GET, "/v1/query", "POST"),
        (Method::PUT, "/v1/logs/acme/edge", "POST"),
        (Method::POST, "/healthz", "GET"),
    ] {
        let response = server.request(method, path, token).send().await.unwrap();
        assert!(response.headers()["allow"].to_str().unwrap().contains(allow), "{path}");
        assert_eq!(problem(response, 405).await, "method-not-allowed", "{path}");
    }
}

#[tokio::test]
async fn the_api_describes_itself() {
    let server = Server::start().await;
    let api = server.json("/openapi.json", "").await;
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let page = server.get("/docs/", "").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self'") && policy.contains("default-src 'none'"), "{policy}");
    let page = page.text().await.unwrap();
    for file in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert!(page.contains(file));
        assert_eq!(server.get(&format!("/docs/{file}"), "").send().await.unwrap().status(), 200, "{file}");
    }
    let initializer =
        server.get("/docs/swagger-initializer.js", "").send().await.unwrap().text().await.unwrap();
    assert!(initializer.contains("/openapi.json"), "{initializer}");
}

#[tokio::test]
async fn answers_are_kept_by_nobody_and_framed_by_nobody() {
    let server = Server::start().await;
    let response = server.get("/v1/alerts", &server.tokens.acme).send().await.unwrap();
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ] {
        assert_eq!(response.headers()[name], value);
    }
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}
