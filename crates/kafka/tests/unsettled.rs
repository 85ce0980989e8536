//! Offsets that a transaction is still committing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use kafka::admin::Admin;
use pipeline::{Source, StartAt};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::{Kafka, Seen, fill, unique};

const PATIENCE: Duration = Duration::from_secs(30);

/// A member of the group that has left it, with a transaction open that moves both partitions.
fn unsettled(kafka: &Kafka, group: &str, topic: &str, to: i64) -> BaseProducer {
    let client = || {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &kafka.connection.brokers);
        client
    };
    let member: BaseConsumer =
        client().set("group.id", group).set("enable.auto.commit", "false").create().unwrap();
    member.subscribe(&[topic]).unwrap();
    let began = Instant::now();
    while member.assignment().unwrap().count() < 2 {
        member.poll(Duration::from_millis(50)).transpose().unwrap();
        assert!(began.elapsed() < PATIENCE, "nothing is assigned");
    }
    let producer: BaseProducer = client().set("transactional.id", unique("id")).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let mut offsets = TopicPartitionList::new();
    for partition in 0..2 {
        offsets.add_partition_offset(topic, partition, Offset::Offset(to)).unwrap();
    }
    let membership = member.group_metadata().unwrap();
    producer.send_offsets_to_transaction(&offsets, &membership, PATIENCE).unwrap();
    producer
}

/// Reads as a member of the group until it is told to stop.
fn read(kafka: &Kafka, group: &str, topic: &str, stop: &AtomicBool, read: &Sender<(i32, i64)>) {
    let (mut source, mut seen) =
        (kafka.source("member", group, &[topic], StartAt::Committed), Seen::default());
    while !stop.load(Ordering::Relaxed) {
        source.next_batch(&mut seen).unwrap();
        seen.records.drain(..).for_each(|(partition, offset, _)| read.send((partition, offset)).unwrap());
    }
}

/// Also at the end of a test that fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// That a member reads from the beginning shows within this; that it waits does not show.
const LOOK: Duration = Duration::from_secs(3);

#[test]
fn an_offset_that_is_still_being_committed_is_waited_for_while_the_group_changes() {
    for kafka in &Kafka::of_each_protocol() {
        let (topic, group) = (unique("logs.unsettled"), unique("group"));
        kafka.topic(&topic, 2);
        fill(kafka, &topic, 100);
        let open = unsettled(kafka, &group, &topic, 20);
        let admin = Admin::connect(&kafka.connection).unwrap();
        let (stop, (sender, reader)) = (AtomicBool::new(false), mpsc::channel());
        let (topic, group, stop, sender) = (&topic, &group, &stop, &sender);
        std::thread::scope(|scope| {
            let _stop = StopAtEnd(stop);
            scope.spawn(|| read(kafka, group, topic, stop, sender));
            let began = Instant::now();
            while admin.group(group).is_ok_and(|group| group.state == "Empty") {
                assert!(began.elapsed() < PATIENCE, "no member");
            }
            // It changes what the first one is assigned, whose offsets are being asked for.
            scope.spawn(|| read(kafka, group, topic, stop, sender));
            assert_eq!(reader.recv_timeout(LOOK).ok(), None, "read without knowing from where");
            open.commit_transaction(PATIENCE).unwrap();
            let mut found = BTreeSet::new();
            while found.len() < 60 {
                let (partition, offset) = reader.recv_timeout(PATIENCE).unwrap();
                assert!(offset >= 20, "{partition}/{offset} was read again");
                found.insert((partition, offset));
            }
        });
    }
}
