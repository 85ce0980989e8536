//! Clients that are slow, greedy, silent or gone.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, FetchRequest, GroupId, MetadataRequest, OffsetCommitRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::raw::{connect, request};
use crate::harness::{Kafka, PATIENCE, fresh_name, poll_until};

fn question() -> Vec<u8> {
    request(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default())
}

fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn fetch(topic: &str, max_wait_ms: i32) -> Vec<u8> {
    let partition = FetchPartition::default().with_partition_max_bytes(i32::MAX);
    let topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    let fetch = FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(i32::MAX)
        .with_topics(vec![topic]);
    request(ApiKey::Fetch, 4, &fetch)
}

/// The size of the next answer, all of which is read.
fn answer_bytes(stream: &mut TcpStream) -> u64 {
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let size = u64::from(u32::from_be_bytes(size));
    assert_eq!(std::io::copy(&mut stream.take(size), &mut std::io::sink()).unwrap(), size);
    size
}

fn check_ended(mut stream: TcpStream) {
    match stream.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("connection goes on: {other:?}"),
    }
}

#[test]
fn a_connection_without_requests_is_closed_after_a_while() {
    let Some(kafka) = Kafka::own("silent clients", |config| config.idle_ms_max = 200) else { return };
    check_ended(connect(&kafka));
}

#[test]
fn a_client_that_waits_for_an_answer_is_not_idle() {
    let Some(kafka) = Kafka::own("silent clients", |config| config.idle_ms_max = 200) else { return };
    let topic = kafka.topic(1);
    let mut stream = connect(&kafka);
    stream.write_all(&fetch(&topic, 1000)).unwrap();
    answer_bytes(&mut stream);
    check_ended(stream);
}

#[test]
fn half_a_request_ends_its_connection() {
    let Some(kafka) = Kafka::own("silent clients", |config| config.stalled_ms_max = 200) else { return };
    let mut stream = connect(&kafka);
    stream.write_all(&question()[..9]).unwrap();
    check_ended(stream);
}

#[test]
fn requests_together_take_no_more_memory_than_they_may() {
    let Some(kafka) = Kafka::own("greedy clients", |config| {
        config.message_bytes_max = 1000;
        config.request_bytes_max = 100_000;
        config.request_bytes_in_flight_max = 100_000;
    }) else {
        return;
    };
    let (mut greedy, mut other) = (connect(&kafka), connect(&kafka));
    greedy.write_all(&100_000_u32.to_be_bytes()).unwrap();
    greedy.write_all(&[0; 50_000]).unwrap();
    poll_until(&[], || kafka.metrics().connections == 2);
    // Until the greedy one is served or gone, others wait.
    other.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    other.write_all(&question()).unwrap();
    assert_eq!(other.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(greedy);
    other.set_read_timeout(Some(PATIENCE)).unwrap();
    answer_bytes(&mut other);
}

#[test]
fn a_fetch_gets_no_more_than_the_broker_sends_at_once() {
    let Some(kafka) = Kafka::own("greedy clients", |_| {}) else { return };
    let topic = kafka.topic(1);
    let producer = kafka.producer(&[("message.max.bytes", "2000000")]);
    let large = "x".repeat(900_000);
    for _ in 0..30 {
        producer.send(&topic, 0, &[large.clone(), large.clone()]);
    }
    let mut stream = connect(&kafka);
    stream.write_all(&fetch(&topic, 0)).unwrap();
    let size = answer_bytes(&mut stream);
    assert!((40_000_000..54_000_000).contains(&size), "{size}");
}

/// Asks much and reads nothing, until the broker reads no further either.
fn deaf(kafka: &Kafka) -> TcpStream {
    let topic = kafka.topic(3000);
    let named = MetadataRequestTopic::default().with_name(Some(topic_name(&topic)));
    let question = request(ApiKey::Metadata, 1, &MetadataRequest::default().with_topics(Some(vec![named])));
    let mut stream = connect(kafka);
    for _ in 0..200 {
        stream.write_all(&question).unwrap();
    }
    stream
}

#[test]
fn a_client_that_does_not_read_its_answers_is_left() {
    let Some(kafka) = Kafka::own("deaf clients", |config| config.stalled_ms_max = 500) else { return };
    let _stream = deaf(&kafka);
    poll_until(&[], || kafka.metrics().bytes_out > 1_000_000);
    poll_until(&[], || kafka.metrics().connections == 0);
}

#[test]
fn a_client_that_does_not_read_its_answers_does_not_keep_the_broker_from_stopping() {
    let Some(mut kafka) = Kafka::own("deaf clients", |_| {}) else { return };
    let _stream = deaf(&kafka);
    poll_until(&[], || kafka.metrics().bytes_out > 1_000_000);
    let began = Instant::now();
    kafka.stop();
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn what_a_client_asked_before_it_hung_up_is_done() {
    let Some(kafka) = Kafka::own("clients that hang up", |_| {}) else { return };
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(7);
    let offsets =
        OffsetCommitRequestTopic::default().with_name(topic_name(&topic)).with_partitions(vec![partition]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.clone())))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![offsets]);
    let mut stream = connect(&kafka);
    let asked = [fetch(&topic, 500), request(ApiKey::OffsetCommit, 2, &commit)].concat();
    stream.write_all(&asked).unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    let consumer = kafka.consumer(&group, &[]);
    let committed = || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&topic, 0);
        consumer.committed_offsets(asked, PATIENCE).unwrap().elements()[0].offset()
    };
    poll_until(&[], || committed() == Offset::Offset(7));
}
