use super::*;
use crate::testing::{ROUTING_KEY, alert, start};

fn sent(alert: &Alert, kind: NoticeKind) -> Value {
    let stored = crate::fold::fold(None, &crate::testing::created(alert), start());
    let message = Message { message_id: "msg_1".into(), kind, alert: stored, queued_at: start() };
    let url = "https://sec.example".parse().unwrap();
    let body = event(&message, ROUTING_KEY, Some(&url));
    assert!(body.len() <= EVENT_BYTES_MAX);
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_trigger_is_what_pagerduty_asks_for() {
    let alert = alert("prt_acme", "usr_1");
    let url = format!("https://sec.example/alerts/{}", alert.alert_id);
    let mut sent = sent(&alert, NoticeKind::Opened);
    let details = sent["payload"]["custom_details"].take();
    assert_eq!(
        sent,
        json!({
            "routing_key": ROUTING_KEY,
            "event_action": "trigger",
            "dedup_key": "prt_acme/auth.bruteforce/usr_1/20260314T0926",
            "client": "watchfire",
            "client_url": url,
            "payload": {
                "summary": "[High] prt_acme: many failed logins for one user",
                "source": "prt_acme",
                "severity": "error",
                "timestamp": "2026-03-14T09:26:58.004Z",
                "component": "user",
                "group": "prt_acme",
                "class": "auth.bruteforce",
                "custom_details": null,
            },
            "links": [{"href": url, "text": "Open alert"}],
            "images": [],
        })
    );
    assert_eq!((&details["count"], &details["observed"]), (&21.into(), &21.0.into()));
}

#[test]
fn acknowledge_and_resolve_carry_the_key_alone() {
    let alert = alert("prt_acme", "usr_1");
    for (kind, action) in [(NoticeKind::Acknowledged, "acknowledge"), (NoticeKind::Closed, "resolve")] {
        let expected =
            json!({"routing_key": ROUTING_KEY, "event_action": action, "dedup_key": alert.dedup_key});
        assert_eq!(sent(&alert, kind), expected);
    }
}

#[test]
fn severities_are_theirs() {
    let theirs =
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical].map(severity);
    assert_eq!(theirs, ["info", "info", "warning", "error", "critical"]);
}

#[test]
fn a_summary_has_1024_characters_at_most() {
    let mut alert = alert("prt_acme", "usr_1");
    alert.title = "ß".repeat(2_000);
    let summary = sent(&alert, NoticeKind::Opened)["payload"]["summary"].as_str().unwrap().to_owned();
    assert_eq!(summary.chars().count(), 1_024);
    assert!(summary.ends_with('…'));
}

#[test]
fn a_key_they_would_not_take_is_told_by_its_hash() {
    let mut alert = alert("prt_acme", "usr_1");
    alert.dedup_key = "k".repeat(256);
    let key = sent(&alert, NoticeKind::Opened)["dedup_key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("wf_") && key.len() == 35);
    assert_eq!(sent(&alert, NoticeKind::Closed)["dedup_key"], key, "and by the same when it is over");
}

#[test]
fn details_that_are_too_large_are_left_out_and_this_is_said() {
    let mut alert = alert("prt_acme", "usr_1");
    alert.details.insert("user_agent".into(), "x".repeat(600_000).into());
    let details = &sent(&alert, NoticeKind::Opened)["payload"]["custom_details"];
    assert!(details["omitted"].as_str().unwrap().contains("larger than PagerDuty takes"));
}

#[test]
fn hostile_text_moves_no_cursor_and_turns_no_line() {
    let mut alert = alert("prt_acme", "usr_1");
    alert.title = "a\r\nb\u{1b}[2J\u{202e}c".into();
    alert.details.insert("user\u{202e}_agent".into(), json!({"list": ["\u{1b}]0;x\u{7}", {"k\n": "\0"}]}));
    let text = sent(&alert, NoticeKind::Opened).to_string();
    for unsafe_part in ["\\r", "\\n", "\\u001b", "\\u0000", "\u{202e}"] {
        assert!(!text.contains(unsafe_part), "{unsafe_part}");
    }
}
