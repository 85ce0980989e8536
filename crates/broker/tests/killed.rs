//! Clients that are killed in the middle of what they do, and say no good-bye.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::{Kafka, PATIENCE, assigned, fresh_name, poll_until, values};

/// Tells the child what to be.
const CHILD: &str = "BROKER_TEST_CLIENT";

/// Not a case of its own: the process that [`Victim`] starts and kills.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    match told.split(' ').collect::<Vec<_>>()[..] {
        ["member", bootstrap, topic, group] => be_member(&Kafka::at(bootstrap), topic, group),
        ["worker", bootstrap, source, target, name] => be_worker(&Kafka::at(bootstrap), source, target, name),
        _ => panic!("{told:?} is nothing to be"),
    }
}

/// What a child says, on a line of its own among those of the test runner.
fn say(what: &str) {
    println!("\nsaid {what}");
}

/// A client in a process of its own.
struct Victim {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Victim {
    fn start(told: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--nocapture"])
            .env(CHILD, told)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn wait_for(&mut self, what: &str) {
        let said = format!("said {what}");
        assert!(self.lines.any(|line| line.unwrap() == said), "the client ended before it said {what:?}");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn be_member(kafka: &Kafka, topic: &str, group: &str) {
    let consumer = kafka.consumer(group, &[]);
    consumer.subscribe(&[topic]).unwrap();
    poll_until(&[&consumer], || assigned(&consumer) == 2);
    say("assigned");
    loop {
        drop(consumer.poll(Duration::from_millis(100)));
    }
}

#[test]
fn the_partitions_of_a_killed_member_go_to_the_others() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(4), fresh_name("group"));
    let survivor = kafka.consumer(&group, &[]);
    survivor.subscribe(&[&topic]).unwrap();
    poll_until(&[&survivor], || assigned(&survivor) == 4);
    let mut victim = Victim::start(&format!("member {} {topic} {group}", kafka.bootstrap));
    poll_until(&[&survivor], || assigned(&survivor) == 2);
    victim.wait_for("assigned");
    drop(victim);
    poll_until(&[&survivor], || assigned(&survivor) == 4);
}

/// Moves records in transactions until it is killed, and says how far it is in each.
fn be_worker(kafka: &Kafka, source: &str, target: &str, name: &str) {
    // A static member: its successor takes its place at once.
    let settings =
        [("isolation.level", "read_committed"), ("group.instance.id", name), ("session.timeout.ms", "30000")];
    let consumer = kafka.consumer(name, &settings);
    consumer.subscribe(&[source]).unwrap();
    let producer = kafka.transactional(name, &[("linger.ms", "0")]);
    loop {
        let Some((batch, next)) = read_batch(&consumer) else {
            say("idle");
            continue;
        };
        producer.begin_transaction().unwrap();
        producer.send(target, 0, &batch);
        say("produced");
        let mut positions = TopicPartitionList::new();
        positions.add_partition_offset(source, 0, Offset::Offset(next)).unwrap();
        let member = consumer.group_metadata().unwrap();
        producer.send_offsets_to_transaction(&positions, &member, PATIENCE).unwrap();
        say("offsets");
        producer.commit_transaction(PATIENCE).unwrap();
        say("committed");
    }
}

/// Some records, and the position after them; `None` at the end of the source.
fn read_batch(consumer: &BaseConsumer) -> Option<(Vec<String>, i64)> {
    let (mut batch, mut next) = (Vec::new(), 0);
    while batch.len() < 25 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                next = message.offset() + 1;
                batch.push(String::from_utf8_lossy(message.payload().unwrap()).replace("in", "out"));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
    (!batch.is_empty()).then_some((batch, next))
}

#[test]
fn consume_transform_produce_is_exactly_once_though_workers_are_killed() {
    let kafka = Kafka::start();
    let (source, target, name) = (kafka.topic(1), kafka.topic(1), fresh_name("worker"));
    kafka.producer(&[]).send(&source, 0, &values("in", 1000));
    let told = format!("worker {} {source} {target} {name}", kafka.bootstrap);
    for (moment, times) in
        [("produced", 1), ("offsets", 2), ("committed", 3), ("produced", 2), ("offsets", 1)]
    {
        let mut victim = Victim::start(&told);
        for _ in 0..times {
            victim.wait_for(moment);
        }
    }
    let mut last = Victim::start(&told);
    last.wait_for("idle");
    assert_eq!(kafka.committed(&target), values("out", 1000));
    assert!(kafka.uncommitted(&target).len() > 1000, "no worker was killed inside a transaction");
}
