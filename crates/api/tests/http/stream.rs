//! Live alerts: resuming without gap or repeat, walls, and ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alerting::{Action, Actor, Verdict};
use event::{Scope, Severity};
use reqwest::Response;
use serde_json::Value;

use crate::harness::{Server, alert, problem};

/// A client that reads server-sent events.
struct Listener {
    response: Response,
    text: String,
}

/// One event: its id, its name, its data.
#[derive(Debug)]
struct Received {
    id: String,
    name: String,
    data: Value,
}

impl Listener {
    async fn connect(server: &Server, token: &str, path: &str, last_event_id: Option<&str>) -> Self {
        let mut request = server.get(path, token);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next block of lines; none at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk());
            let chunk = chunk.await.expect("the stream went silent").ok()??;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event with data.
    async fn event(&mut self) -> Received {
        loop {
            let block = self.block().await.expect("the stream ended");
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
            };
            if let Some(data) = field("data:") {
                return Received {
                    id: field("id:").unwrap(),
                    name: field("event:").unwrap(),
                    data: serde_json::from_str(&data).unwrap(),
                };
            }
        }
    }

    async fn alert_ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.event().await.data["alert"]["alert_id"].as_str().unwrap().to_owned());
        }
        ids
    }
}

const STREAM: &str = "/v1/alerts/stream";

#[tokio::test]
async fn what_happens_is_heard_at_once() {
    let server = Server::start().await;
    server.raise(&[alert("alr_before", "acme", Severity::High, 1)]).await;
    let mut listener = Listener::connect(&server, &server.tokens.analyst, STREAM, None).await;
    let greeting = listener.block().await.unwrap();
    assert_eq!(greeting, "id: 1", "where the listener begins");
    let began = Instant::now();
    server.raise(&[alert("alr_1", "acme", Severity::High, 1)]).await;
    let event = listener.event().await;
    assert!(began.elapsed() < Duration::from_millis(150), "{:?}", began.elapsed());
    assert_eq!((event.name.as_str(), event.id.as_str()), ("create", "2"));
    assert_eq!((&event.data["sequence"], &event.data["alert"]["alert_id"]), (&2.into(), &"alr_1".into()));
}

#[tokio::test]
async fn a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let server = Server::start().await;
    let alerts: Vec<_> = (0..100).map(|n| alert(&format!("alr_{n:03}"), "acme", Severity::Low, n)).collect();
    let expected: Vec<_> = alerts.iter().map(|alert| alert.alert_id.clone()).collect();
    let token = &server.tokens.acme;
    let mut heard = Vec::new();
    let mut listener = Listener::connect(&server, token, &format!("{STREAM}?after=0"), None).await;
    for (n, batch) in alerts.chunks(10).enumerate() {
        server.raise(batch).await;
        let mut last = String::new();
        for _ in 0..7 + n % 3 {
            if heard.len() < expected.len() {
                let event = listener.event().await;
                heard.push(event.data["alert"]["alert_id"].as_str().unwrap().to_owned());
                last = event.id;
            }
        }
        drop(listener);
        listener = Listener::connect(&server, token, &format!("{STREAM}?after=0"), Some(&last)).await;
    }
    let missing = expected.len() - heard.len();
    heard.extend(listener.alert_ids(missing).await);
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn a_listener_hears_its_own_partner_only() {
    let server = Server::start().await;
    let mut globex =
        Listener::connect(&server, &server.tokens.globex, &format!("{STREAM}?after=0"), None).await;
    server
        .raise(&[alert("alr_a", "acme", Severity::High, 1), alert("alr_g", "globex", Severity::High, 1)])
        .await;
    server
        .raise(&[alert("alr_a2", "acme", Severity::High, 2), alert("alr_g2", "globex", Severity::High, 2)])
        .await;
    assert_eq!(globex.alert_ids(2).await, ["alr_g", "alr_g2"]);
}

#[tokio::test]
async fn who_did_what_is_for_the_platform_to_know() {
    let server = Server::start().await;
    server.raise(&[alert("alr_1", "acme", Severity::High, 1)]).await;
    let actor = Actor { name: "alice", note: Some("same attacker as at globex") };
    server.control.act(&Scope::All, "alr_1", Action::Acknowledge, actor).await.unwrap();
    let path = format!("{STREAM}?after=1");
    let inside = Listener::connect(&server, &server.tokens.analyst, &path, None).await.event().await;
    assert_eq!((&inside.data["action"], &inside.data["actor"]), (&"acknowledge".into(), &"alice".into()));
    let outside = Listener::connect(&server, &server.tokens.acme, &path, None).await.event().await;
    assert_eq!(outside.data["action"], "acknowledge");
    assert!(!outside.data.to_string().contains("alice") && !outside.data.to_string().contains("globex"));
}

