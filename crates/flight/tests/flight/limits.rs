//! What one statement, one token and everybody may use, and how a statement is stopped.

use std::time::Duration;

use arrow_flight::decode::FlightRecordBatchStream;
use flight::FlightConfig;
use futures::StreamExt;
use query::QueryLimits;
use tokio::io::AsyncReadExt;
use tonic::Code;

use crate::support::{ACME, Client, Lab, ask, status};

/// A million million rows, of which none is needed.
const ENDLESS: &str = "SELECT count(*) FROM events a, events b, generate_series(1, 100000000) AS s(n) \
                       WHERE a.status + b.status + s.n = 1";
/// More rows than are computed ahead of a client that does not take them.
const LONG: &str = "SELECT a.event_id FROM events a, events b, events c, events d";

#[tokio::test]
async fn limits_are_named_when_they_are_met() {
    let limits = QueryLimits { rows_max: 10, ..QueryLimits::default() };
    let lab = Lab::with(limits, FlightConfig::default()).await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let rows = ask(&mut client, "SELECT event_id FROM events").await.unwrap_err();
    assert_eq!(rows.code(), Code::ResourceExhausted);
    assert!(rows.message().contains("query.rows_max"), "{rows}");
    let long = ask(&mut client, &format!("SELECT '{}'", "x".repeat(100_000))).await.unwrap_err();
    assert_eq!(long.code(), Code::InvalidArgument, "{long}");
    let too_long = ask(&mut client, &format!("SELECT '{}'", "x".repeat(300_000))).await.unwrap_err();
    assert_eq!(too_long.code(), Code::OutOfRange, "{too_long}");

    let limits = QueryLimits { time: Duration::from_secs(2), ..QueryLimits::default() };
    let lab = Lab::with(limits, FlightConfig::default()).await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let time = ask(&mut client, ENDLESS).await.unwrap_err();
    assert_eq!(time.code(), Code::DeadlineExceeded);
    assert!(time.message().contains("query.time_max_seconds"), "{time}");
}

/// A client that has begun to fetch more than it takes, in the one place there is; and another one.
async fn busy(limits: QueryLimits) -> (Lab, FlightRecordBatchStream, Client) {
    let limits = QueryLimits { concurrent: 1, rows_max: 1 << 40, ..limits };
    let lab = Lab::with(limits, FlightConfig::default()).await;
    let token = lab.token(Some(ACME)).await;
    let mut client = lab.client(&token).await;
    let info = client.execute(LONG.to_owned(), None).await.unwrap();
    let mut rows = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert!(rows.next().await.unwrap().unwrap().num_rows() > 0);
    let mut other = lab.client(&token).await;
    assert_eq!(ask(&mut other, "SELECT 1 AS x").await.unwrap_err().code(), Code::ResourceExhausted);
    (lab, rows, other)
}

/// Asks until there is a place.
async fn until_free(client: &mut Client) {
    let free = async { while ask(client, "SELECT 1 AS x").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(60), free).await.expect("its place is free");
}

