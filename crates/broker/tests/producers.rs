//! Every kind of producer, with every codec and every kind of acknowledgement.

use rdkafka::consumer::Consumer;
use rdkafka::producer::Producer as _;

use crate::harness::{Kafka, PATIENCE, fresh_name, poll_until, raw, values};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Each record is smaller when it is compressed, even alone in its batch; otherwise librdkafka
/// sends it as it is.
fn compressible() -> Vec<String> {
    values(&"the same words over and over ".repeat(10), 200)
}

/// The codec of the first batch that is stored, as its attributes say it.
fn stored_codec(kafka: &Kafka, topic: &str) -> &'static str {
    let stored = raw::fetch(kafka, topic, 0).unwrap();
    CODECS[usize::from(stored[22] & 7)]
}

/// What comes out is what went in, and compressed as it came.
fn check(kafka: &Kafka, topic: &str, codec: &str, sent: &[String]) {
    assert!(kafka.committed(topic) == sent, "{codec}: other records");
    assert_eq!(stored_codec(kafka, topic), codec);
}

/// Other producers are only allowed full acknowledgement.
fn check_plain(acks: &str) {
    let kafka = Kafka::start();
    let sent = compressible();
    for codec in CODECS {
        let topic = kafka.topic(1);
        let settings = [("compression.type", codec), ("acks", acks), ("linger.ms", "20")];
        assert!(kafka.producer(&settings).try_send(&topic, 0, &sent).iter().all(Result::is_ok));
        // Without an acknowledgement it is sent by now, and will be there.
        let reader = kafka.consumer(&fresh_name("reader"), &[]);
        poll_until(&[], || reader.fetch_watermarks(&topic, 0, PATIENCE).unwrap() == (0, 200));
        check(&kafka, &topic, codec, &sent);
    }
}

#[test]
fn plain_producers_without_acknowledgement_deliver() {
    check_plain("0");
}

#[test]
fn plain_producers_with_the_leaders_acknowledgement_deliver() {
    check_plain("1");
}

#[test]
fn plain_producers_with_full_acknowledgement_deliver() {
    check_plain("all");
}

#[test]
fn idempotent_producers_deliver_with_every_codec() {
    let kafka = Kafka::start();
    let sent = compressible();
    for codec in CODECS {
        let topic = kafka.topic(1);
        let settings = [("compression.type", codec), ("enable.idempotence", "true"), ("linger.ms", "20")];
        let delivered = kafka.producer(&settings).send(&topic, 0, &sent);
        assert_eq!(delivered, (0..200).map(|offset| (0, offset)).collect::<Vec<_>>());
        check(&kafka, &topic, codec, &sent);
    }
}

#[test]
fn transactional_producers_deliver_with_every_codec() {
    let kafka = Kafka::start();
    let sent = compressible();
    for codec in CODECS {
        let topic = kafka.topic(1);
        let settings = [("compression.type", codec), ("linger.ms", "20")];
        let producer = kafka.transactional(&fresh_name("tx"), &settings);
        producer.begin_transaction().unwrap();
        producer.send(&topic, 0, &sent);
        producer.commit_transaction(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        producer.send(&topic, 0, &values("never mind", 10));
        producer.abort_transaction(PATIENCE).unwrap();
        check(&kafka, &topic, codec, &sent);
    }
}
