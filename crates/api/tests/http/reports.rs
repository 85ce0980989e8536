//! What a credential did, of two partners' rows.

use serde_json::{Value, json};

use crate::harness::{Server, problem};
use crate::tables::KEY;

/// When the tables' rows begin, a minute later and a day later.
const WHEN: &str = "at=2026-03-14T09:27:53.589Z&until=2026-03-15T09:26:53.589Z";

async fn report(server: &Server, token: &str, key: &str, when: &str) -> Value {
    server.json(&format!("/v1/reports/key/{key}?{when}"), token).await
}

fn entries<'a>(report: &'a Value, list: &str) -> &'a Vec<Value> {
    assert_eq!(report[list]["truncated"], false, "{list}");
    report[list]["entries"].as_array().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn use_is_told_before_and_after_the_moment() {
    let server = Server::start().await;
    let report = report(&server, &server.tokens.acme, KEY, WHEN).await;
    assert_eq!(report["at_is"], "asked");
    // One event a second: sixty before the minute, and what is left of a hundred.
    assert_eq!((&report["before"]["events"], &report["after"]["events"]), (&json!(60), &json!(40)));
    assert_eq!(report["before"]["first_seen"], "2026-03-14T09:26:53.589Z");
    let routes = entries(&report, "endpoints");
    assert_eq!(routes[0]["route"], "POST /v1/exports");
    assert_eq!((&routes[0]["before"], &routes[0]["after"]), (&json!(0), &json!(40)));
    let addresses = entries(&report, "addresses");
    assert_eq!(addresses[0]["address"], "203.0.113.9");
    assert_eq!((&addresses[0]["country"], &addresses[0]["asn"]), (&json!("NL"), &json!(64_500)));
    assert_eq!(entries(&report, "users")[0]["user_ref"], "usr_acme");
    assert_eq!(entries(&report, "outcomes")[0]["outcome"], "failure");
    assert_eq!(entries(&report, "credentials")[0]["api_key_fp"], KEY);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_moment_is_the_first_alert_that_names_it() {
    let server = Server::start().await;
    let report = report(&server, &server.tokens.acme, KEY, "until=2026-03-15T09:26:53.589Z").await;
    assert_eq!(report["at_is"], "first_alert");
    assert_eq!(report["at"], "2026-03-14T09:27:13.589Z");
    let alerts = entries(&report, "alerts");
    assert_eq!(alerts.iter().map(|alert| &alert["alert_id"]).collect::<Vec<_>>(), ["alr_acme"]);
    assert_eq!(report["before"]["events"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_partner_has_its_own_report_of_a_key_that_both_use() {
    let server = Server::start().await;
    let theirs = report(&server, &server.tokens.globex, KEY, WHEN).await;
    assert!(!theirs.to_string().contains("acme"), "{theirs}");
    assert_eq!(entries(&theirs, "users")[0]["user_ref"], "usr_globex");
    let both = report(&server, &server.tokens.analyst, KEY, WHEN).await;
    assert_eq!(both["before"]["events"], 120);
    assert_eq!(entries(&both, "users").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_no_trace_is_not_there() {
    let server = Server::start().await;
    for key in ["hmac256:k1:other", "x'%20OR%20tenant%20%3C%3E%20'", "%25"] {
        let response = server.get(&format!("/v1/reports/key/{key}?{WHEN}"), &server.tokens.acme);
        assert_eq!(problem(response.send().await.unwrap(), 404).await, "not-found", "{key}");
    }
    let path = format!("/v1/reports/key/{KEY}?at=2026-03-16T00:00:00Z&until=2026-03-15T00:00:00Z");
    assert_eq!(
        problem(server.get(&path, &server.tokens.acme).send().await.unwrap(), 400).await,
        "bad-request"
    );
    let long = format!("/v1/reports/key/{}", "k".repeat(300));
    assert_eq!(
        problem(server.get(&long, &server.tokens.acme).send().await.unwrap(), 400).await,
        "bad-request"
    );
}
