//! What on-call was not told, and another try at it.

use alerting::{Destination, DestinationConfig};
use event::Severity;
use serde_json::json;

use crate::harness::{Server, alert, problem};

/// A server with one destination that is owed one page.
async fn server() -> Server {
    let server = Server::start().await;
    let config = json!({
        "name": "on-call", "kind": "pagerduty", "base_url": "http://127.0.0.1:9", "allow_private": true,
        "routing_key_env": "KEY",
    });
    let config: DestinationConfig = serde_json::from_value(config).unwrap();
    let destination =
        Destination::new(&config, "0123456789abcdef0123456789abcdef".to_owned().into()).unwrap();
    server.control.set_destinations(&[destination]).await.unwrap();
    let now = chrono::Utc::now().timestamp();
    server.raise(&[alert("alr_1", "acme", Severity::High, now)]).await;
    server
}

#[tokio::test]
async fn what_waits_is_shown_to_those_who_see_every_partner() {
    let server = server().await;
    let outbox = server.json("/v1/outbox", &server.tokens.analyst).await;
    let destination = &outbox["destinations"][0];
    assert_eq!((&destination["destination"], &destination["pending"]), (&"on-call".into(), &1.into()));
    assert_eq!((&destination["undelivered"], &outbox["undelivered"]), (&0.into(), &json!([])));
    for token in [&server.tokens.acme, &server.tokens.acme_shipper] {
        problem(server.get("/v1/outbox", token).send().await.unwrap(), 403).await;
        let again = server.post("/v1/outbox/requeue", token).json(&json!({"destination": "on-call"}));
        problem(again.send().await.unwrap(), 403).await;
    }
}

#[tokio::test]
async fn a_requeue_names_a_destination() {
    let server = server().await;
    let again = async |wanted| {
        server.post("/v1/outbox/requeue", &server.tokens.analyst).json(&wanted).send().await.unwrap()
    };
    let done = again(json!({"destination": "on-call"})).await;
    assert_eq!(done.json::<serde_json::Value>().await.unwrap(), json!({"requeued": 0, "overtaken": 0}));
    problem(again(json!({"destination": "nobody"})).await, 404).await;
    problem(again(json!({})).await, 400).await;
}
