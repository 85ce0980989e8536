//! Requests that no honest client sends.

use std::time::{Duration, Instant};

use crate::harness::{Server, problem};

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

async fn post(server: &Server, path: &str, extra: &str) -> String {
    let token = &server.tokens.admin;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{extra}\
         Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nline\n"
    );
    server.raw(request.as_bytes()).await
}

#[tokio::test]
async fn no_name_leaves_its_topic() {
    let server = Server::start().await;
    let long = "a".repeat(65);
    let very_long = "a".repeat(30_000);
    for (partner, feed) in [
        ("..", "edge"),
        ("%2e%2e", "edge"),
        ("%2e%2e%2f", "edge"),
        ("acme%2fother", "edge"),
        ("acme.other", "edge"),
        ("acme%00", "edge"),
        ("acme%0d%0aX-Injected:%201", "edge"),
        ("acme", "a%2fb"),
        ("acme", "a%5cb"),
        ("acme", "%c0%ae"),
        ("acme", "*"),
        ("acme", "%ff"),
        (&long, "edge"),
        ("acme", &long),
        (&very_long, "edge"),
        ("b%C3%BCro", "edge"),
        ("{partner}", "edge"),
    ] {
        let answer = post(&server, &format!("/v1/logs/{partner}/{feed}"), "").await;
        assert_eq!(status(&answer), "400", "{partner}/{feed}: {answer}");
        assert!(answer.contains("application/problem+json"));
        assert!(!answer.to_lowercase().contains("\nx-injected"));
    }
    assert!(server.intake.appended.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_path_is_not_walked() {
    let server = Server::start().await;
    for path in [
        "/docs/../v1/alerts",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs/..%2f..%2fetc/passwd",
        "//v1/alerts",
        "/v1//alerts",
        "/v1/logs/acme",
        "/v1/logs/acme/edge/more",
        "/V1/alerts",
        "/v1/alerts/",
        "/.env",
        "/openapi.json/..",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = server.raw(request.as_bytes()).await;
        assert!(["404", "401"].contains(&status(&answer)), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn an_id_from_elsewhere_is_just_not_found() {
    let server = Server::start().await;
    for id in ["..%2f..", "'%20OR%201=1--", "%00", "a".repeat(20_000).as_str(), "%3Cscript%3E"] {
        let path = format!("/v1/alerts/{id}");
        problem(server.get(&path, &server.tokens.acme).send().await.unwrap(), 404).await;
    }
}

#[tokio::test]
async fn a_header_is_a_value_or_a_refusal() {
    let server = Server::start().await;
    let long = "f".repeat(65);
    for bad in [
        "wf-format: a b",
        "wf-format: \u{e9}",
        "wf-format: ../x",
        "wf-format: a\r\nwf-format: b",
        "wf-format: ",
    ] {
        let answer = post(&server, "/v1/logs/acme/edge", &format!("{bad}\r\n")).await;
        assert_eq!(status(&answer), "400", "{bad}");
    }
    assert_eq!(status(&post(&server, &format!("/v1/logs/acme/edge?format={long}"), "").await), "400");
    assert_eq!(status(&post(&server, "/v1/logs/acme/edge?format=%0d%0aSet-Cookie:x", "").await), "400");
    assert_eq!(status(&post(&server, "/v1/logs/acme/edge?fromat=x", "").await), "400");
    let id = "X-Request-Id: evil\r\n";
    assert!(!post(&server, "/v1/logs/acme/edge", id).await.contains("evil"));
}

#[tokio::test]
async fn smuggled_and_broken_requests_end_the_connection() {
    let server = Server::start().await;
    for request in [
        "POST /v1/logs/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\u{16}\u{3}\u{1} tls, perhaps\r\n\r\n",
    ] {
        let answer = server.raw(request.as_bytes()).await;
        assert!(answer.is_empty() || status(&answer) == "400", "{request:?}: {answer}");
    }
    let many: String = (0..500).map(|n| format!("X-{n}: 1\r\n")).collect();
    let answer = server.raw(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).await;
    assert_eq!(status(&answer), "431");
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let server = Server::start_with(|config| config.header_timeout = Duration::from_millis(200)).await;
    let began = Instant::now();
    server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_panic_is_answered_and_the_server_goes_on() {
    let server = Server::start().await;
    let token = &server.tokens.admin;
    let response = server.post("/v1/logs/acme/edge", token).body("panic\n").send().await.unwrap();
    assert_eq!(problem(response, 500).await, "internal");
    let response = server.post("/v1/logs/acme/edge", token).body("line\n").send().await.unwrap();
    assert_eq!(response.status(), 200);
}