#[tokio::test]
async fn a_persons_close_is_a_close_with_its_verdict() {
    let server = Server::start().await;
    server.raise(&[alert("alr_1", "acme", Severity::High, 1)]).await;
    let actor = Actor { name: "alice", note: None };
    let close = Action::Close { verdict: Verdict::Benign };
    server.control.act(&Scope::All, "alr_1", close, actor).await.unwrap();
    let mut listener =
        Listener::connect(&server, &server.tokens.acme, &format!("{STREAM}?after=1"), None).await;
    let event = listener.event().await;
    assert_eq!((event.name.as_str(), &event.data["action"]), ("close", &"close".into()));
    assert_eq!((&event.data["state"], &event.data["verdict"]), (&"closed".into(), &"benign".into()));
}

/// However much other partners' alerts change, the connection is seen to live and the token is looked at.
#[tokio::test]
async fn a_stream_that_others_keep_awake_has_its_heartbeat_and_its_end() {
    let server = Arc::new(Server::start().await);
    let mut listener = Listener::connect(&server, &server.tokens.globex, STREAM, None).await;
    listener.block().await.unwrap();
    let others = Arc::clone(&server);
    let busy = tokio::spawn(async move {
        for n in 0.. {
            others.raise(&[alert(&format!("alr_{n}"), "acme", Severity::Low, n)]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(listener.block().await.unwrap().starts_with(':'));
    server.control.revoke_token("globex").await.unwrap();
    while listener.block().await.is_some() {}
    busy.abort();
}

#[tokio::test]
async fn silence_is_shown_to_be_silence() {
    let server = Server::start().await;
    let mut listener = Listener::connect(&server, &server.tokens.acme, STREAM, None).await;
    listener.block().await.unwrap();
    let heartbeat = listener.block().await.unwrap();
    assert!(heartbeat.starts_with(':'), "{heartbeat:?}");
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams() {
    let server = Server::start().await;
    let mut listener = Listener::connect(&server, &server.tokens.acme, STREAM, None).await;
    listener.block().await.unwrap();
    server.control.revoke_token("acme").await.unwrap();
    while listener.block().await.is_some() {}
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = Server::start().await;
    let mut listener = Listener::connect(&server, &server.tokens.acme, STREAM, None).await;
    listener.block().await.unwrap();
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    while listener.block().await.is_some() {}
}

#[tokio::test]
async fn a_caller_has_so_many_streams_and_another_has_its_own() {
    let server = Server::start_with(|config| config.streams_per_caller_max = 2).await;
    let one = Listener::connect(&server, &server.tokens.acme, STREAM, None).await;
    let _two = Listener::connect(&server, &server.tokens.acme, STREAM, None).await;
    problem(server.get(STREAM, &server.tokens.acme).send().await.unwrap(), 429).await;
    let _other = Listener::connect(&server, &server.tokens.globex, STREAM, None).await;
    drop(one);
    tokio::time::sleep(Duration::from_millis(600)).await;
    Listener::connect(&server, &server.tokens.acme, STREAM, None).await;
}

#[tokio::test]
async fn a_place_that_was_never_given_out_is_refused_or_brought_back() {
    let server = Server::start().await;
    for id in ["x", "1.5", "99999999999999999999"] {
        let request = server.get(STREAM, &server.tokens.acme).header("last-event-id", id);
        problem(request.send().await.unwrap(), 400).await;
    }
    for id in ["-5", "9000"] {
        let mut listener = Listener::connect(&server, &server.tokens.acme, STREAM, Some(id)).await;
        assert_eq!(listener.block().await.unwrap(), "id: 0");
    }
}

/// A client that stops reading is dropped, and what it held is given back.
#[tokio::test]
async fn a_listener_that_takes_nothing_is_dropped() {
    use tokio::io::AsyncWriteExt;

    let server = Server::start_with(|config| {
        config.streams_per_caller_max = 1;
        config.write_stall_timeout = Duration::from_millis(500);
    })
    .await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut deaf = socket.connect(server.address).await.unwrap();
    let request =
        format!("GET {STREAM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", server.tokens.acme);
    deaf.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    problem(server.get(STREAM, &server.tokens.acme).send().await.unwrap(), 429).await;
    for round in 0..60 {
        let mut alerts: Vec<_> =
            (0..20).map(|n| alert(&format!("alr_{round}_{n}"), "acme", Severity::Low, n)).collect();
        alerts.iter_mut().for_each(|alert| alert.description = "x".repeat(8_000));
        server.raise(&alerts).await;
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    Listener::connect(&server, &server.tokens.acme, STREAM, None).await;
}
