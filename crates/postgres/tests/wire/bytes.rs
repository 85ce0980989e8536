//! Hostile bytes: whatever is said, the connection ends or goes on, and the server stays.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::support::{ACME, Lab};

/// Says something, then that it has said all, and waits for the end.
async fn say(mut stream: TcpStream, bytes: &[u8]) {
    drop(stream.write_all(bytes).await);
    drop(stream.shutdown().await);
    let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "the server neither answered nor hung up");
}

/// Messages that are nearly right: known kinds, lengths that are sometimes true.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![prop::sample::select(&b"QPBDECHSpdcf"[..]), any::<u8>()];
    let body = vec(prop_oneof![Just(0_u8), prop::sample::select(&b"SP$1;'\"selct "[..]), any::<u8>()], 0..60);
    let message =
        (kind, body, prop_oneof![9 => Just(0_i32), 1 => any::<i32>()]).prop_map(|(kind, body, lie)| {
            let length = (body.len() as i32 + 4).wrapping_add(lie);
            [&[kind][..], &length.to_be_bytes(), &body].concat()
        });
    vec(message, 0..8).prop_map(|messages| messages.concat())
}

#[test]
fn any_bytes_at_the_beginning_and_after_it_leave_the_server_well() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut lab, token) = runtime.block_on(async {
        let lab = Lab::new().await;
        let token = lab.token(Some(ACME)).await;
        (lab, token)
    });
    let opening = prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(any::<u8>(), 0..60).prop_map(|rest| [
            &(rest.len() as i32 + 8).to_be_bytes()[..],
            &[0, 3, 0, 0],
            &rest
        ]
        .concat()),
        messages().prop_map(|rest| [&b"\0\0\0\x08\x04\xd2\x16\x2f"[..], &rest].concat()),
    ];
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    runner
        .run(&(opening, messages()), |(opening, later)| {
            runtime.block_on(async {
                say(TcpStream::connect(lab.address).await.unwrap(), &opening).await;
                say(Client::connect(&lab, &token).await.stream, &later).await;
            });
            Ok(())
        })
        .unwrap();
    let answer = runtime.block_on(lab.answer(&token, "SELECT 1"));
    assert_eq!(answer, "1");
    // A client sees the end of its connection before the server's task has left.
    drop(lab.stop.take());
    runtime.block_on(&mut lab.served).unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &lab.registry).unwrap();
    assert!(text.contains("watchfire_postgres_connections 0"), "no task died without leaving: {text}");
}
