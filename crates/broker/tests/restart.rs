//! What is there after a stop, a torn write or a flipped bit.

use std::path::PathBuf;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::{Kafka, PATIENCE, fresh_name, poll_until, take, values};

/// The segment files of a topic's partition 0, oldest first.
fn segments(kafka: &Kafka, topic: &str) -> Vec<PathBuf> {
    let names_topic = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(topic);
    let paths = |dir: PathBuf| std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let dir = paths(kafka.data_dir().join("topics")).find(names_topic).unwrap();
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log");
    let mut files: Vec<_> = paths(dir.join("0")).filter(is_segment).collect();
    files.sort();
    files
}

#[test]
fn everything_is_there_after_a_restart() {
    let Some(mut kafka) = Kafka::own("restart", |_| {}) else { return };
    let topic = kafka.topic_with(2, &[("retention.ms", "777777777")]);
    let group = fresh_name("group");
    kafka.producer(&[]).send(&topic, 0, &values("plain", 5));
    let producer = kafka.transactional("tx", &[]);
    for commits in [false, true] {
        producer.begin_transaction().unwrap();
        producer.send(&topic, 1, &values(if commits { "kept" } else { "dropped" }, 3));
        if commits {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    let mut positions = TopicPartitionList::new();
    positions.add_partition_offset(&topic, 0, Offset::Offset(3)).unwrap();
    kafka.consumer(&group, &[]).commit(&positions, CommitMode::Sync).unwrap();

    kafka.stop();
    kafka.start_again();

    assert_eq!(kafka.committed(&topic), [values("plain", 5), values("kept", 3)].concat());
    let asked = positions.clone();
    let committed = kafka.consumer(&group, &[]).committed_offsets(asked, PATIENCE).unwrap();
    assert_eq!(committed.elements()[0].offset(), Offset::Offset(3));
    let metrics = kafka.metrics();
    assert_eq!((metrics.topics, metrics.partitions), (1, 2));
}

#[test]
fn an_idempotent_producer_goes_on_through_restarts() {
    let Some(mut kafka) = Kafka::own("restart", |_| {}) else { return };
    let topic = kafka.topic(1);
    let producer = kafka.producer(&[("enable.idempotence", "true"), ("linger.ms", "1")]);
    let sent = values("v", 6000);
    for chunk in sent.chunks(2000) {
        producer.queue(&topic, 0, chunk);
        kafka.stop();
        kafka.start_again();
    }
    assert!(producer.flushed().iter().all(Result::is_ok));
    assert_eq!(kafka.committed(&topic), sent);
}

#[test]
fn a_transaction_can_be_committed_after_a_restart() {
    let Some(mut kafka) = Kafka::own("restart", |_| {}) else { return };
    let topic = kafka.topic(2);
    let producer = kafka.transactional("tx", &[]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("before", 3));
    kafka.stop();
    kafka.start_again();
    producer.send(&topic, 1, &values("after", 3));
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(kafka.committed(&topic), [values("before", 3), values("after", 3)].concat());
}

#[test]
fn a_transaction_without_a_producer_times_out_after_a_restart() {
    let Some(mut kafka) = Kafka::own("restart", |_| {}) else { return };
    let topic = kafka.topic(1);
    let producer = kafka.transactional("tx", &[("transaction.timeout.ms", "1500")]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("open", 3));
    kafka.stop();
    drop(producer);
    kafka.start_again();
    kafka.producer(&[]).send(&topic, 0, &values("after", 1));
    let consumer = kafka.consumer("reader", &[("isolation.level", "read_committed")]);
    consumer.subscribe(&[&topic]).unwrap();
    assert_eq!(take(&consumer, 1)[0].value, "after0000");
}

#[test]
fn members_join_again_after_a_restart() {
    let Some(mut kafka) = Kafka::own("restart", |_| {}) else { return };
    let topic = kafka.topic(2);
    let consumer = kafka.consumer("group", &[]);
    consumer.subscribe(&[&topic]).unwrap();
    kafka.producer(&[]).send(&topic, 0, &values("one", 1));
    assert_eq!(take(&consumer, 1)[0].value, "one0000");
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
    kafka.stop();
    kafka.start_again();
    kafka.producer(&[]).send(&topic, 0, &values("two", 1));
    assert_eq!(take(&consumer, 1)[0].value, "two0000");
}

/// How the broker ended before something happened to its log.
#[derive(PartialEq)]
enum Ended {
    /// Everything is known to be on the disk.
    Cleanly,
    /// Nothing is.
    ByCrash,
}

/// Sends three batches, stops, does something to the last segment, starts, and expects so many
/// batches to be left; and that the log goes on at that offset.
fn check_damage(ended: Ended, damage: impl FnOnce(&mut Vec<u8>), batches_left: usize, next_offset: i64) {
    let Some(mut kafka) = Kafka::own("damaged logs", |_| {}) else { return };
    let topic = kafka.topic(1);
    for batch in ["a", "b", "c"] {
        kafka.producer(&[("linger.ms", "1000")]).send(&topic, 0, &values(batch, 10));
    }
    kafka.stop();
    let file = segments(&kafka, &topic).pop().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    damage(&mut bytes);
    std::fs::write(&file, bytes).unwrap();
    if ended == Ended::ByCrash {
        std::fs::remove_file(file.with_file_name("checkpoint")).unwrap();
    }
    kafka.start_again();
    let mut left: Vec<_> =
        ["a", "b", "c"][..batches_left].iter().flat_map(|batch| values(batch, 10)).collect();
    assert_eq!(kafka.committed(&topic), left);
    let delivered = kafka.producer(&[]).send(&topic, 0, &values("d", 1));
    assert_eq!(delivered, [(0, next_offset)]);
    left.push("d0000".into());
    assert_eq!(kafka.committed(&topic), left);
}

#[test]
fn a_torn_last_batch_is_cut_off() {
    check_damage(Ended::ByCrash, |bytes| bytes.truncate(bytes.len() - 7), 2, 20);
}

#[test]
fn a_flipped_bit_in_the_last_batch_cuts_it_off() {
    let flip = |bytes: &mut Vec<u8>| {
        let at = bytes.len() - 20;
        bytes[at] ^= 0x10;
    };
    check_damage(Ended::ByCrash, flip, 2, 20);
}

#[test]
fn offsets_of_damaged_records_are_not_used_again() {
    check_damage(Ended::Cleanly, |bytes| bytes.truncate(bytes.len() - 7), 2, 30);
}

#[test]
fn zeros_after_the_last_batch_are_cut_off() {
    check_damage(Ended::Cleanly, |bytes| bytes.extend_from_slice(&[0; 5000]), 3, 30);
}

#[test]
fn a_torn_journal_keeps_what_was_whole() {
    let Some(mut kafka) = Kafka::own("damaged journal", |_| {}) else { return };
    let topic = kafka.topic(3);
    kafka.stop();
    let path = kafka.data_dir().join("journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(&[77, 0, 0, 0, 1, 2, 3]);
    std::fs::write(&path, bytes).unwrap();
    kafka.start_again();
    kafka.producer(&[]).send(&topic, 2, &values("v", 1));
    assert_eq!(kafka.metrics().partitions, 3);
}

#[test]
fn deleted_records_stay_deleted() {
    let Some(mut kafka) = Kafka::own("restart", |_| {}) else { return };
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 10));
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&topic, 0, Offset::Offset(6)).unwrap();
    kafka.wait(kafka.admin().delete_records(&before, &Default::default())).unwrap();
    kafka.stop();
    kafka.start_again();
    assert_eq!(kafka.committed(&topic), values("v", 10)[6..]);
}

#[test]
fn old_segments_are_deleted_by_size_and_by_age() {
    let often = |config: &mut broker::BrokerConfig| config.retention_check_ms = 50;
    let Some(mut kafka) = Kafka::own("retention", often) else { return };
    let by_size = kafka.topic_with(1, &[("segment.bytes", "10000"), ("retention.bytes", "30000")]);
    let by_age = kafka.topic_with(1, &[("segment.bytes", "10000"), ("retention.ms", "1")]);
    let producer = kafka.producer(&[]);
    let sent: Vec<_> = values("v", 100).iter().map(|value| format!("{value}{}", "x".repeat(2000))).collect();
    for chunk in sent.chunks(4) {
        producer.send(&by_size, 0, chunk);
        producer.send(&by_age, 0, chunk);
    }
    let consumer = kafka.consumer("watermarks", &[]);
    let low = |topic: &str| consumer.fetch_watermarks(topic, 0, PATIENCE).unwrap().0;
    poll_until(&[], || low(&by_size) >= 80 && low(&by_age) == 100);
    assert!(low(&by_size) < 100, "some are kept");
    kafka.stop();
    kafka.start_again();
    assert_eq!(producer.send(&by_age, 0, &values("next", 1)), [(0, 100)], "the end is remembered");
}
