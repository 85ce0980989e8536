//! Consumers that share the work.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::{ApiKey, GroupId, JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::Offset;

use crate::harness::{Kafka, PATIENCE, assigned, fresh_name, poll_until, raw, take, take_values, values};

fn join(kafka: &Kafka, group: &str, topic: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let consumer = kafka.consumer(group, settings);
    consumer.subscribe(&[topic]).unwrap();
    consumer
}

fn check_sharing(strategy: &str) {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(6), fresh_name("group"));
    let settings = [("partition.assignment.strategy", strategy)];
    let first = join(&kafka, &group, &topic, &settings);
    poll_until(&[&first], || assigned(&first) == 6);
    let second = join(&kafka, &group, &topic, &settings);
    poll_until(&[&first, &second], || assigned(&first) == 3 && assigned(&second) == 3);
    let third = join(&kafka, &group, &topic, &settings);
    poll_until(&[&first, &second, &third], || [&first, &second, &third].iter().all(|one| assigned(one) == 2));
    drop(third); // says good-bye
    poll_until(&[&first, &second], || assigned(&first) == 3 && assigned(&second) == 3);
}

#[test]
fn range_members_share_the_partitions() {
    check_sharing("range");
}

#[test]
fn roundrobin_members_share_the_partitions() {
    check_sharing("roundrobin");
}

#[test]
fn cooperative_members_share_the_partitions() {
    check_sharing("cooperative-sticky");
}

#[test]
fn a_member_that_falls_silent_loses_its_partitions() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(4), fresh_name("group"));
    let first = join(&kafka, &group, &topic, &[]);
    let second = join(&kafka, &group, &topic, &[("max.poll.interval.ms", "6000")]);
    poll_until(&[&first, &second], || assigned(&first) == 2 && assigned(&second) == 2);
    // No longer polled, as if its process hung.
    poll_until(&[&first], || assigned(&first) == 4);
}

#[test]
fn a_static_member_comes_back_to_its_partitions_without_a_rebalance() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(4), fresh_name("group"));
    let one = [("group.instance.id", "one"), ("session.timeout.ms", "20000")];
    let two = [("group.instance.id", "two"), ("session.timeout.ms", "20000")];
    let first = join(&kafka, &group, &topic, &one);
    let second = join(&kafka, &group, &topic, &two);
    poll_until(&[&first, &second], || assigned(&first) == 2 && assigned(&second) == 2);
    let before = second.assignment().unwrap();
    // Not dropped: librdkafka 2.12 would wait for ever for a static member's fetches to end. So
    // this is also a former self that still lives, and is fenced.
    std::mem::forget(second);
    let again = join(&kafka, &group, &topic, &two);
    poll_until(&[&first, &again], || {
        assert_eq!(assigned(&first), 2, "the other member was disturbed");
        assigned(&again) == 2
    });
    let partitions = |list: &rdkafka::TopicPartitionList| {
        list.elements().iter().map(|element| element.partition()).collect::<Vec<_>>()
    };
    assert_eq!(partitions(&again.assignment().unwrap()), partitions(&before));
}

#[test]
fn a_group_goes_on_where_it_committed() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    kafka.producer(&[]).send(&topic, 0, &values("v", 20));
    let first = join(&kafka, &group, &topic, &[]);
    let seen = take(&first, 10);
    let mut positions = rdkafka::TopicPartitionList::new();
    positions.add_partition_offset(&topic, 0, Offset::Offset(seen[9].offset + 1)).unwrap();
    first.commit(&positions, CommitMode::Sync).unwrap();
    drop(first);
    let second = join(&kafka, &group, &topic, &[]);
    assert_eq!(take_values(&second, 10), values("v", 20)[10..]);
}

#[test]
fn what_a_member_commits_by_itself_is_there_once_it_has_left() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    kafka.producer(&[]).send(&topic, 0, &values("before", 10));
    let first = join(&kafka, &group, &topic, &[("enable.auto.commit", "true")]);
    assert_eq!(take_values(&first, 10), values("before", 10));
    drop(first);
    kafka.producer(&[]).send(&topic, 0, &values("after", 10));
    let second = join(&kafka, &group, &topic, &[]);
    assert_eq!(take_values(&second, 10), values("after", 10));
}

#[test]
fn a_commit_that_no_one_waits_for_arrives() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    kafka.producer(&[]).send(&topic, 0, &values("v", 20));
    let member = join(&kafka, &group, &topic, &[]);
    take(&member, 20);
    member.commit_consumer_state(CommitMode::Async).unwrap();
    poll_until(&[&member], || {
        member.committed(PATIENCE).unwrap().elements()[0].offset() == Offset::Offset(20)
    });
}

#[test]
fn groups_are_listed_with_their_members() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    let member = join(&kafka, &group, &topic, &[("client.id", "the-member")]);
    poll_until(&[&member], || assigned(&member) == 1);
    let groups = member.client().fetch_group_list(Some(&group), PATIENCE).unwrap();
    let group = &groups.groups()[0];
    assert_eq!((group.state(), group.protocol_type()), ("Stable", "consumer"));
    assert_eq!(group.members()[0].client_id(), "the-member");
}

#[test]
fn an_empty_group_can_be_deleted_and_a_full_one_cannot() {
    let kafka = Kafka::start();
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    kafka.producer(&[]).send(&topic, 0, &values("v", 1));
    let member = join(&kafka, &group, &topic, &[]);
    take(&member, 1);
    member.commit_consumer_state(CommitMode::Sync).unwrap();
    let delete = || kafka.wait(kafka.admin().delete_groups(&[&group], &Default::default())).unwrap();
    assert!(delete()[0].is_err());
    drop(member);
    assert!(delete()[0].is_ok());
}

#[test]
fn a_group_keeps_no_more_of_a_member_than_it_should() {
    let Some(kafka) = Kafka::own("greedy members", |_| {}) else { return };
    let join = |bytes: usize| {
        let name = StrBytes::from_static_str("range");
        let offered =
            JoinGroupRequestProtocol::default().with_name(name).with_metadata(vec![0; bytes].into());
        let join = JoinGroupRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str("group")))
            .with_session_timeout_ms(6000)
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![offered]);
        raw::ask::<JoinGroupResponse>(&kafka, ApiKey::JoinGroup, 0, &join).error_code
    };
    assert_eq!(join(1024 * 1024), 0);
    assert_eq!(join(1024 * 1024 + 1), ResponseError::InvalidRequest.code());
}