#[tokio::test]
async fn who_drops_an_answer_frees_its_place() {
    let limits = QueryLimits { time: Duration::from_secs(600), ..QueryLimits::default() };
    let (lab, rows, mut other) = busy(limits).await;
    drop(rows);
    until_free(&mut other).await;
    until_counted(&lab, "watchfire_flight_statements_total{code=\"CANCELLED\"} 1").await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_gives_its_place_back_in_time() {
    // Long enough that a busy machine has the first row by then.
    let limits = QueryLimits { time: Duration::from_secs(8), ..QueryLimits::default() };
    let (_lab, mut rows, mut other) = busy(limits).await;
    until_free(&mut other).await;
    let mut last = Ok(());
    while let Some(batch) = rows.next().await {
        last = batch.map(|_| ());
    }
    let last = last.unwrap_err().to_string();
    assert!(last.contains("query.time_max_seconds"), "{last}");
}

#[tokio::test]
async fn connections_and_what_they_keep_are_counted() {
    let config = FlightConfig { connections_max: 2, prepared_max: 3, ..FlightConfig::default() };
    let lab = Lab::with(QueryLimits::default(), config).await;
    let token = lab.token(Some(ACME)).await;
    let mut first = lab.client(&token).await;
    let second = lab.client(&token).await;
    ask(&mut first, "SELECT 1 AS x").await.unwrap();
    let mut third = tokio::net::TcpStream::connect(lab.address).await.unwrap();
    assert_eq!(third.read(&mut [0; 8]).await.unwrap_or(0), 0, "a further connection is closed");
    until_counted(&lab, "reason=\"too_many\"").await;
    drop(second);
    let again = async {
        loop {
            let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", lab.address)).unwrap();
            let Ok(channel) = channel.connect().await else { continue };
            let mut client = Client::new(channel);
            client.set_token(token.clone());
            if ask(&mut client, "SELECT 1 AS x").await.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again).await.expect("there is a place again");
    let mut kept = Vec::new();
    for n in 0..3 {
        kept.push(first.prepare(format!("SELECT {n}"), None).await.unwrap());
    }
    let refused = first.prepare("SELECT 4".to_owned(), None).await.err().map(status).unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_token_has_so_many_connections() {
    let config = FlightConfig { connections_per_token_max: 1, ..FlightConfig::default() };
    let lab = Lab::with(QueryLimits::default(), config).await;
    let token = lab.token(Some(ACME)).await;
    let mut first = lab.client(&token).await;
    ask(&mut first, "SELECT 1 AS x").await.unwrap();
    ask(&mut first, "SELECT 1 AS x").await.unwrap();
    let refused = ask(&mut lab.client(&token).await, "SELECT 1 AS x").await.unwrap_err();
    assert!(refused.message().contains("1 connections open already"), "{refused}");
    assert!(ask(&mut lab.client(&lab.token(None).await).await, "SELECT 1 AS x").await.is_ok());
}

#[tokio::test]
async fn who_brings_no_token_and_who_says_nothing_more_is_hung_up_on() {
    let soon = Duration::from_millis(300);
    for config in [
        FlightConfig { startup_timeout: soon, ..FlightConfig::default() },
        FlightConfig { idle_timeout: soon, ..FlightConfig::default() },
    ] {
        let is_idle = config.idle_timeout == soon;
        let lab = Lab::with(QueryLimits::default(), config).await;
        if is_idle {
            let token = lab.token(Some(ACME)).await;
            let mut client = lab.client(&token).await;
            client.clear_token();
            client.handshake("anybody", &token).await.unwrap();
            until_counted(&lab, "reason=\"idle\"").await;
        } else {
            let mut silent = tokio::net::TcpStream::connect(lab.address).await.unwrap();
            let mut told = Vec::new();
            silent.read_to_end(&mut told).await.ok();
            until_counted(&lab, "reason=\"slow\"").await;
        }
    }
}

/// Waits until something was counted once.
async fn until_counted(lab: &Lab, what: &str) {
    let counted = async {
        while !lab.counted().contains(what) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), counted).await.expect("it is counted");
}

#[tokio::test]
async fn a_server_that_is_stopped_lets_answers_end_and_then_is_gone() {
    let config = FlightConfig { shutdown_grace: Duration::from_secs(600), ..FlightConfig::default() };
    let mut lab = Lab::with(QueryLimits::default(), config).await;
    let mut client = lab.client(&lab.token(Some(ACME)).await).await;
    let info = client.execute("SELECT event_id FROM events".to_owned(), None).await.unwrap();
    let mut rows = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    lab.stop.take().unwrap().send(()).unwrap();
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        count += batch.unwrap().num_rows();
    }
    assert_eq!(count, 100);
    drop((rows, client));
    lab.served.await.unwrap();
}
