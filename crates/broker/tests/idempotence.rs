//! Producers that number their records.

use crate::harness::{Kafka, values};

#[test]
fn an_idempotent_producer_writes_each_record_once_in_order() {
    let kafka = Kafka::start();
    let topic = kafka.topic(2);
    let producer = kafka.producer(&[("enable.idempotence", "true"), ("linger.ms", "1")]);
    for partition in 0..2 {
        producer.queue(&topic, partition, &values(&format!("p{partition}-"), 5000));
    }
    assert!(producer.flushed().iter().all(Result::is_ok));
    let expected: Vec<_> = (0..2).flat_map(|partition| values(&format!("p{partition}-"), 5000)).collect();
    assert_eq!(kafka.committed(&topic), expected);
}

#[test]
fn two_idempotent_producers_do_not_disturb_each_other() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let settings = [("enable.idempotence", "true")];
    let (one, other) = (kafka.producer(&settings), kafka.producer(&settings));
    for round in 0..10 {
        one.send(&topic, 0, &values(&format!("one{round}-"), 10));
        other.send(&topic, 0, &values(&format!("other{round}-"), 10));
    }
    assert_eq!(kafka.committed(&topic).len(), 200);
}
