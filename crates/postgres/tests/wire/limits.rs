//! What one connection, one token and everybody may use, and how a statement is stopped.

use std::time::Duration;

use postgres::PostgresConfig;
use query::QueryLimits;

use crate::client::Client;
use crate::support::{ACME, Lab};

/// A million million rows, of which none is needed.
const ENDLESS: &str = "SELECT count(*) FROM events a, events b, generate_series(1, 100000000) AS s(n) \
                       WHERE a.status + b.status + s.n = 1";

#[tokio::test]
async fn limits_are_named_when_they_are_met() {
    let limits = QueryLimits { rows_max: 10, ..QueryLimits::default() };
    let lab = Lab::with(limits, PostgresConfig::default()).await;
    let token = lab.token(Some(ACME)).await;
    let rows = lab.refusal(&token, "SELECT event_id FROM events").await;
    assert!(rows.contains("53400") && rows.contains("query.rows_max"), "{rows}");
    let limits = QueryLimits { time: Duration::from_secs(2), ..QueryLimits::default() };
    let lab = Lab::with(limits, PostgresConfig::default()).await;
    let token = lab.token(Some(ACME)).await;
    let time = lab.refusal(&token, ENDLESS).await;
    assert!(time.contains("57014") && time.contains("query.time_max_seconds"), "{time}");
}

/// One connection that is at something endless, and another that finds no place meanwhile.
async fn busy() -> (Lab, Client, Client) {
    let limits = QueryLimits { concurrent: 1, time: Duration::from_secs(120), ..QueryLimits::default() };
    let lab = Lab::with(limits, PostgresConfig::default()).await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    let mut other = Client::connect(&lab, &token).await;
    client.send(Some(b'Q'), &[ENDLESS.as_bytes(), b"\0"].concat()).await;
    let refused = async {
        loop {
            if let Err(error) = other.query("SELECT 1 AS x").await {
                return error.code;
            }
        }
    };
    let code = tokio::time::timeout(Duration::from_secs(30), refused).await.expect("it runs");
    assert_eq!(code, "53300");
    (lab, client, other)
}

#[tokio::test]
async fn a_cancel_request_stops_what_runs_and_frees_its_place() {
    let (lab, mut client, _other) = busy().await;
    let (process, secret) = client.key;
    for guess in [secret.wrapping_add(1), secret] {
        let mut request = tokio::net::TcpStream::connect(lab.address).await.unwrap();
        let parts = [16_i32, 80_877_102, process, guess].map(i32::to_be_bytes).concat();
        tokio::io::AsyncWriteExt::write_all(&mut request, &parts).await.unwrap();
    }
    assert_eq!(client.answer().await.unwrap_err().code, "57014");
    until_free(&mut client).await;
}

#[tokio::test]
async fn who_hangs_up_wants_no_answer_any_more() {
    let (_lab, client, mut other) = busy().await;
    drop(client);
    until_free(&mut other).await;
}

/// Asks until there is a place: far sooner than the query would have ended.
async fn until_free(client: &mut Client) {
    let free = async { while client.query("SELECT 1 AS x").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), free).await.expect("its place is free");
}

#[tokio::test]
async fn a_portal_that_nobody_reads_gives_its_place_back_in_time() {
    // Long enough that a busy machine has the first row by then.
    let limits = QueryLimits { concurrent: 1, time: Duration::from_secs(8), ..QueryLimits::default() };
    let lab = Lab::with(limits, PostgresConfig::default()).await;
    let token = lab.token(Some(ACME)).await;
    let mut client = Client::connect(&lab, &token).await;
    client.query("BEGIN").await.unwrap();
    // More than is computed ahead.
    client.parse("SELECT a.event_id FROM events a, events b, events c", &[]).await;
    client.bind(0, &[], 0).await;
    client.execute(1).await;
    assert!(client.sync().await.unwrap().suspended);
    let mut other = Client::connect(&lab, &token).await;
    until_free(&mut other).await;
    client.execute(1).await;
    assert_eq!(client.sync().await.unwrap_err().code, "57014");
}

#[tokio::test]
async fn connections_and_what_they_keep_are_counted() {
    let config = PostgresConfig { connections_max: 2, prepared_max: 3, ..PostgresConfig::default() };
    let lab = Lab::with(QueryLimits::default(), config).await;
    let token = lab.token(Some(ACME)).await;
    let mut first = Client::connect(&lab, &token).await;
    let second = Client::connect(&lab, &token).await;
    assert_eq!(Client::try_connect(&lab, &token).await.err().unwrap().code, "53300");
    drop(second);
    let again = async { while Client::try_connect(&lab, &token).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("there is a place again");
    for n in 0..4 {
        first.send(Some(b'P'), format!("s{n}\0SELECT 1\0\0\0").as_bytes()).await;
    }
    assert_eq!(first.sync().await.unwrap_err().code, "53400");
    let long = format!("SELECT '{}'", "x".repeat(100_000));
    assert_eq!(first.query(&long).await.unwrap_err().code, "54000");
    let too_long = format!("SELECT '{}'", "x".repeat(300_000));
    assert_eq!(first.query(&too_long).await.unwrap_err().code, "08P01");
}

#[tokio::test]
async fn silence_ends_a_connection_and_so_does_the_server() {
    let soon = Duration::from_millis(300);
    let lab = |config| Lab::with(QueryLimits::default(), config);
    let impatient = lab(PostgresConfig { idle_timeout: soon, ..PostgresConfig::default() }).await;
    let token = impatient.token(Some(ACME)).await;
    let mut idle = Client::connect(&impatient, &token).await;
    assert_eq!(idle.answer().await.unwrap_err().code, "57P05");

    let hasty = lab(PostgresConfig { startup_timeout: soon, ..PostgresConfig::default() }).await;
    let mut slow = tokio::net::TcpStream::connect(hasty.address).await.unwrap();
    let mut told = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut slow, &mut told).await.unwrap();
    assert!(String::from_utf8_lossy(&told).contains("not begun in time"));

    let mut ending = lab(PostgresConfig::default()).await;
    let token = ending.token(Some(ACME)).await;
    let mut last = Client::connect(&ending, &token).await;
    ending.stop.take().unwrap().send(()).unwrap();
    assert_eq!(last.answer().await.unwrap_err().code, "57P01");
    ending.served.await.unwrap();
}
