//! What cannot be read is rejected with its reason and place; its neighbours and the process live on.

use std::io::Write;

use crate::harness::{Home, partner};

const GOOD: &str =
    r#"{"v":1,"ts":"TS","seq":1,"event":"api.request","env":"production","partner_id":"prt_x"}"#;

fn good() -> String {
    GOOD.replace("TS", &chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

#[test]
fn every_poisoned_record_ends_as_one_event_or_one_reject_and_its_neighbours_are_untouched() {
    let partner = partner("poison");
    let mut home = Home::new("");
    let mut server = home.start();
    let year_9999 = good().replace(&good()[13..17], "9999");
    let poison: Vec<(&str, Vec<u8>)> = vec![
        ("invalid UTF-8", b"\xff\xfe{\"v\":1".to_vec()),
        ("NUL", b"\0\0\0".to_vec()),
        ("deep nesting", [b"{\"v\":".to_vec(), vec![b'['; 100_000]].concat()),
        ("duplicate keys", good().replace("\"v\":1", "\"v\":1,\"v\":1").into_bytes()),
        ("lone surrogate", good().replace("prt_x", r"\ud800").into_bytes()),
        ("year 9999", year_9999.into_bytes()),
        ("array at top", format!("[{},{}]", good(), good()).into_bytes()),
        ("huge number", good().replace("\"seq\":1", "\"seq\":1e400").into_bytes()),
        ("no JSON", b"{\"v\":1,".to_vec()),
        ("blank", b"   ".to_vec()),
        ("no format", b"the quick brown fox".to_vec()),
    ];
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for (_, line) in &poison {
        lines.push(line.clone());
        lines.push(good().into_bytes());
    }
    lines.push([b"{\"v\":1,\"x\":\"".to_vec(), vec![b'x'; 7 << 20]].concat());
    lines.push(good().into_bytes());
    server.send(&partner, "handshake", &lines);
    // The array holds two.
    server.until_stored(&partner, lines.len() as i64 + 1);
    let clean = server
        .count(&format!("SELECT count(*) FROM events WHERE tenant = '{partner}' AND action = 'api.request'"));
    assert!(clean >= poison.len() as i64 + 3, "the neighbours and the array's two are events: {clean}");
    let reasons =
        server.sql(&format!("SELECT reason, kafka_offset, detail FROM rejects WHERE tenant = '{partner}'"));
    for wanted in ["too_deep", "too_long", "invalid_json", "unknown_format", "time_out_of_range"] {
        assert!(reasons.iter().any(|row| row["reason"] == wanted), "{wanted} is missing in {reasons:#?}");
    }
    assert!(reasons.iter().all(|row| row["kafka_offset"].is_i64()), "every reject has its place");
    let metrics = server.get_text("/metrics");
    // On a cluster there may be more, from runs before.
    let counted =
        metrics.lines().find_map(|line| line.strip_prefix("watchfire_rejects_total{reason=\"too_deep\"} "));
    assert!(counted.is_some_and(|count| count != "0"), "rejects are counted by reason: {counted:?}");
    server.stop();
}

#[test]
fn a_gzip_bomb_is_refused_and_the_server_lives() {
    let partner = partner("bomb");
    let mut home = Home::new("");
    let mut server = home.start();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeroes = vec![b'0'; 1 << 20];
    for _ in 0..200 {
        bomb.write_all(&zeroes).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let (status, answer) =
        server.post(&format!("/v1/logs/{partner}/x"), bomb, &[("content-encoding", "gzip")]);
    assert_eq!(status, 413, "{answer}");
    assert!(answer["detail"].is_string(), "problem+json: {answer}");
    server.until("an answer", |server| server.get_status("/healthz") == 200);
    server.stop();
}

#[test]
fn lines_posted_over_http_are_stored_once_they_are_acknowledged() {
    let partner = partner("http");
    let mut home = Home::new("");
    let mut server = home.start();
    let body: String = (0..500).map(|_| good() + "\n").collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    let (status, answer) = server.post(
        &format!("/v1/logs/{partner}/handshake"),
        gzip.finish().unwrap(),
        &[("content-encoding", "gzip")],
    );
    assert!((200..300).contains(&status), "{status} {answer}");
    assert_eq!(answer["accepted"], 500, "{answer}");
    server.until_stored(&partner, 500);
    for bad in ["/v1/logs/..%2fx/y", "/v1/logs/a/b%20c"] {
        let (status, answer) = server.post(bad, b"x".to_vec(), &[]);
        assert!((400..500).contains(&status), "{bad}: {status} {answer}");
    }
    server.stop();
}
