//! Requests that only operators' tools make.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{
    ApiKey, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeProducersRequest,
    DescribeProducersResponse, GroupId, ListGroupsRequest, ListGroupsResponse, ListTransactionsRequest,
    ListTransactionsResponse, OffsetDeleteRequest, OffsetDeleteResponse, WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::raw::{ask, result, text, topic_name};
use crate::harness::{Kafka, PATIENCE, assigned, fresh_name, poll_until, values};

fn positions(topic: &str, offset: Offset) -> TopicPartitionList {
    let mut positions = TopicPartitionList::new();
    positions.add_partition_offset(topic, 0, offset).unwrap();
    positions
}

fn delete_offset(kafka: &Kafka, group: &str, topic: &str) -> Result<(), ResponseError> {
    let partition = vec![OffsetDeleteRequestPartition::default()];
    let of_topic =
        OffsetDeleteRequestTopic::default().with_name(topic_name(topic)).with_partitions(partition);
    let delete =
        OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![of_topic]);
    let answer: OffsetDeleteResponse = ask(kafka, ApiKey::OffsetDelete, 0, &delete);
    result(answer.error_code)?;
    result(answer.topics[0].partitions[0].error_code)
}

#[test]
fn offsets_of_a_group_are_deleted_once_no_one_reads_with_them() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    assert_eq!(delete_offset(&kafka, &group, &topic), Err(ResponseError::GroupIdNotFound));
    let member = kafka.consumer(&group, &[]);
    member.subscribe(&[&topic]).unwrap();
    poll_until(&[&member], || assigned(&member) == 1);
    member.commit(&positions(&topic, Offset::Offset(3)), CommitMode::Sync).unwrap();
    assert!(delete_offset(&kafka, &group, &topic).is_err(), "it is read");
    drop(member);
    let committed = || {
        let asked = positions(&topic, Offset::Invalid);
        kafka.consumer(&group, &[]).committed_offsets(asked, PATIENCE).unwrap().elements()[0].offset()
    };
    assert_eq!(committed(), Offset::Offset(3));
    assert_eq!(delete_offset(&kafka, &group, &topic), Ok(()));
    assert_eq!(committed(), Offset::Invalid);
}

#[test]
fn offsets_that_were_deleted_stay_deleted() {
    let Some(mut kafka) = Kafka::own("a restart", |_| {}) else { return };
    let (topic, other, group) = (kafka.topic(1), kafka.topic(1), fresh_name("group"));
    for topic in [&topic, &other] {
        kafka.consumer(&group, &[]).commit(&positions(topic, Offset::Offset(3)), CommitMode::Sync).unwrap();
    }
    delete_offset(&kafka, &group, &topic).unwrap();
    kafka.stop();
    kafka.start_again();
    let committed = |topic: &str| {
        let asked = positions(topic, Offset::Invalid);
        kafka.consumer(&group, &[]).committed_offsets(asked, PATIENCE).unwrap().elements()[0].offset()
    };
    assert_eq!((committed(&topic), committed(&other)), (Offset::Invalid, Offset::Offset(3)));
}

#[test]
fn the_disk_that_partitions_take_is_told() {
    let kafka = Kafka::start();
    let topic = kafka.topic(2);
    kafka.producer(&[]).send(&topic, 0, &["x".repeat(5000)]);
    let asked = DescribableLogDirTopic::default().with_topic(topic_name(&topic)).with_partitions(vec![0, 1]);
    let describe = DescribeLogDirsRequest::default().with_topics(Some(vec![asked]));
    let answer: DescribeLogDirsResponse = ask(&kafka, ApiKey::DescribeLogDirs, 4, &describe);
    let mut partitions = answer.results[0].topics[0].partitions.clone();
    partitions.sort_by_key(|partition| partition.partition_index);
    assert!((5000..6000).contains(&partitions[0].partition_size), "{partitions:?}");
    assert_eq!(partitions[1].partition_size, 0);
}

