//! A log line becomes an alert: the whole path, for each first detector.

use chrono::{DateTime, Duration, SecondsFormat, Utc};

use crate::harness::{Home, partner};

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// One token: issued, redeemed by its user, and shown again from elsewhere 13 seconds later.
pub(crate) fn stolen_token(partner: &str, at: DateTime<Utc>, seq: i64, token: &str) -> Vec<String> {
    let line = |seq: i64, time: DateTime<Utc>, rest: &str| {
        format!(
            r#"{{"v":1,"ts":"{}","seq":{seq},"env":"production","partner_id":"{partner}","user_ref":"usr_1","token":"{token}",{rest}}}"#,
            stamp(time)
        )
    };
    vec![
        line(
            seq,
            at,
            r#""event":"session_token.issued","api_key_id":"key_live_1","src_ip":"203.0.113.24","user_agent":"acme-backend/2.14""#,
        ),
        line(
            seq + 1,
            at + Duration::seconds(5),
            r#""event":"session_token.redeemed","outcome":"success","src_ip":"203.0.113.90","user_agent":"Mozilla/5.0 (Macintosh)""#,
        ),
        line(
            seq + 2,
            at + Duration::seconds(18),
            r#""event":"session_token.rejected","outcome":"failure","reason":"already_used","src_ip":"198.51.100.77","user_agent":"Mozilla/5.0 (iPhone)""#,
        ),
    ]
}

#[test]
fn a_token_shown_again_from_elsewhere_is_one_high_alert_with_both_uses_as_evidence() {
    let (partner, token) =
        (partner("reuse"), "9f2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68");
    let mut home = Home::new("");
    let mut server = home.start();
    let lines = stolen_token(&partner, Utc::now() - Duration::seconds(30), 1, token);
    server.send(&partner, "handshake", &lines);
    server.until("the alert", |server| !server.alerts(&partner).is_empty());
    server.until_stored(&partner, 3);

    // The same records again: a shipper that starts over.
    server.send(&partner, "handshake", &lines);
    server.until_stored(&partner, 6);
    let alerts = server.alerts(&partner);
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    let alert = &alerts[0];
    assert_eq!(
        (alert["class"].as_str(), alert["severity"].as_str()),
        (Some("token.reuse.other_origin"), Some("high"))
    );
    assert_eq!(alert["tenant"], partner.as_str());
    let evidence = alert["evidence"].as_array().unwrap();
    let addresses: Vec<&str> = evidence.iter().filter_map(|one| one["src_ip"].as_str()).collect();
    assert!(addresses.contains(&"203.0.113.90") && addresses.contains(&"198.51.100.77"), "{evidence:#?}");

    let id = alert["alert_id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/v1/alerts/{id}")).0, 200);
    let reproduced = server.sql(alert["query_sql"].as_str().unwrap());
    assert!(!reproduced.is_empty(), "the alert's own query finds its evidence");
    server.stop();

    // Promise 4: the raw token is in no file of ours but the broker's copy of the partner's own topic.
    for path in crate::harness::files(&home.data()) {
        if path.to_string_lossy().contains("/broker/") && path.to_string_lossy().contains("logs.") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes.windows(token.len()).any(|window| window == token.as_bytes()),
            "raw token in {}",
            path.display()
        );
    }
    assert!(!home.stderr().contains(token), "raw token in the log");
}

#[test]
fn guessing_passwords_from_one_address_and_then_getting_in_are_alerts_of_their_own() {
    let partner = partner("guess");
    let mut home = Home::new("");
    let mut server = home.start();
    let began = Utc::now() - Duration::seconds(120);
    let line = |n: i64, text: &str| {
        let at = began + Duration::seconds(n);
        format!(
            "<38>{} edge-1 sshd[{}]: {text} from 198.51.100.7 port 53502 ssh2",
            at.format("%b %e %H:%M:%S"),
            1_000 + n
        )
    };
    let mut lines: Vec<String> = (0..14).map(|n| line(n * 2, "Failed password for root")).collect();
    lines.push(line(40, "Accepted password for root"));
    server.send(&partner, "auth", &lines);
    server.until("both alerts", |server| server.alerts(&partner).len() >= 2);
    server.until_stored(&partner, 15);
    let classes: Vec<String> =
        server.alerts(&partner).iter().map(|alert| alert["class"].as_str().unwrap().to_owned()).collect();
    assert!(classes.iter().any(|class| class == "auth.success_after_failures"), "{classes:?}");
    assert!(classes.iter().any(|class| class.starts_with("auth.bruteforce")), "{classes:?}");
    server.stop();
}

#[test]
fn a_flood_on_one_endpoint_is_told_against_the_contract() {
    let partner = partner("flood");
    let mut home = Home::new(&format!("[partners.{partner}]\nrequests_per_minute = 30.0\n"));
    let mut server = home.start();
    let minute = Utc::now() - Duration::minutes(12);
    let line = |at: DateTime<Utc>, n: usize| {
        format!(
            r#"203.0.113.{} - - [{}] "POST /v1/sessions HTTP/1.1" 201 312 "-" "acme-backend/2.14""#,
            n % 200 + 1,
            at.format("%d/%b/%Y:%H:%M:%S %z")
        )
    };
    let mut lines = Vec::new();
    for m in 0..10 {
        let requests = if m >= 5 { 900 } else { 25 };
        for n in 0..requests {
            lines.push(line(minute + Duration::seconds(m * 60 + n as i64 * 60 / requests as i64), n));
        }
    }
    server.send(&partner, "access", &lines);
    server.until("the alert", |server| !server.alerts(&partner).is_empty());
    server.until_stored(&partner, lines.len() as i64);
    let alerts = server.alerts(&partner);
    assert!(alerts.iter().all(|alert| alert["detector"] == "request_spike"), "{alerts:#?}");
    assert!(alerts.len() <= 2, "one for the endpoint, one for the partner at most: {alerts:#?}");
    server.stop();
}
