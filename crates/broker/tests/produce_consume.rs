//! Records go in, and come out as they were.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use crate::harness::{Kafka, fresh_name, take, take_values, values};

fn take_values_of(kafka: &Kafka, topic: &str, count: usize) -> Vec<String> {
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    consumer.subscribe(&[topic]).unwrap();
    take_values(&consumer, count)
}

#[test]
fn offsets_count_up_from_zero() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let delivered = kafka.producer(&[]).send(&topic, 0, &values("v", 100));
    assert_eq!(delivered, (0..100).map(|offset| (0, offset)).collect::<Vec<_>>());
}

#[test]
fn keys_headers_and_timestamps_come_back() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let producer = kafka.producer(&[]);
    let headers = OwnedHeaders::new().insert(Header { key: "wf-format", value: Some("sshd") });
    let sent = BaseRecord::to(&topic).key("k").payload("v").timestamp(1_700_000_000_123).headers(headers);
    rdkafka::producer::ThreadedProducer::send(&producer, sent).map_err(|(error, _)| error).unwrap();
    producer.flushed();
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    consumer.subscribe(&[&topic]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let message = loop {
        assert!(Instant::now() < deadline);
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            break message.detach();
        }
    };
    assert_eq!(message.key(), Some(b"k".as_slice()));
    assert_eq!(message.timestamp().to_millis(), Some(1_700_000_000_123));
    let header = message.headers().unwrap().get(0);
    assert_eq!((header.key, header.value), ("wf-format", Some(b"sshd".as_slice())));
}

#[test]
fn large_records_pass_and_too_large_ones_are_refused() {
    let kafka = Kafka::start();
    let topic = kafka.topic_with(1, &[("max.message.bytes", "3000000")]);
    let producer = kafka.producer(&[("message.max.bytes", "8000000")]);
    let large = ["x".repeat(2_500_000)];
    producer.send(&topic, 0, &large);
    assert!(producer.try_send(&topic, 0, &["y".repeat(4_000_000)])[0].is_err());
    assert_eq!(take_values_of(&kafka, &topic, 1), large);
}

#[test]
fn records_larger_than_the_fetch_limit_still_arrive() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let sent: Vec<_> = (0..5).map(|index| format!("{index}{}", "x".repeat(100_000))).collect();
    kafka.producer(&[("linger.ms", "0"), ("batch.num.messages", "1")]).send(&topic, 0, &sent);
    let small = [("fetch.message.max.bytes", "1000"), ("fetch.max.bytes", "1000000")];
    let consumer = kafka.consumer(&fresh_name("reader"), &small);
    consumer.subscribe(&[&topic]).unwrap();
    assert_eq!(take_values(&consumer, 5), sent);
}

#[test]
fn a_waiting_fetch_is_woken_by_the_next_record() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let consumer = kafka.consumer(&fresh_name("reader"), &[("fetch.wait.max.ms", "20000")]);
    consumer.subscribe(&[&topic]).unwrap();
    let producer = kafka.producer(&[("linger.ms", "0")]);
    producer.send(&topic, 0, &values("first", 1));
    take(&consumer, 1);
    let began = Instant::now();
    producer.queue(&topic, 0, &values("second", 1));
    take(&consumer, 1);
    assert!(began.elapsed() < Duration::from_secs(5), "took {:?}", began.elapsed());
}

#[test]
fn many_partitions_keep_their_own_order() {
    let kafka = Kafka::start();
    let topic = kafka.topic(8);
    let producer = kafka.producer(&[]);
    for partition in 0..8 {
        producer.queue(&topic, partition, &values(&format!("p{partition}-"), 200));
    }
    assert!(producer.flushed().iter().all(Result::is_ok));
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    consumer.subscribe(&[&topic]).unwrap();
    let seen = take(&consumer, 1600);
    for partition in 0..8 {
        let of_partition = seen.iter().filter(|seen| seen.partition == partition);
        let in_order: Vec<_> = of_partition.map(|seen| seen.value.clone()).collect();
        assert_eq!(in_order, values(&format!("p{partition}-"), 200));
    }
}

#[test]
fn one_consumer_reads_all_topics_that_match_a_pattern() {
    let kafka = Kafka::start();
    let prefix = fresh_name("pattern");
    let producer = kafka.producer(&[]);
    for suffix in ["a", "b"] {
        producer.send(&format!("{prefix}.{suffix}"), 0, &[suffix.to_owned()]);
    }
    let consumer = kafka.consumer(&fresh_name("reader"), &[("topic.metadata.refresh.interval.ms", "500")]);
    consumer.subscribe(&[&format!("^{prefix}\\..*")]).unwrap();
    assert_eq!(take_values(&consumer, 2), ["a", "b"]);
}
