//! Clients that want the newer group protocol (KIP-848): the broker does not have it, and says so.
//! Java's clients are asked in `java_tools::groups`.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;

use crate::harness::{Kafka, PATIENCE, fresh_name, values};

/// The first record, or the first error.
fn first(consumer: &BaseConsumer) -> Result<String, KafkaError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(event) = consumer.poll(Duration::from_millis(100)) {
            return event.map(|message| String::from_utf8_lossy(message.payload().unwrap()).into_owned());
        }
    }
    panic!("neither served nor refused within {PATIENCE:?}");
}

#[test]
fn librdkafka_is_served_or_told_at_once_that_it_will_not_be() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 1));
    let settings = [("group.protocol", "consumer"), ("auto.offset.reset", "earliest")];
    let group = [("group.id", &fresh_name("group")[..])];
    let consumer: BaseConsumer = kafka.config(&[&settings[..], &group].concat()).create().unwrap();
    consumer.subscribe(&[&topic]).unwrap();
    let first = first(&consumer);
    if kafka.is_own() {
        let error = first.unwrap_err();
        println!("{error:?} {:?}", consumer.client().fatal_error());
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::UnsupportedVersion));
    } else {
        assert_eq!(first.unwrap(), "v0000");
    }
}
