//! Requests that make no sense, and the error that tells their client so.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    ApiKey, DescribeGroupsRequest, DescribeGroupsResponse, GroupId, HeartbeatRequest, HeartbeatResponse,
    InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetCommitRequest, OffsetCommitResponse, TransactionalId,
};

use rdkafka::consumer::Consumer;

use crate::harness::raw::{ask, fetch, result, text, topic_name};
use crate::harness::{Kafka, assigned, fresh_name, poll_until, values};

use ResponseError::{
    IllegalGeneration, InvalidTransactionTimeout, OffsetOutOfRange, UnknownMemberId, UnknownTopicOrPartition,
};

#[test]
fn offsets_outside_the_log_are_out_of_range() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 3));
    assert_eq!(fetch(&kafka, &topic, 4), Err(OffsetOutOfRange));
    assert_eq!(fetch(&kafka, &topic, -1), Err(OffsetOutOfRange));
    assert_eq!(fetch(&kafka, &topic, 3), Ok(bytes::Bytes::new()), "the end is not beyond it");
}

#[test]
fn what_does_not_exist_cannot_be_read() {
    let kafka = Kafka::start();
    let (topic, nowhere) = (kafka.topic(1), fresh_name("nowhere"));
    assert_eq!(fetch(&kafka, &nowhere, 0), Err(UnknownTopicOrPartition));
    let find = |topic: &str, partition_index| {
        let partition =
            ListOffsetsPartition::default().with_partition_index(partition_index).with_timestamp(-1);
        let topic = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
        let list = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
        let answer: ListOffsetsResponse = ask(&kafka, ApiKey::ListOffsets, 2, &list);
        let partition = &answer.topics[0].partitions[0];
        result(partition.error_code).map(|()| partition.offset)
    };
    assert_eq!(find(&topic, 0), Ok(0));
    assert_eq!(find(&topic, 1), Err(UnknownTopicOrPartition));
    assert_eq!(find(&nowhere, 0), Err(UnknownTopicOrPartition));
}

/// Commits an offset as some member of a group.
fn commit(kafka: &Kafka, group: &str, topic: &str, member: (&str, i32)) -> Result<(), ResponseError> {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(1);
    let offsets =
        OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text(member.0))
        .with_generation_id_or_member_epoch(member.1)
        .with_topics(vec![offsets]);
    let answer: OffsetCommitResponse = ask(kafka, ApiKey::OffsetCommit, 7, &commit);
    result(answer.topics[0].partitions[0].error_code)
}

fn heartbeat(kafka: &Kafka, group: &str, member: (&str, i32)) -> Result<(), ResponseError> {
    let heartbeat = HeartbeatRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(text(member.0))
        .with_generation_id(member.1);
    let answer: HeartbeatResponse = ask(kafka, ApiKey::Heartbeat, 3, &heartbeat);
    result(answer.error_code)
}

/// The id of the only member.
fn member_id(kafka: &Kafka, group: &str) -> String {
    let describe = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
    let answer: DescribeGroupsResponse = ask(kafka, ApiKey::DescribeGroups, 4, &describe);
    answer.groups[0].members[0].member_id.to_string()
}

#[test]
fn only_the_present_members_of_a_group_commit_its_offsets() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    let member = kafka.consumer(&group, &[]);
    member.subscribe(&[&topic]).unwrap();
    poll_until(&[&member], || assigned(&member) == 1);
    let id = member_id(&kafka, &group);
    assert_eq!(commit(&kafka, &group, &topic, ("stranger", 1)), Err(UnknownMemberId));
    assert_eq!(commit(&kafka, &group, &topic, ("", -1)), Err(UnknownMemberId), "nor who names no member");
    assert_eq!(commit(&kafka, &group, &topic, (&id, 99)), Err(IllegalGeneration));
    assert_eq!(commit(&kafka, &group, &topic, (&id, 0)), Err(IllegalGeneration), "a former generation");
    assert_eq!(commit(&kafka, &group, &topic, (&id, 1)), Ok(()));
    assert_eq!(heartbeat(&kafka, &group, ("stranger", 1)), Err(UnknownMemberId));
    assert_eq!(heartbeat(&kafka, &group, (&id, 99)), Err(IllegalGeneration));
    assert_eq!(heartbeat(&kafka, &group, (&id, 1)), Ok(()));
}

#[test]
fn a_group_without_members_takes_offsets_from_no_generation() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    assert_eq!(commit(&kafka, &group, &topic, ("gone", 3)), Err(IllegalGeneration));
    assert_eq!(commit(&kafka, &group, &topic, ("", -1)), Ok(()));
    assert_eq!(commit(&kafka, &group, &fresh_name("nowhere"), ("", -1)), Err(UnknownTopicOrPartition));
}

#[test]
fn a_transaction_may_not_take_for_ever() {
    let kafka = Kafka::start();
    let init = |timeout_ms| {
        let init = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(&fresh_name("tx")))))
            .with_transaction_timeout_ms(timeout_ms);
        let answer: InitProducerIdResponse = ask(&kafka, ApiKey::InitProducerId, 1, &init);
        result(answer.error_code)
    };
    assert_eq!(init(i32::MAX), Err(InvalidTransactionTimeout));
    assert_eq!(init(0), Err(InvalidTransactionTimeout));
    assert_eq!(init(60_000), Ok(()));
}