#[test]
fn groups_are_listed_by_their_type() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    kafka.consumer(&group, &[]).commit(&positions(&topic, Offset::Offset(1)), CommitMode::Sync).unwrap();
    let types = |wanted: &str| {
        let list = ListGroupsRequest::default().with_types_filter(vec![text(wanted)]);
        let answer: ListGroupsResponse = ask(&kafka, ApiKey::ListGroups, 5, &list);
        let found = answer.groups.into_iter().find(|listed| listed.group_id.as_str() == group);
        found.map(|listed| (listed.group_type.to_lowercase(), listed.group_state.to_string()))
    };
    assert_eq!(types("classic"), Some(("classic".into(), "Empty".into())));
    assert_eq!(types("consumer"), None);
}

#[test]
fn transactions_are_listed_by_how_long_they_are_open() {
    let kafka = Kafka::start();
    let (topic, id) = (kafka.topic(1), fresh_name("tx"));
    let producer = kafka.transactional(&id, &[]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("v", 1));
    let is_listed = |longer_than_ms| {
        let list = ListTransactionsRequest::default().with_duration_filter(longer_than_ms);
        let answer: ListTransactionsResponse = ask(&kafka, ApiKey::ListTransactions, 1, &list);
        answer.transaction_states.iter().any(|listed| listed.transactional_id.as_str() == id)
    };
    assert!(is_listed(-1) && is_listed(0));
    assert!(!is_listed(3_600_000));
}

/// The marker that aborts the only open transaction of partition 0.
fn abort(kafka: &Kafka, topic: &str) -> WritableTxnMarker {
    let asked = TopicRequest::default().with_name(topic_name(topic)).with_partition_indexes(vec![0]);
    let describe = DescribeProducersRequest::default().with_topics(vec![asked]);
    let answer: DescribeProducersResponse = ask(kafka, ApiKey::DescribeProducers, 0, &describe);
    let producers = &answer.topics[0].partitions[0].active_producers;
    let open = producers.iter().find(|producer| producer.current_txn_start_offset >= 0).unwrap();
    let in_topic =
        WritableTxnMarkerTopic::default().with_name(topic_name(topic)).with_partition_indexes(vec![0]);
    WritableTxnMarker::default()
        .with_producer_id(open.producer_id)
        .with_producer_epoch(i16::try_from(open.producer_epoch).unwrap())
        .with_transaction_result(false)
        .with_topics(vec![in_topic])
}

fn write(kafka: &Kafka, marker: WritableTxnMarker) -> Result<(), ResponseError> {
    let write = WriteTxnMarkersRequest::default().with_markers(vec![marker]);
    let answer: WriteTxnMarkersResponse = ask(kafka, ApiKey::WriteTxnMarkers, 1, &write);
    result(answer.markers[0].topics[0].partitions[0].error_code)
}

#[test]
fn a_transaction_is_aborted_in_the_partition_where_it_holds_back_readers() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let producer = kafka.transactional(&fresh_name("tx"), &[]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("stuck", 2));
    kafka.producer(&[]).send(&topic, 0, &values("behind", 2));
    assert!(kafka.committed(&topic).is_empty());
    assert_eq!(write(&kafka, abort(&kafka, &topic)), Ok(()));
    assert_eq!(kafka.committed(&topic), values("behind", 2));
    // What its producer does next does not bring the records back.
    drop(producer.commit_transaction(PATIENCE));
    assert_eq!(kafka.committed(&topic), values("behind", 2));
}

#[test]
fn no_operator_commits_for_a_producer_or_aborts_what_is_not_open() {
    let Some(kafka) = Kafka::own("markers that Kafka writes for other brokers", |_| {}) else { return };
    let topic = kafka.topic(1);
    let producer = kafka.transactional(&fresh_name("tx"), &[]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("open", 2));
    let abort = abort(&kafka, &topic);
    let commit = abort.clone().with_transaction_result(true);
    assert_eq!(write(&kafka, commit), Err(ResponseError::InvalidRequest));
    let of_a_former_owner = abort.clone().with_producer_epoch(abort.producer_epoch - 1);
    assert_eq!(write(&kafka, of_a_former_owner), Err(ResponseError::InvalidProducerEpoch));
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(write(&kafka, abort), Err(ResponseError::InvalidTxnState), "it has ended");
    assert_eq!(kafka.committed(&topic), values("open", 2));
}
