//! Bytes that are not requests harm no one but their sender.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{Kafka, raw, values};

/// An `ApiVersions` request, version 0, without a client id.
const QUESTION: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

fn connect(kafka: &Kafka) -> TcpStream {
    let stream = TcpStream::connect(&kafka.bootstrap).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Asks something harmless, and checks that the answer is to that.
fn ask(stream: &mut TcpStream) {
    stream.write_all(&QUESTION).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..4], [0, 0, 0, 7], "correlation id");
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// Sends bytes that end a connection, and reads until it has ended.
fn check_closed(kafka: &Kafka, bytes: &[u8]) {
    let mut bystander = connect(kafka);
    ask(&mut bystander);
    let mut offender = connect(kafka);
    offender.write_all(bytes).unwrap();
    let mut left = Vec::new();
    // A reset is an end as well.
    offender.read_to_end(&mut left).unwrap_or_else(|error| {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "connection stays open");
        0
    });
    ask(&mut bystander);
}

#[test]
fn a_frame_that_announces_too_much_ends_its_connection() {
    let kafka = Kafka::start();
    check_closed(&kafka, &i32::MAX.to_be_bytes());
    check_closed(&kafka, &(-1_i32).to_be_bytes());
    check_closed(&kafka, b"GET / HTTP/1.1\r\n\r\n");
}

#[test]
fn unknown_and_unsupported_requests_end_their_connection() {
    let kafka = Kafka::start();
    check_closed(&kafka, &frame(&[0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff]));
    check_closed(&kafka, &frame(&[0xff, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff])); // key -1
    check_closed(&kafka, &frame(&[0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff])); // Produce version 2
    check_closed(&kafka, &frame(&[0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0])); // Metadata version 99
    check_closed(&kafka, &frame(&[0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff])); // LeaderAndIsr, of brokers
    check_closed(&kafka, &frame(&[]));
    check_closed(&kafka, &frame(&[0, 3]));
}

#[test]
fn arrays_that_announce_billions_end_their_connection() {
    let kafka = Kafka::start();
    // Metadata version 1 with 2^31-1 topics, and version 9 with 2^32-1.
    check_closed(&kafka, &frame(&[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]));
    check_closed(&kafka, &frame(&[0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]));
}

#[test]
fn a_question_from_the_future_is_answered_with_what_can_be_asked() {
    let kafka = Kafka::start();
    let mut stream = connect(&kafka);
    stream.write_all(&frame(&[0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff, 0])).unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[4..], [0, 0, 0, 5, 0, 35], "correlation id, then UNSUPPORTED_VERSION");
}

/// The requests and versions of the reference page.
fn documented() -> Vec<(i16, i16, i16)> {
    let page = include_str!("../../../docs/broker.md");
    let row = |line: &str| {
        let [_, name, versions, ..] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            return None;
        };
        let (min, max) = versions.split_once('–').unwrap_or((versions, versions));
        let key = ApiKey::iter().find(|key| format!("{key:?}") == name)?;
        Some((key as i16, min.parse().unwrap(), max.parse().unwrap()))
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn the_reference_page_says_what_clients_are_told() {
    let Some(kafka) = Kafka::own("its reference page", |_| {}) else { return };
    let question = ApiVersionsRequest::default();
    let answer: ApiVersionsResponse = raw::ask(&kafka, ApiKey::ApiVersions, 0, &question);
    let told = answer.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version));
    let sorted = |mut apis: Vec<_>| {
        apis.sort_unstable();
        apis
    };
    assert_eq!(sorted(documented()), sorted(told.collect()));
}

#[test]
fn requests_in_pieces_and_in_heaps_are_answered_in_order() {
    let kafka = Kafka::start();
    let mut stream = connect(&kafka);
    stream.set_nodelay(true).unwrap();
    for byte in QUESTION {
        stream.write_all(&[byte]).unwrap();
    }
    for correlation_id in 1..=50_u8 {
        let mut question = QUESTION;
        question[11] = correlation_id;
        stream.write_all(&question).unwrap();
    }
    for expected in [7].into_iter().chain(1..=50_u8) {
        let mut size = [0; 4];
        stream.read_exact(&mut size).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[3], expected);
    }
}

#[test]
fn no_bytes_stop_the_broker() {
    let Some(kafka) = Kafka::own("hostile frames", |_| {}) else { return };
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    // A plausible key and version, then anything.
    let request = (0_i16..93, 0_i16..13, prop::collection::vec(any::<u8>(), 0..200));
    runner
        .run(&request, |(key, version, rest)| {
            let mut body = [key.to_be_bytes(), version.to_be_bytes()].concat();
            body.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
            body.extend_from_slice(&rest);
            let mut stream = connect(&kafka);
            stream.write_all(&frame(&body)).unwrap();
            Ok(())
        })
        .unwrap();
    ask(&mut connect(&kafka));
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 3));
    assert_eq!(kafka.committed(&topic), values("v", 3));
}
