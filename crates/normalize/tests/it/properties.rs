//! What holds for any bytes.

use event::EventBatch;
use proptest::prelude::*;

use crate::feed::{feed, json_lines, normalizer, read};

/// Lines of every kind, good and bad.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => prop::collection::vec(any::<u8>().prop_filter("ends a line", |byte| *byte != b'\n'), 0..80),
        1 => "[ -~]{0,60}".prop_map(String::into_bytes),
        1 => "[\\[\\]{}\",:0-9a\\\\ ]{0,40}".prop_map(String::into_bytes),
        3 => (0..7_usize, 0..90_u32, "[ -~]{0,10}").prop_map(|(kind, n, text)| good(kind, n, &text).into_bytes()),
        2 => (0..3_usize, target()).prop_map(|(kind, target)| called(kind, &target).into_bytes()),
    ]
}

/// Request targets in every form: `/path`, `https://host/path?query`, `host:port`, `*`.
fn target() -> impl Strategy<Value = String> {
    (
        "([a-z]{0,5}://)?",
        "[a-z.:@\\[\\]]{0,12}",
        "(/[a-zé%]{0,5}){0,3}",
        "(\\?[a-z=&/:%]{0,12})?(#[a-z]{0,3})?",
    )
        .prop_map(|(scheme, host, path, query)| format!("{scheme}{host}{path}{query}"))
}

/// A line about a call of a target.
fn called(kind: usize, target: &str) -> String {
    match kind {
        0 => format!(
            r#"{{"v":1,"ts":"2026-03-14T09:00:00Z","event":"api.request","partner_id":"p","http":{{"method":"GET","path":"{target}"}}}}"#
        ),
        1 => format!(
            r#"192.0.2.1 - - [14/Mar/2026:09:00:00 +0000] "GET {target} HTTP/1.1" 404 5 "{target}" "-""#
        ),
        _ => format!(
            r#"{{"msec":"1773480413.5","remote_addr":"192.0.2.1","status":200,"request":"GET {target} HTTP/1.1","http_origin":"{target}"}}"#
        ),
    }
}

