//! What the broker tells of itself.

use std::io::{Read, Write};

use broker::{BrokerMetrics, GroupLag};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::{Kafka, fresh_name, poll_until, raw, values};

fn requests(metrics: &BrokerMetrics, api: &str) -> u64 {
    metrics.apis.iter().find(|one| one.api == api).map_or(0, |one| one.requests)
}

#[test]
fn requests_and_bytes_are_told_by_api() {
    let Some(kafka) = Kafka::own("metrics by API", |_| {}) else { return };
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 10));
    assert_eq!(kafka.uncommitted(&topic).len(), 10);
    let metrics = kafka.metrics();
    for api in ["Produce", "Fetch", "Metadata", "ApiVersions"] {
        let told = metrics.apis.iter().find(|one| one.api == api).unwrap();
        assert!(told.requests > 0 && told.bytes_in > 0 && told.bytes_out > 0, "{told:?}");
    }
    assert_eq!(requests(&metrics, "JoinGroup"), 0, "nobody joined");
    assert_eq!(metrics.requests, metrics.apis.iter().map(|one| one.requests).sum::<u64>());
}

#[test]
fn every_wait_for_the_disk_is_in_a_bucket() {
    let Some(kafka) = Kafka::own("metrics of fsync", |_| {}) else { return };
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 3));
    let metrics = kafka.metrics();
    let in_buckets: u64 = metrics.fsync_buckets.iter().map(|&(_, count)| count).sum();
    assert!(metrics.fsyncs > 0 && in_buckets == metrics.fsyncs, "{metrics:?}");
    assert_eq!(metrics.fsync_buckets.last().unwrap().0, f64::INFINITY);
}

#[test]
fn a_groups_lag_is_what_it_has_not_committed() {
    let Some(kafka) = Kafka::own("metrics of groups", |_| {}) else { return };
    let topic = kafka.topic(2);
    let producer = kafka.producer(&[]);
    producer.send(&topic, 0, &values("v", 10));
    producer.send(&topic, 1, &values("v", 5));
    let group = fresh_name("group");
    let consumer = kafka.consumer(&group, &[]);
    let commit = |partition: i32, offset: i64| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, partition, Offset::Offset(offset)).unwrap();
        consumer.commit(&list, CommitMode::Sync).unwrap();
    };
    let lag = |lag| vec![GroupLag { group: group.clone(), topic: topic.clone(), lag }];
    commit(0, 4);
    assert_eq!(kafka.metrics().group_lags, lag(6));
    commit(1, 0);
    assert_eq!(kafka.metrics().group_lags, lag(6 + 5));
    commit(0, 10);
    commit(1, 5);
    assert_eq!(kafka.metrics().group_lags, lag(0));
}

#[test]
fn partitions_and_segments_are_told_with_their_sizes() {
    let Some(kafka) = Kafka::own("metrics of logs", |_| {}) else { return };
    let topic = kafka.topic_with(2, &[("segment.bytes", "10000")]);
    let producer = kafka.producer(&[]);
    for _ in 0..5 {
        producer.send(&topic, 1, &["x".repeat(6000)]);
    }
    let metrics = kafka.metrics();
    assert_eq!(metrics.segments, 5, "each batch fills one; nothing was ever written to partition 0");
    let largest = &metrics.largest_partitions[0];
    assert_eq!((&largest.topic, largest.partition), (&topic, 1));
    assert_eq!((largest.log_start, largest.high_watermark), (0, 5));
    assert!(largest.log_bytes > 30_000 && largest.log_bytes == metrics.log_bytes, "{metrics:?}");
}

#[test]
fn errors_are_told_by_api_and_name() {
    let Some(kafka) = Kafka::own("metrics of errors", |_| {}) else { return };
    let topic = kafka.topic_with(1, &[("max.message.bytes", "1000")]);
    let refused = kafka.producer(&[]).try_send(&topic, 0, &["x".repeat(5000)]);
    assert!(refused[0].is_err());
    let errors = kafka.metrics().errors;
    let told: Vec<_> = errors.iter().map(|one| (&*one.api, &*one.error)).collect();
    assert_eq!(told, [("Produce", "MESSAGE_TOO_LARGE")]);
}

#[test]
fn connections_that_the_broker_ends_are_told_by_reason() {
    let change = |config: &mut broker::BrokerConfig| {
        config.connections_max = 1;
        config.stalled_ms_max = 50;
    };
    let Some(kafka) = Kafka::own("metrics of connections", change) else { return };
    let mut malformed = raw::connect(&kafka);
    malformed.write_all(&[0xff; 8]).unwrap();
    poll_until(&[], || kafka.metrics().connections_malformed == 1);
    poll_until(&[], || kafka.metrics().connections == 0);
    let mut stalled = raw::connect(&kafka);
    stalled.write_all(&[0, 0, 0, 10, 0]).unwrap();
    let mut rejected = raw::connect(&kafka);
    assert!(matches!(rejected.read(&mut [0; 1]), Ok(0) | Err(_)));
    poll_until(&[], || kafka.metrics().connections_stalled == 1);
    let metrics = kafka.metrics();
    assert_eq!((metrics.connections_opened, metrics.connections_rejected), (2, 1), "{metrics:?}");
}
