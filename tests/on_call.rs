//! On-call is told once, whatever the receiver answers first.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::{Home, partner};
use crate::receivers::{Answer, Receiver};

#[test]
fn on_call_is_paged_once_though_the_receiver_fails_hangs_and_pushes_back() {
    let partner = partner("page");
    let pagerduty = Receiver::start(vec![
        Answer::Status(500),
        Answer::RetryAfter(429, 1),
        Answer::Hang(Duration::from_secs(30)),
    ]);
    let webhook = Receiver::start(vec![Answer::Status(503)]);
    let mut home = Home::new(&format!(
        "[[alerting.destinations]]\nkind = 'pagerduty'\nname = 'on-call'\nbase_url = 'http://{}'\n\
         routing_key_file = 'ROUTING'\nallow_private = true\ntenants = ['{partner}']\ntimeout_seconds = 1\nmin_severity = 'high'\n\
         [[alerting.destinations]]\nkind = 'webhook'\nname = 'hook'\nurl = 'http://{}/hook'\nsecret_file = 'SECRET'\n\
         allow_private = true\ntenants = ['{partner}']\ntimeout_seconds = 2\nmin_severity = 'high'\n",
        pagerduty.address, webhook.address
    ));
    let config = home.dir.path().join("watchfire.toml");
    let (routing, secret) = (home.dir.path().join("routing"), home.dir.path().join("secret"));
    std::fs::write(&routing, "0123456789abcdef0123456789abcdef").unwrap();
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let text =
        text.replace("ROUTING", &routing.to_string_lossy()).replace("SECRET", &secret.to_string_lossy());
    std::fs::write(&config, text).unwrap();

    let mut server = home.start();
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let token = "1c2c4e7a1b8d3f60c5a7e9120d4b6f83a1c9e5d7240b8f6e3a7c1d905f2b4e68";
    let line = |seq: i64, rest: &str| {
        format!(
            r#"{{"v":1,"ts":"{now}","seq":{seq},"env":"production","partner_id":"{partner}","token":"{token}",{rest}}}"#
        )
    };
    let lines = [
        line(
            1,
            r#""event":"session_token.redeemed","outcome":"success","src_ip":"203.0.113.90","user_agent":"A""#,
        ),
        line(
            2,
            r#""event":"session_token.rejected","outcome":"failure","reason":"already_used","src_ip":"198.51.100.77","user_agent":"B""#,
        ),
    ];
    server.send(&partner, "handshake", &lines);
    let accepted = |receiver: &Receiver| {
        receiver.received().into_iter().filter(|one| (200..300).contains(&one.status)).collect::<Vec<_>>()
    };
    server.until("both receivers have it", |_| {
        !accepted(&pagerduty).is_empty() && !accepted(&webhook).is_empty()
    });

    // What was answered and not yet noted is sent again after a kill, under its key: only then is it once.
    server.until("the outbox has noted it", |server| {
        let outbox: serde_json::Value = serde_json::from_str(&server.get_text("/v1/outbox")).unwrap();
        let destinations = outbox["destinations"].as_array().expect("both destinations");
        destinations.len() == 2 && destinations.iter().all(|one| one["pending"] == 0)
    });

    // A kill does not page again.
    server.kill();
    let server = home.start();
    server.stop();

    let pages = accepted(&pagerduty);
    assert_eq!(pages.len(), 1, "{pages:#?}");
    let body: serde_json::Value = serde_json::from_slice(&pages[0].body).unwrap();
    assert_eq!(
        (body["event_action"].as_str(), body["payload"]["severity"].as_str()),
        (Some("trigger"), Some("error"))
    );
    let keys: BTreeSet<String> = pagerduty
        .received()
        .iter()
        .map(|one| serde_json::from_slice::<serde_json::Value>(&one.body).unwrap()["dedup_key"].to_string())
        .collect();
    assert_eq!(keys.len(), 1, "every try carries the same key");

    let hooks = webhook.received();
    let ids: BTreeSet<&[u8]> = hooks.iter().map(|one| one.headers["webhook-id"].as_bytes()).collect();
    assert_eq!(ids.len(), 1, "every try carries the same id");
    assert!(hooks[0].headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    let everything = format!("{:?}{:?}{}", pagerduty.received(), hooks, home.stderr());
    assert!(!everything.contains(token), "no raw token leaves");
    assert!(!home.stderr().contains("whsec_"), "no secret is logged");
}
