//! Who may ask, and for how long.

use alerting::Role;
use event::Scope;
use futures::TryStreamExt;
use tonic::Code;

use crate::support::{ACME, Lab, ask};

#[tokio::test]
async fn a_token_as_password_gives_a_bearer_back() {
    let lab = Lab::new().await;
    let token = lab.token(Some(ACME)).await;
    let mut client = arrow_flight::sql::client::FlightSqlServiceClient::new(lab.channel().await);
    client.handshake("anybody", &token).await.unwrap();
    assert_eq!(client.token(), Some(&token));
    assert_eq!(ask(&mut client, "SELECT 1 AS x").await.unwrap(), ["1"]);
    client.clear_token();
    assert!(client.handshake("anybody", "wf_wrong").await.is_err());
}

#[tokio::test]
async fn nobody_is_answered_without_a_token_that_may_read() {
    let lab = Lab::new().await;
    let mut nobody = lab.client("wf_wrong").await;
    let refused = ask(&mut nobody, "SELECT 1").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.message(), "this token is unknown, revoked or expired");
    let mut shipper = lab.client(&lab.token_of(Role::Shipper, Some(ACME)).await).await;
    let refused = ask(&mut shipper, "SELECT 1").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut silent = arrow_flight::flight_service_client::FlightServiceClient::new(lab.channel().await);
    let refused = silent.list_actions(arrow_flight::Empty {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let counted = lab.counted();
    assert!(counted.contains("watchfire_flight_refused_total{reason=\"wrong_token\"} 1"), "{counted}");
}

#[tokio::test]
async fn an_address_that_guesses_is_told_to_wait() {
    let config = flight::FlightConfig { failed_auth_per_minute_max: 2, ..flight::FlightConfig::default() };
    let lab = Lab::with(query::QueryLimits::default(), config).await;
    let mut guesses = lab.client("wf_wrong").await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(ask(&mut guesses, "SELECT 1").await.unwrap_err().message().to_owned());
    }
    assert!(told[2].contains("too many wrong tokens"), "{told:?}");
}

#[tokio::test]
async fn a_token_that_is_revoked_is_refused_at_the_next_call() {
    let lab = Lab::new().await;
    let mut client = lab.client(&lab.token(None).await).await;
    let info = client.execute("SELECT 1 AS x".to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let rows = client.do_get(ticket.clone()).await.unwrap();
    assert_eq!(rows.try_collect::<Vec<_>>().await.unwrap().len(), 1);
    for entry in lab.control.tokens().await.unwrap().iter().filter(|entry| entry.scope == Scope::All) {
        assert!(lab.control.revoke_token(&entry.id).await.unwrap());
    }
    let refused = client.do_get(ticket).await.err().map(crate::support::status).unwrap();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