fn good(kind: usize, n: u32, text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    match kind {
        0 => format!(
            r#"{{"v":1,"ts":"2026-03-14T09:{:02}:00Z","event":{text},"partner_id":"p","x":{n}}}"#,
            n % 60
        ),
        1 => format!(
            r#"{{"v":1,"ts":"2026-03-14T09:{:02}:00Z","event":"session_token.issued","partner_id":"p","token":{text}}}"#,
            n % 60
        ),
        2 => format!(
            r#"192.0.2.{n} - - [14/Mar/2026:09:{:02}:00 +0000] "GET /v1/x HTTP/1.1" 401 5 "-" {text}"#,
            n % 60
        ),
        3 => {
            format!(r#"{{"msec":"1773480{n:03}.5","remote_addr":"192.0.2.1","status":200,"request":{text}}}"#)
        }
        4 => format!(
            "Mar 14 09:{:02}:00 h sshd[{n}]: Failed password for root from 192.0.2.1 port {n} ssh2",
            n % 60
        ),
        5 => format!("Mar 14 09:{:02}:00 h {text}", n % 60),
        _ => {
            format!(r#"[{{"v":1,"ts":"2026-03-14T09:00:00Z","event":{text},"partner_id":"p"}},{{"a":{n}}}]"#)
        }
    }
}

/// What the events say, but for where they stood.
fn without_positions(events: &EventBatch) -> Vec<String> {
    let lines = json_lines(events.arrow());
    let strip = |line: &str| {
        let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        for column in ["event_id", "kafka_offset", "kafka_line"] {
            object.remove(column);
        }
        serde_json::Value::Object(object).to_string()
    };
    lines.lines().map(strip).collect()
}

/// Every source, none, and one that does not exist.
fn formats() -> Vec<Option<&'static str>> {
    let named = [
        "partner",
        "nginx_combined",
        "sshd",
        "syslog_rfc5424",
        "cef",
        "haproxy",
        "envoy_text",
        "otlp",
        "docker",
        "ecs",
        "aws_alb",
        "?",
    ];
    std::iter::once(None).chain(named.map(Some)).collect()
}

/// What lines of several formats are made of.
const PIECES: &[&str] = &[
    "<134>",
    "1 ",
    "2026-03-14T09:26:53.589Z ",
    "Mar 14 09:26:53 ",
    "host ",
    "app[7]: ",
    "- ",
    "[a@1 ",
    "x=\"",
    "\"",
    "]",
    "[",
    "\\",
    "CEF:0|",
    "|",
    "a=b ",
    "cs1Label=",
    "cs1=",
    "=",
    "\u{feff}",
    "ü",
    " stdout F ",
    " stdout P ",
    "{\"log\":\"",
    "\\\"",
    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{",
    "\"body\":{\"stringValue\":",
    "}",
    "]}]}]}",
    "\"timeUnixNano\":\"1773480413589000000\"",
    ",",
    "203.0.113.24:59292 ",
    "[14/Mar/2026:09:26:53.547] ",
    "\"GET / HTTP/1.1\" ",
    "200 ",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_become_events_and_rejects_and_never_a_panic(
        payload in prop::collection::vec(any::<u8>(), 0..600),
        format in prop::sample::select(formats()),
    ) {
        let read = read(&payload, format);
        prop_assert_eq!(read.counts.lines, (read.events.len() + read.rejects.len()) as u64);
        prop_assert!(read.counts.lines >= 1);
        prop_assert_eq!(read.counts.events, read.events.len() as u64);
        prop_assert_eq!(read.counts.rejected(), read.rejects.len() as u64);
    }

    #[test]
    fn what_looks_like_a_format_becomes_events_and_rejects_and_never_a_panic(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24),
        format in prop::sample::select(formats()),
    ) {
        let read = read(pieces.concat(), format);
        prop_assert_eq!(read.counts.lines, (read.events.len() + read.rejects.len()) as u64);
        prop_assert_eq!(read.rejects.rows().filter(|row| row.reason.as_deref() == Some("internal_error")).count(), 0);
    }

    #[test]
    fn every_line_is_one_event_or_one_reject(lines in prop::collection::vec(line(), 1..12)) {
        // An array is as many lines as it has elements, and a list of lines may form one by chance.
        let arrays = lines.iter().any(|line| line.trim_ascii_start().starts_with(b"["));
        prop_assume!(!arrays);
        let mut payload = lines.join(&b'\n');
        payload.push(b'\n');
        let read = read(&payload, None);
        let mut expected: Vec<_> =
            (0..).zip(&lines).filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(n, _)| Some(n)).collect();
        if expected.is_empty() {
            expected.push(Some(0));
        }
        let mut numbers: Vec<_> = read.events.rows().map(|row| row.kafka_line)
            .chain(read.rejects.rows().map(|row| row.kafka_line)).collect();
        numbers.sort();
        prop_assert_eq!(numbers, expected);
    }

    #[test]
    fn lines_mean_the_same_however_they_are_put_into_records(
        lines in prop::collection::vec(line(), 1..12),
        cuts in prop::collection::vec(any::<(bool, bool)>(), 12),
    ) {
        // An array that spans lines is one thing in one record and another in two.
        prop_assume!(!lines.iter().any(|line| line.trim_ascii_start().starts_with(b"[") && line.last() != Some(&b']')));
        // A record of nothing is a reject, a line of nothing among others is not.
        prop_assume!(!lines.iter().any(|line| line.trim_ascii().is_empty()));
        let mut payload = lines.join(&b'\n');
        payload.push(b'\n');
        let whole = read(payload, None);
        let mut normalizer = normalizer(3, &[]);
        let (mut events, mut rejects, mut observations) = (Vec::new(), 0, 0);
        for (offset, line) in lines.iter().enumerate() {
            feed(&mut normalizer, offset as i64, line, None);
            if cuts[offset].0 {
                let read = normalizer.finish();
                events.extend(without_positions(&read.events));
                rejects += read.rejects.len();
                observations += total(&read.observations);
            }
        }
        let read = normalizer.finish();
        events.extend(without_positions(&read.events));
        rejects += read.rejects.len();
        observations += total(&read.observations);
        prop_assert_eq!(events, without_positions(&whole.events));
        prop_assert_eq!(rejects, whole.rejects.len());
        prop_assert_eq!(observations, total(&whole.observations));
    }

    #[test]
    fn reading_a_record_again_gives_the_same(lines in prop::collection::vec(line(), 1..6)) {
        let payload = lines.join(&b'\n');
        let (one, two) = (read(&payload, None), read(&payload, None));
        prop_assert_eq!(json_lines(one.events.arrow()), json_lines(two.events.arrow()));
        prop_assert_eq!(one.observations, two.observations);
        prop_assert_eq!(json_lines(one.rejects.arrow()), json_lines(two.rejects.arrow()));
    }
}

/// How many things were observed, however they were folded.
fn total(batches: &[event::ObservationBatch]) -> i64 {
    batches.iter().flat_map(|batch| batch.rows().map(|row| row.count.unwrap_or(1)).collect::<Vec<_>>()).sum()
}
