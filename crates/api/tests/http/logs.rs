//! Sending logs: what is taken, what is refused, and what the sender is told.

use std::io::Write;
use std::time::Duration;

use api::IntakeError;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Server, problem};

const EDGE: &str = "/v1/logs/acme/edge";

/// Headers and a body.
type Sent<'a> = (&'a [(&'a str, &'a str)], Vec<u8>);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn send(server: &Server, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
    let mut request = server.post(EDGE, &server.tokens.acme_shipper).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn lines(server: &Server) -> Vec<String> {
    let appended = server.intake.appended.lock().unwrap();
    appended
        .iter()
        .flat_map(|(_, lines, ..)| lines)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect()
}

#[tokio::test]
async fn the_broker_has_the_lines_and_the_sender_knows_where() {
    let server = Server::start().await;
    send(&server, &[], "zero\n").await;
    let response = send(&server, &[("wf-format", "nginx_json")], "one\r\ntwo\n\nthree").await;
    assert_eq!(response.status(), 200);
    let answer: Value = response.json().await.unwrap();
    let expected = json!({
        "accepted": 3, "topic": "logs.acme.edge",
        "first": {"partition": 0, "offset": 1}, "last": {"partition": 0, "offset": 3},
    });
    assert_eq!(answer, expected);
    let appended = server.intake.appended.lock().unwrap();
    let (topic, lines, format, shipper) = &appended[1];
    assert_eq!((topic.as_str(), lines.len()), ("logs.acme.edge", 3));
    assert_eq!((format.as_deref(), shipper.as_str()), (Some("nginx_json"), "acme-shipper"));
}

#[tokio::test]
async fn the_parameter_names_the_format_too() {
    let server = Server::start().await;
    let path = format!("{EDGE}?format=linux_sshd");
    server.post(&path, &server.tokens.acme_shipper).body("line").send().await.unwrap();
    assert_eq!(server.intake.appended.lock().unwrap()[0].2.as_deref(), Some("linux_sshd"));
}

#[tokio::test]
async fn compressed_lines_are_the_same_lines() {
    let server = Server::start().await;
    let body = b"one\ntwo\n";
    let zstd = zstd::encode_all(&body[..], 3).unwrap();
    for (encoding, body) in
        [("gzip", gzip(body)), ("zstd", zstd), ("identity", body.to_vec()), ("GZIP", gzip(body))]
    {
        let response = send(&server, &[("content-encoding", encoding)], body).await;
        assert_eq!(response.status(), 200, "{encoding}");
    }
    assert_eq!(lines(&server), ["one", "two"].repeat(4));
}

#[tokio::test]
async fn a_json_array_is_a_line_an_element() {
    let server = Server::start().await;
    let json = [("content-type", "application/json")];
    assert_eq!(send(&server, &json, "[{\"a\":1},\n {\"a\":\n2}]").await.status(), 200);
    assert_eq!(lines(&server), ["{\"a\":1}", "{\"a\": 2}"]);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_for_the_normalizer_to_judge() {
    let server = Server::start().await;
    assert_eq!(send(&server, &[], vec![0xff, 0x00, b'\n', b'x']).await.status(), 200);
    assert_eq!(server.intake.appended.lock().unwrap()[0].1[0], vec![0xff, 0x00]);
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_400() {
    let server = Server::start().await;
    let whole = gzip(&b"one\n".repeat(1_000));
    let truncated = whole[..whole.len() - 9].to_vec();
    let cases: [Sent<'_>; 6] = [
        (&[], b"".to_vec()),
        (&[], b"\n\r\n".to_vec()),
        (&[("content-encoding", "gzip")], truncated),
        (&[("content-encoding", "gzip")], b"plain".to_vec()),
        (&[("content-encoding", "zstd")], whole),
        (&[("content-type", "application/json")], b"[1,".to_vec()),
    ];
    for (headers, body) in cases {
        assert_eq!(problem(send(&server, headers, body).await, 400).await, "bad-request", "{headers:?}");
    }
    assert!(lines(&server).is_empty());
}

#[tokio::test]
async fn anothers_logs_are_403() {
    let server = Server::start().await;
    let response =
        server.post("/v1/logs/globex/edge", &server.tokens.acme_shipper).body("line\n").send().await;
    assert_eq!(problem(response.unwrap(), 403).await, "forbidden");
}

#[tokio::test]
async fn bombs_and_loads_are_413() {
    let server = Server::start_with(|config| {
        config.intake_bytes_max = 1 << 20;
        config.intake_compressed_bytes_max = 64 << 10;
        config.intake_lines_max = 1_000;
    })
    .await;
    let zeros = vec![b'0'; 50 << 20];
    let noise: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let zstd = zstd::encode_all(&zeros[..], 3).unwrap();
    let cases: [Sent<'_>; 5] = [
        (&[("content-encoding", "gzip")], gzip(&zeros)),
        (&[("content-encoding", "zstd")], zstd),
        (&[("content-encoding", "gzip")], gzip(&noise)),
        (&[], b"x\n".repeat(1_001)),
        (&[("content-type", "application/json")], format!("[{}0]", "0,".repeat(1_000)).into_bytes()),
    ];
    for (headers, body) in cases {
        assert_eq!(problem(send(&server, headers, body).await, 413).await, "too-large", "{headers:?}");
    }
    let announced = format!(
        "POST {EDGE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: 9999999\r\n\r\n",
        server.tokens.acme_shipper
    );
    assert!(
        server.raw(announced.as_bytes()).await.starts_with("HTTP/1.1 413"),
        "before a byte of it has come"
    );
    *server.intake.fails.lock().unwrap() = Some(IntakeError::TooLarge);
    problem(send(&server, &[], "line\n").await, 413).await;
    assert!(lines(&server).is_empty());
}

#[tokio::test]
async fn a_line_too_long_stores_none_of_its_neighbours() {
    let server = Server::start_with(|config| config.intake_line_bytes_max = 1_000).await;
    let body = format!("one\n\n{}\nfour\n", "x".repeat(1_001));
    let response = send(&server, &[], body).await;
    assert_eq!(response.status(), 413);
    let problem: Value = response.json().await.unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("line 3 has 1001 bytes"), "{detail}");
    assert!(lines(&server).is_empty());
}

#[tokio::test]
async fn a_file_that_curl_sends_is_lines() {
    let server = Server::start().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(send(&server, &form, "Nov 26 03:14:07 web sshd[1]: a=b&c%20d\nsecond\n").await.status(), 200);
    assert_eq!(lines(&server), ["Nov 26 03:14:07 web sshd[1]: a=b&c%20d", "second"]);
}

#[tokio::test]
async fn one_feed_too_many_is_429_and_says_why() {
    let server = Server::start().await;
    *server.intake.fails.lock().unwrap() = Some(IntakeError::TooManyFeeds { feeds_max: 64 });
    assert_eq!(problem(send(&server, &[], "line\n").await, 429).await, "too-many-feeds");
}

#[tokio::test]
async fn what_is_not_lines_is_415() {
    let server = Server::start().await;
    for header in [
        ("content-type", "image/png"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("content-encoding", "br"),
        ("content-encoding", "gzip, gzip"),
    ] {
        assert_eq!(
            problem(send(&server, &[header], "x").await, 415).await,
            "unsupported-media-type",
            "{header:?}"
        );
    }
}

#[tokio::test]
async fn a_busy_broker_is_429_and_an_absent_one_503() {
    let server = Server::start().await;
    *server.intake.fails.lock().unwrap() =
        Some(IntakeError::Busy { retry_after: Duration::from_millis(2_500) });
    let response = send(&server, &[], "line\n").await;
    assert_eq!(response.headers()["retry-after"], "3");
    problem(response, 429).await;
    *server.intake.fails.lock().unwrap() = Some(IntakeError::Unavailable("10.0.0.7:9092 refused".into()));
    let response = send(&server, &[], "line\n").await;
    assert!(response.headers().contains_key("retry-after"));
    let text = response.text().await.unwrap();
    assert!(text.contains("unavailable") && !text.contains("10.0.0.7"), "{text}");
}

#[tokio::test]
async fn a_broker_that_never_answers_is_503() {
    let server = Server::start_with(|config| config.request_timeout = Duration::from_millis(200)).await;
    *server.intake.hangs.lock().unwrap() = true;
    problem(send(&server, &[], "line\n").await, 503).await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_408() {
    let server = Server::start_with(|config| config.request_timeout = Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {EDGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\nline",
        server.tokens.acme_shipper
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

/// One partner's unfinished bodies use up its share of the intake's memory, and nobody else's.
#[tokio::test]
async fn a_partner_that_holds_too_much_is_429_and_others_are_not() {
    let server = Server::start_with(|config| {
        config.intake_memory_bytes_max = 40 << 20;
        config.intake_memory_per_partner_bytes_max = 16 << 20;
    })
    .await;
    let mut unfinished = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {EDGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 9000000\r\n\r\n",
        server.tokens.acme_shipper
    );
    unfinished.write_all(head.as_bytes()).await.unwrap();
    unfinished.write_all(&vec![b'x'; 8 << 20]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let response = send(&server, &[], "y".repeat(5 << 20)).await;
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(problem(response, 429).await, "too-many-requests");
    let other = server.post("/v1/logs/globex/edge", &server.tokens.admin).body("z".repeat(2 << 20));
    assert_eq!(other.send().await.unwrap().status(), 200);
    drop(unfinished);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(send(&server, &[], "y".repeat(5 << 20)).await.status(), 200);
}
