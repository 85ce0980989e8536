//! How long an event takes: `cargo run --release -p normalize --example throughput`; with
//! `-- "nginx json"` behind it, only that of cases with these words in their names.
//!
//! Prints nanoseconds of CPU for each event, the best of several rounds, with bare JSON parsing
//! beside it.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event::{EventTime, LogTopic, RawLog};
use normalize::{Fingerprinter, Normalizer, Options, Schemas};

const LINES: usize = 50_000;
const LINES_A_RECORD: usize = 100;
const ROUNDS: usize = 9;
const NOW: EventTime = EventTime(1_773_480_840_000);

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    println!("{:<42} {:>9} {:>9}", "", "ns/event", "bytes");
    for (name, line) in [
        ("partner: a token's life in three lines", partner as fn(usize) -> String),
        ("partner: with a raw token", raw_token),
        ("nginx combined", nginx),
        ("nginx combined, every line with a token", nginx_token),
        ("nginx json", nginx_json),
        ("sshd", sshd),
    ] {
        if !name.contains(&wanted) {
            continue;
        }
        let lines: Vec<String> = (0..LINES).map(line).collect();
        let bytes = lines.iter().map(String::len).sum::<usize>() / LINES;
        for source in [None, Some(name.split(':').next().unwrap_or(name))] {
            let source = source.map(|_| source_of(name));
            let label = if source.is_some() { format!("{name}, named") } else { name.to_owned() };
            println!("{label:<42} {:>9} {bytes:>9}", best(|| normalize(&lines, source)));
        }
        if name.contains("json") || name.contains("partner") {
            println!("{:<42} {:>9}", "  sonic-rs value alone", best(|| parse_sonic(&lines)));
            println!("{:<42} {:>9}", "  serde_json value alone", best(|| parse_serde(&lines)));
        }
    }
}

fn source_of(name: &str) -> &'static str {
    match name {
        name if name.starts_with("partner") => "partner",
        name if name.starts_with("nginx json") => "nginx_json",
        name if name.starts_with("nginx") => "nginx_combined",
        _ => "sshd",
    }
}

fn best(mut run: impl FnMut() -> Duration) -> u128 {
    (0..ROUNDS).map(|_| run().as_nanos() / LINES as u128).min().unwrap_or_default()
}

fn normalize(lines: &[String], format: Option<&str>) -> Duration {
    let fingerprinter = Fingerprinter::new("k1", b"a pepper for the benchmark").expect("long enough");
    let options = Options { observation_partitions: 4, ..Options::default() };
    let mut normalizer = Normalizer::new(Arc::new(Schemas::built_in()), fingerprinter, options);
    let source = LogTopic::new("prt_acme", "edge").expect("a topic");
    let topic: Arc<str> = source.name().into();
    let records: Vec<String> = lines.chunks(LINES_A_RECORD).map(|chunk| chunk.join("\n")).collect();
    let start = Instant::now();
    for (offset, record) in records.iter().enumerate() {
        normalizer.normalize(&RawLog {
            source: &source,
            topic: &topic,
            partition: 0,
            offset: offset as i64,
            broker_time: NOW,
            payload: record.as_bytes(),
            format,
            shipper_id: None,
            shipper_seq: None,
            redriven_from: None,
        });
        if normalizer.rows() >= 5_000 {
            let read = black_box(normalizer.finish());
            assert!(read.rejects.is_empty(), "every line is an event");
        }
    }
    black_box(normalizer.finish());
    start.elapsed()
}

fn parse_sonic(lines: &[String]) -> Duration {
    let start = Instant::now();
    for line in lines {
        black_box(sonic_rs::from_str::<sonic_rs::Value>(line).expect("valid"));
    }
    start.elapsed()
}

fn parse_serde(lines: &[String]) -> Duration {
    let start = Instant::now();
    for line in lines {
        black_box(serde_json::from_str::<serde_json::Value>(line).expect("valid"));
    }
    start.elapsed()
}

fn second(n: usize) -> String {
    format!("{:02}:{:02}", n / 60 % 4 + 26, n % 60)
}

fn partner(n: usize) -> String {
    let (time, user, token) = (second(n / 100), n % 5_000, n / 3);
    let (event, extra) = match n % 3 {
        0 => (
            "issued",
            format!(
                r#""api_key_id":"key_live_{:04}","bound_origin":"https://shop.acme.example","expires_at":"2026-03-14T09:31:53.589Z""#,
                n % 50
            ),
        ),
        1 => ("redeemed", r#""outcome":"success","parent_origin":"https://shop.acme.example""#.to_owned()),
        _ => (
            "rejected",
            r#""outcome":"failure","reason":"already_used","parent_origin":"https://evil.example""#
                .to_owned(),
        ),
    };
    format!(
        r#"{{"v":1,"ts":"2026-03-14T09:{time}.589Z","seq":{n},"event":"session_token.{event}","env":"production","partner_id":"prt_acme","user_ref":"usr_{user}","token_fp":"hmac256:k3:{token:032x}",{extra},"src_ip":"203.0.113.{ip}","user_agent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)","http":{{"method":"POST","path":"/v1/sessions","status":201,"tls":"TLSv1.3"}},"request_id":"req_01JPA{n:05}"}}"#,
        ip = n % 250,
    )
}

fn raw_token(n: usize) -> String {
    partner(n).replace(
        &format!("\"token_fp\":\"hmac256:k3:{:032x}\"", n / 3),
        &format!("\"token\":\"{:064x}\"", n / 3),
    )
}

fn nginx(n: usize) -> String {
    format!(
        r#"203.0.113.{ip} - - [14/Mar/2026:09:{time} +0000] "GET /v1/profiles/usr_{n}/orders?page=2 HTTP/1.1" 200 312 "https://shop.acme.example/cart" "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1""#,
        ip = n % 250,
        time = second(n / 100),
    )
}

fn nginx_token(n: usize) -> String {
    nginx(n).replace("page=2", &format!("token={n:064x}"))
}

fn nginx_json(n: usize) -> String {
    format!(
        r#"{{"time_iso8601":"2026-03-14T09:26:53+00:00","msec":"1773480413.589","remote_addr":"203.0.113.{ip}","realip_remote_addr":"10.0.3.7","http_x_forwarded_for":"203.0.113.24","request_method":"POST","scheme":"https","host":"api.usesticker.example","request_uri":"/v1/sessions","server_protocol":"HTTP/1.1","status":"201","body_bytes_sent":"312","request_time":"0.042","upstream_response_time":"0.040","ssl_protocol":"TLSv1.3","ssl_cipher":"TLS_AES_128_GCM_SHA256","http_user_agent":"acme-backend/2.14","request_id":"{n:032x}"}}"#,
        ip = n % 250,
    )
}

fn sshd(n: usize) -> String {
    format!(
        "Mar 14 09:{} edge-1 sshd[{n}]: Failed password for invalid user u{} from 203.0.113.{} port 53502 ssh2",
        second(n / 100),
        n % 100,
        n % 250
    )
}
