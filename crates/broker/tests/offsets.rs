//! Finding one's way in a partition.

use rdkafka::consumer::Consumer;
use rdkafka::producer::BaseRecord;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::{Kafka, PATIENCE, fresh_name, take, until_end, values};

fn at(topic: &str, offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, offset).unwrap();
    list
}

#[test]
fn watermarks_are_the_first_and_the_next_offset() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    assert_eq!(consumer.fetch_watermarks(&topic, 0, PATIENCE).unwrap(), (0, 0));
    kafka.producer(&[]).send(&topic, 0, &values("v", 7));
    assert_eq!(consumer.fetch_watermarks(&topic, 0, PATIENCE).unwrap(), (0, 7));
}

#[test]
fn a_seek_goes_to_any_offset() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let producer = kafka.producer(&[("linger.ms", "5")]);
    for chunk in values("v", 3000).chunks(300) {
        producer.send(&topic, 0, chunk);
    }
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    consumer.assign(&at(&topic, Offset::Beginning)).unwrap();
    take(&consumer, 1);
    for offset in [2999, 0, 1501, 299, 300] {
        consumer.seek(&topic, 0, Offset::Offset(offset), PATIENCE).unwrap();
        let seen = take(&consumer, 1).remove(0);
        assert_eq!((seen.offset, seen.value), (offset, format!("v{offset:04}")));
    }
}

#[test]
fn an_offset_beyond_the_end_is_reset() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 3));
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    consumer.assign(&at(&topic, Offset::Offset(1000))).unwrap();
    assert_eq!(until_end(&consumer).len(), 3);
}

#[test]
fn offsets_are_found_by_time() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let producer = kafka.producer(&[("linger.ms", "5")]);
    for index in 0..100 {
        let record = BaseRecord::<str, str>::to(&topic)
            .partition(0)
            .payload("v")
            .timestamp(1_700_000_000_000 + index * 10);
        rdkafka::producer::ThreadedProducer::send(&producer, record).map_err(|(error, _)| error).unwrap();
    }
    producer.flushed();
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    let find = |timestamp| {
        let found = consumer.offsets_for_times(at(&topic, Offset::Offset(timestamp)), PATIENCE).unwrap();
        found.elements()[0].offset()
    };
    assert_eq!(find(0), Offset::Offset(0));
    assert_eq!(find(1_700_000_000_500), Offset::Offset(50));
    assert_eq!(find(1_700_000_000_501), Offset::Offset(51));
    assert_eq!(find(1_700_000_001_000), Offset::End);
}

#[test]
fn a_time_inside_a_compressed_batch_is_never_found_too_late() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let producer = kafka.producer(&[("linger.ms", "500"), ("compression.type", "lz4")]);
    let value = "the same words over and over ".repeat(10);
    for index in 0..100 {
        let record = BaseRecord::<str, str>::to(&topic)
            .partition(0)
            .payload(&value)
            .timestamp(1_700_000_000_000 + index * 10);
        rdkafka::producer::ThreadedProducer::send(&producer, record).map_err(|(error, _)| error).unwrap();
    }
    producer.flushed();
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    let asked = at(&topic, Offset::Offset(1_700_000_000_500));
    let found = consumer.offsets_for_times(asked, PATIENCE).unwrap().elements()[0].offset();
    let Offset::Offset(found) = found else { panic!("{found:?}") };
    // Our broker does not open the batch, and says where it begins.
    assert!(if kafka.is_own() { found <= 50 } else { found == 50 }, "{found}");
    let since = 1_700_000_001_000;
    let found = consumer.offsets_for_times(at(&topic, Offset::Offset(since)), PATIENCE).unwrap();
    assert_eq!(found.elements()[0].offset(), Offset::End, "all are earlier");
}

#[test]
fn committed_offsets_can_be_read_back_without_joining() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 5));
    let group = fresh_name("group");
    let consumer = kafka.consumer(&group, &[]);
    consumer.commit(&at(&topic, Offset::Offset(3)), rdkafka::consumer::CommitMode::Sync).unwrap();
    let asked = at(&topic, Offset::Invalid);
    let found = kafka.consumer(&group, &[]).committed_offsets(asked, PATIENCE).unwrap();
    assert_eq!(found.elements()[0].offset(), Offset::Offset(3));
}
