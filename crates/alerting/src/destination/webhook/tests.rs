use super::*;
use crate::testing::{SIGNING_SECRET, alert, start};

fn key() -> SigningKey {
    SigningKey::parse_all(SIGNING_SECRET).unwrap().remove(0)
}

#[test]
fn signatures_are_those_of_the_standard() {
    assert_eq!(
        key().sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
    let body = br#"{"type":"alert.created","timestamp":"2026-03-14T09:26:53.589Z","data":{"alert_id":"alr_01JPA8Z0Q4T6M2V7","detector":"token.reuse","severity":"high"}}"#;
    assert_eq!(
        key().sign("msg_01JPA8Z0Q4T6M2V7K9", 1_773_480_414, body),
        "v1,vhuL1X7P7hvpdDZJWeqKGlc/A7aHrHQnyDiTuNbhKHQ="
    );
}

#[test]
fn while_secrets_are_rotated_each_signs() {
    let both = format!("{SIGNING_SECRET}\nwhsec_{}", STANDARD.encode([7; 32]));
    let keys = SigningKey::parse_all(&both).unwrap();
    let headers = headers(&keys, "msg_1", 1_614_265_330, b"{}");
    let signatures: Vec<&str> = headers[2].1.to_str().unwrap().split(' ').collect();
    assert_eq!(signatures.len(), 2);
    assert!(signatures.iter().all(|signature| signature.starts_with("v1,")));
    assert_eq!((headers[0].1.to_str().unwrap(), headers[1].1.to_str().unwrap()), ("msg_1", "1614265330"));
}

#[test]
fn a_secret_has_the_prefix_and_24_to_64_bytes() {
    let short = format!("whsec_{}", STANDARD.encode([7; 23]));
    let long = format!("whsec_{}", STANDARD.encode([7; 65]));
    for bad in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_???", &short, &long] {
        assert!(SigningKey::parse_all(bad).is_err(), "{bad}");
    }
}

fn message(alert: event::Alert) -> Message {
    let change = crate::testing::created(&alert);
    let alert = crate::fold::fold(None, &change, start());
    Message { message_id: "msg_1".into(), kind: NoticeKind::Opened, alert, queued_at: start() }
}

fn sent(alert: event::Alert) -> Value {
    let url = "https://sec.example/watch/".parse().unwrap();
    let body = body(&message(alert), Some(&url));
    assert!(body.len() <= BODY_BYTES_MAX);
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn the_body_is_type_timestamp_and_the_alert() {
    let alert = alert("prt_acme", "usr_1");
    let sent = sent(alert.clone());
    assert_eq!(
        (&sent["type"], &sent["timestamp"]),
        (&"alert.created".into(), &"2026-03-14T09:26:54.000Z".into())
    );
    assert_eq!(
        (&sent["data"]["alert_id"], &sent["data"]["severity"]),
        (&alert.alert_id.clone().into(), &"high".into())
    );
    assert_eq!(sent["data"]["url"], format!("https://sec.example/watch/alerts/{}", alert.alert_id));
}

#[test]
fn what_is_too_large_loses_its_details_and_says_so() {
    let mut alert = alert("prt_acme", "usr_1");
    alert.details.insert("user_agent".into(), "x".repeat(30_000).into());
    let sent = sent(alert);
    assert_eq!(sent["data"]["omitted"], json!(["evidence", "details"]));
    assert!(sent["data"].get("details").is_none());
    assert_eq!(sent["data"]["title"], "many failed logins for one user");
}

#[test]
fn hostile_text_stays_inside_its_string() {
    let mut alert = alert("prt_acme", "usr_1");
    alert.title = "</script>\r\n\u{202e}\0\"}{{7*7}}".into();
    assert_eq!(sent(alert.clone())["data"]["title"], alert.title);
}
