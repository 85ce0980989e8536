//! Where a group goes on whose log has changed meanwhile.

use event::Positions;
use kafka::admin::Admin;
use kafka::{KafkaSource, TransactionSink};
use pipeline::{Metrics, Sink, StartAt};
use prometheus_client::registry::Registry;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::{Kafka, Seen, fill, read_until, unique};

/// A group that has committed this offset of the topic's one partition.
fn commit(kafka: &Kafka, group: &str, topic: &str, next: i64) {
    let mut source = kafka.source("before", group, &[topic], StartAt::Committed);
    let metrics = Metrics::register(&mut Registry::default());
    let mut sink =
        TransactionSink::new(&kafka.connection, "before", &unique("id"), &source, metrics).unwrap();
    read_until(&mut source, &mut Seen::default(), |seen, _| !seen.records.is_empty());
    let mut positions = Positions::default();
    positions.read(&topic.into(), 0, next - 1);
    sink.deliver(Vec::new(), &positions).unwrap();
}

/// Offsets that the group reads next, so many of them.
fn next(kafka: &Kafka, group: &str, topic: &str, count: usize) -> Vec<i64> {
    let mut source: KafkaSource = kafka.source("after", group, &[topic], StartAt::Committed);
    let mut seen = Seen::default();
    read_until(&mut source, &mut seen, |seen, _| seen.records.len() >= count);
    seen.records.iter().map(|(_, offset, _)| *offset).collect()
}

#[test]
fn records_that_the_log_has_dropped_unread_are_left_out() {
    let kafka = Kafka::start();
    let (topic, group) = (unique("logs.dropped"), unique("group"));
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 20);
    commit(&kafka, &group, &topic, 5);
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &kafka.connection.brokers).create().unwrap();
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&topic, 0, Offset::Offset(17)).unwrap();
    kafka.runtime.block_on(admin.delete_records(&before, &AdminOptions::new())).unwrap();
    assert_eq!(next(&kafka, &group, &topic, 3), [17, 18, 19]);
}

#[test]
fn a_log_that_has_lost_its_end_is_not_read_again() {
    let kafka = Kafka::start();
    let (topic, group) = (unique("logs.lost"), unique("group"));
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 20);
    commit(&kafka, &group, &topic, 50);
    let mut source = kafka.source("after", &group, &[&topic], StartAt::Committed);
    let mut seen = Seen::default();
    read_until(&mut source, &mut seen, |seen, _| !seen.owned.is_empty());
    fill(&kafka, &topic, 3);
    read_until(&mut source, &mut seen, |seen, _| seen.records.len() >= 3);
    assert_eq!(seen.records.iter().map(|(_, offset, _)| *offset).collect::<Vec<_>>(), [20, 21, 22]);
}

#[test]
fn a_topic_that_is_made_anew_is_read_from_its_beginning() {
    let kafka = Kafka::start();
    let (topic, group) = (unique("logs.anew"), unique("group"));
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 20);
    commit(&kafka, &group, &topic, 20);
    let admin = Admin::connect(&kafka.connection).unwrap();
    kafka.runtime.block_on(admin.delete(&topic)).unwrap();
    while admin.topic(&topic).is_ok() {}
    kafka.topic(&topic, 1);
    fill(&kafka, &topic, 3);
    assert_eq!(next(&kafka, &group, &topic, 3), [0, 1, 2]);
}
