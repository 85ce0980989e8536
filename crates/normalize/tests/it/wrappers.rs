//! Lines inside of other lines: the innermost that a source knows is what counts.

use event::EventRow;
use serde_json::{Value, json};

use crate::feed::{event, feed, normalizer, read};

const PARTNER: &str = r#"{"v":1,"ts":"2026-03-14T09:30:00Z","seq":5,"event":"session_token.redeemed","env":"production","partner_id":"prt_acme","user_ref":"usr_1","token_fp":"hmac256:k3:2dedb0c9e14eb74b93ba3e8670b03563"}"#;
const NGINX: &str =
    r#"192.0.2.1 - - [14/Mar/2026:09:30:00 +0000] "GET /a?b=\x22c HTTP/1.1" 200 5 "-" "curl""#;
const SSHD: &str = "Mar 14 09:30:00 h sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2";
const STAMP: &str = "2026-03-14T09:30:00.593035218Z";

type Wrapper = fn(&str) -> String;

/// Every wrapper that is known.
const WRAPPERS: [(&str, Wrapper); 7] = [
    ("cri", |line| format!("{STAMP} stdout F {line}")),
    ("docker", |line| json!({"log": format!("{line}\n"), "stream": "stdout", "time": STAMP}).to_string()),
    ("fluent_bit", |line| json!({"date": 1_773_480_600.593, "log": line}).to_string()),
    ("vector", |line| {
        json!({"message": line, "source_type": "file", "host": "h", "timestamp": STAMP}).to_string()
    }),
    ("logstash", |line| json!({"@timestamp": STAMP, "@version": "1", "message": line}).to_string()),
    ("ecs", |line| {
        let agent = json!({"type": "filebeat"});
        json!({"@timestamp": STAMP, "ecs": {"version": "8.0.0"}, "agent": agent, "message": line}).to_string()
    }),
    ("syslog", |line| format!("<134>Mar 14 09:30:01 h app[7]: {line}")),
];

/// A row without what a wrapper adds to it.
fn bare<'a>(row: &EventRow<'a>) -> EventRow<'a> {
    let mut row = row.clone();
    (row.raw_hash, row.logged_time, row.unmapped) = (None, None, None);
    row
}

#[test]
fn a_wrapped_line_is_read_as_itself() {
    for line in [PARTNER, NGINX, SSHD] {
        let itself = event(line);
        for (name, wrap) in WRAPPERS {
            let wrapped = event(wrap(line));
            assert_eq!(bare(&wrapped.events.row(0)), bare(&itself.events.row(0)), "{name} around {line}");
            let logged = wrapped.events.row(0).logged_time.map(|time| time.millis());
            let expected = (name != "syslog").then_some(1_773_480_600_593);
            assert_eq!(logged, expected, "when {name} was put around it");
        }
    }
}

#[test]
fn wrappers_may_lie_in_each_other() {
    let itself = event(NGINX);
    for (outer_name, outer) in WRAPPERS {
        for (inner_name, inner) in WRAPPERS {
            let wrapped = event(outer(&inner(NGINX)));
            let (wrapped, itself) = (bare(&wrapped.events.row(0)), bare(&itself.events.row(0)));
            assert_eq!(wrapped, itself, "{outer_name} around {inner_name}");
        }
    }
}

#[test]
fn there_is_an_end_to_it() {
    let wrap = WRAPPERS[2].1;
    let nested = |depth| (0..depth).fold(NGINX.to_owned(), |line, _| wrap(&line));
    assert_eq!(event(nested(4)).events.row(0).source_format.as_deref(), Some("nginx_combined"));
    assert_eq!(event(nested(5)).events.row(0).source_format.as_deref(), Some("fluent_bit"));
}

#[test]
fn what_a_wrapper_says_is_kept_without_its_secrets() {
    let wrapped = json!({"log": NGINX, "stream": "stderr", "time": STAMP, "attrs": {"password": "hunter2"}});
    let read = event(wrapped.to_string());
    let row = read.events.row(0);
    let unmapped: Value = serde_json::from_str(row.unmapped.as_deref().unwrap()).unwrap();
    assert_eq!(unmapped["wrapper.docker"]["stream"], "stderr");
    assert!(!format!("{row:?}").contains("hunter2"), "{row:?}");
    assert!(row.redactions.iter().any(|note| note.contains("wrapper.docker")), "{:?}", row.redactions);
}

#[test]
fn a_line_that_no_source_knows_is_kept_as_its_collectors() {
    for (name, wrap) in WRAPPERS.iter().filter(|(name, _)| !["cri", "syslog", "ecs"].contains(name)) {
        let read = event(wrap("worker 3 started"));
        let row = read.events.row(0);
        assert_eq!(row.source_format.as_deref(), Some(*name));
        assert_eq!(row.message.as_deref().map(str::trim), Some("worker 3 started"));
        assert_eq!(row.flags, ["unknown_line"]);
    }
}

#[test]
fn a_wrappers_number_is_read_in_the_unit_that_lies_in_our_time() {
    for (stamp, expected) in [
        (json!(1_773_480_600), Some(1_773_480_600_000)),
        (json!(1_773_480_600_593_i64), Some(1_773_480_600_593)),
        (json!(7), None),
    ] {
        let wrapped = json!({"message": NGINX, "source_type": "file", "timestamp": stamp}).to_string();
        let logged = event(wrapped).events.row(0).logged_time.map(|time| time.millis());
        assert_eq!(logged, expected, "{stamp}");
    }
}

#[test]
fn a_topics_source_is_the_one_inside() {
    for (name, wrap) in WRAPPERS {
        let mut normalizer = normalizer(1, &[("edge", "nginx_combined")]);
        feed(&mut normalizer, 7, wrap(NGINX).as_bytes(), None);
        let read = normalizer.finish();
        assert_eq!(read.rejects.len(), 0, "{name}: {:?}", read.rejects.rows().next());
        assert_eq!(read.events.row(0).path.as_deref(), Some("/a"), "{name}");
    }
}

#[test]
fn an_event_that_speaks_for_itself_is_not_what_its_message_quotes() {
    for said in [json!({"source": {"ip": "198.51.100.9"}}), json!({"log": {"level": "info"}})] {
        let mut line = json!({"@timestamp": STAMP, "ecs": {"version": "8.0.0"}, "message": NGINX});
        line.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let read = event(line.to_string());
        assert_eq!(read.events.row(0).source_format.as_deref(), Some("ecs"), "{said}");
    }
}

#[test]
fn a_program_whose_messages_are_known_is_not_what_they_quote() {
    let line = format!("Mar 14 09:30:00 h sshd[1]: {NGINX}");
    assert_eq!(event(line).events.row(0).source_format.as_deref(), Some("sshd"));
}

#[test]
fn a_piece_of_a_line_is_refused_in_any_wrapper() {
    let piece = format!("{STAMP} stdout P {NGINX}");
    for (name, wrap) in WRAPPERS {
        let read = read(wrap(&piece), None);
        assert_eq!((read.events.len(), read.rejects.len()), (0, 1), "{name}");
        assert_eq!(read.rejects.row(0).reason.as_deref(), Some("partial_line"), "{name}");
    }
}
