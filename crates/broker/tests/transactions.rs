//! All or nothing, and once.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::{
    ApiKey, DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, ListTransactionsRequest, ListTransactionsResponse, TopicName,
    TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::{Kafka, PATIENCE, Producer, fresh_name, poll_until, raw, take, values};

#[test]
fn committed_records_are_seen_and_aborted_ones_are_not() {
    let kafka = Kafka::start();
    let topic = kafka.topic(2);
    let producer = kafka.transactional(&fresh_name("tx"), &[]);
    for (name, commits) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        producer.begin_transaction().unwrap();
        producer.send(&topic, 0, &values(&format!("{name}-p0-"), 3));
        producer.send(&topic, 1, &values(&format!("{name}-p1-"), 3));
        if commits {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    let of = |names: &[&str]| -> Vec<String> {
        let of_partition =
            |partition| names.iter().flat_map(move |name| values(&format!("{name}-p{partition}-"), 3));
        (0..2).flat_map(of_partition).collect()
    };
    assert_eq!(kafka.committed(&topic), of(&["a", "c"]));
    assert_eq!(kafka.uncommitted(&topic), of(&["a", "b", "c", "d"]));
}

#[test]
fn an_open_transaction_holds_back_readers_of_committed_records() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let producer = kafka.transactional(&fresh_name("tx"), &[]);
    kafka.producer(&[]).send(&topic, 0, &values("before", 1));
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("inside", 1));
    kafka.producer(&[]).send(&topic, 0, &values("after", 1));
    assert_eq!(kafka.committed(&topic), values("before", 1));
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(kafka.committed(&topic), ["before0000", "inside0000", "after0000"]);
}

#[test]
fn an_empty_transaction_commits() {
    let kafka = Kafka::start();
    let producer = kafka.transactional(&fresh_name("tx"), &[]);
    producer.begin_transaction().unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
}

#[test]
fn a_new_producer_fences_the_old_one_and_aborts_what_it_left() {
    let kafka = Kafka::start();
    let (topic, id) = (kafka.topic(1), fresh_name("tx"));
    let zombie = kafka.transactional(&id, &[]);
    zombie.begin_transaction().unwrap();
    zombie.send(&topic, 0, &values("zombie", 3));
    let heir = kafka.transactional(&id, &[]);
    heir.begin_transaction().unwrap();
    heir.send(&topic, 0, &values("heir", 3));
    heir.commit_transaction(PATIENCE).unwrap();
    zombie.queue(&topic, 0, &values("undead", 3));
    let error = zombie.commit_transaction(PATIENCE).unwrap_err();
    let code = error.rdkafka_error_code();
    let is_fenced = matches!(
        code,
        Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::Fatal | RDKafkaErrorCode::InvalidProducerEpoch)
    );
    assert!(is_fenced, "{error:?}");
    assert_eq!(kafka.committed(&topic), values("heir", 3));
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let producer = kafka.transactional(&fresh_name("tx"), &[("transaction.timeout.ms", "1000")]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("slow", 1));
    kafka.producer(&[]).send(&topic, 0, &values("after", 1));
    let consumer = kafka.consumer(&fresh_name("reader"), &[("isolation.level", "read_committed")]);
    consumer.subscribe(&[&topic]).unwrap();
    assert_eq!(take(&consumer, 1)[0].value, "after0000");
    assert!(producer.commit_transaction(PATIENCE).is_err());
}

#[test]
fn a_producer_whose_transaction_took_too_long_aborts_it_and_goes_on() {
    check_recovery_from_a_timeout(|_, _| {});
}

#[test]
fn a_producer_that_learns_by_writing_that_it_took_too_long_goes_on_as_well() {
    check_recovery_from_a_timeout(|producer, topic| {
        producer.queue(topic, 0, &values("late", 1));
        assert!(producer.flushed().iter().any(Result::is_err));
    });
}

fn check_recovery_from_a_timeout(then: impl FnOnce(&Producer, &str)) {
    let Some(kafka) = Kafka::own("recovery from a time-out", |_| {}) else { return };
    let topic = kafka.topic(1);
    let producer = kafka.transactional("tx", &[("transaction.timeout.ms", "1000")]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("slow", 1));
    poll_until(&[], || kafka.metrics().open_transactions == 0);
    then(&producer, &topic);
    let error = producer.commit_transaction(PATIENCE).unwrap_err();
    let KafkaError::Transaction(error) = error else { panic!("{error}") };
    assert!(error.txn_requires_abort() && !error.is_fatal(), "{error}");
    producer.abort_transaction(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("again", 1));
    producer.commit_transaction(PATIENCE).unwrap();
    assert_eq!(kafka.committed(&topic), values("again", 1));
}

#[test]
fn consume_transform_produce_moves_records_and_offsets_together() {
    let kafka = Kafka::start();
    let (source, target, group) = (kafka.topic(1), kafka.topic(1), fresh_name("group"));
    kafka.producer(&[]).send(&source, 0, &values("in", 30));
    let consumer = kafka.consumer(&group, &[("isolation.level", "read_committed")]);
    consumer.subscribe(&[&source]).unwrap();
    let producer = kafka.transactional(&fresh_name("tx"), &[]);
    for round in 0..3 {
        let batch = take(&consumer, 10);
        producer.begin_transaction().unwrap();
        let outputs: Vec<_> = batch.iter().map(|seen| seen.value.replace("in", "out")).collect();
        producer.send(&target, 0, &outputs);
        let mut positions = TopicPartitionList::new();
        positions.add_partition_offset(&source, 0, Offset::Offset(batch[9].offset + 1)).unwrap();
        let metadata = consumer.group_metadata().unwrap();
        producer.send_offsets_to_transaction(&positions, &metadata, PATIENCE).unwrap();
        if round == 1 {
            producer.abort_transaction(PATIENCE).unwrap();
            // As a worker does after an abort: back to what is committed.
            consumer.seek(&source, 0, Offset::Offset(batch[0].offset), PATIENCE).unwrap();
            let again = take(&consumer, 10);
            assert_eq!(again, batch);
            producer.begin_transaction().unwrap();
            producer.send(&target, 0, &outputs);
            producer.send_offsets_to_transaction(&positions, &metadata, PATIENCE).unwrap();
        }
        producer.commit_transaction(PATIENCE).unwrap();
        let committed = consumer.committed(PATIENCE).unwrap();
        assert_eq!(committed.elements()[0].offset(), Offset::Offset(10 * (round + 1)));
    }
    assert_eq!(kafka.committed(&target), values("out", 30));
}

#[test]
fn offsets_of_a_former_generation_are_refused() {
    let kafka = Kafka::start();
    let (source, group) = (kafka.topic(2), fresh_name("group"));
    kafka.producer(&[]).send(&source, 0, &values("in", 1));
    let first = kafka.consumer(&group, &[]);
    first.subscribe(&[&source]).unwrap();
    take(&first, 1);
    let stale = first.group_metadata().unwrap();
    let second = kafka.consumer(&group, &[]);
    second.subscribe(&[&source]).unwrap();
    let both_have_one = || {
        let count = |consumer: &rdkafka::consumer::BaseConsumer| consumer.assignment().unwrap().count();
        count(&first) == 1 && count(&second) == 1
    };
    poll_until(&[&first, &second], both_have_one);
    let producer = kafka.transactional(&fresh_name("tx"), &[]);
    producer.begin_transaction().unwrap();
    let mut positions = TopicPartitionList::new();
    positions.add_partition_offset(&source, 0, Offset::Offset(1)).unwrap();
    assert!(producer.send_offsets_to_transaction(&positions, &stale, PATIENCE).is_err());
    producer.abort_transaction(PATIENCE).unwrap();
}

#[test]
fn offsets_inside_an_open_transaction_are_not_committed_yet() {
    let kafka = Kafka::start();
    let (source, group) = (kafka.topic(1), fresh_name("group"));
    kafka.producer(&[]).send(&source, 0, &values("in", 5));
    let consumer = kafka.consumer(&group, &[]);
    consumer.subscribe(&[&source]).unwrap();
    take(&consumer, 5);
    let mut positions = TopicPartitionList::new();
    positions.add_partition_offset(&source, 0, Offset::Offset(2)).unwrap();
    consumer.commit(&positions, CommitMode::Sync).unwrap();
    let producer = kafka.transactional(&fresh_name("tx"), &[]);
    producer.begin_transaction().unwrap();
    let mut later = TopicPartitionList::new();
    later.add_partition_offset(&source, 0, Offset::Offset(5)).unwrap();
    producer.send_offsets_to_transaction(&later, &consumer.group_metadata().unwrap(), PATIENCE).unwrap();
    producer.abort_transaction(PATIENCE).unwrap();
    let committed = consumer.committed(PATIENCE).unwrap();
    assert_eq!(committed.elements()[0].offset(), Offset::Offset(2));
}

#[test]
fn an_operator_sees_who_holds_back_readers() {
    let Some(kafka) = Kafka::own("descriptions of transactions", |_| {}) else { return };
    let topic = kafka.topic(2);
    let producer = kafka.transactional("tx", &[]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 1, &values("inside", 3));

    let listed: ListTransactionsResponse =
        raw::ask(&kafka, ApiKey::ListTransactions, 0, &ListTransactionsRequest::default());
    let listed = &listed.transaction_states[0];
    assert_eq!((listed.transactional_id.as_str(), listed.transaction_state.as_str()), ("tx", "Ongoing"));

    let ids = ["tx", "nobody"].map(|id| TransactionalId(StrBytes::from_static_str(id)));
    let wanted = DescribeTransactionsRequest::default().with_transactional_ids(ids.into());
    let described: DescribeTransactionsResponse = raw::ask(&kafka, ApiKey::DescribeTransactions, 0, &wanted);
    let [open, unknown] = &described.transaction_states[..] else { panic!("{described:?}") };
    assert_eq!((open.topics[0].topic.as_str(), &open.topics[0].partitions[..]), (topic.as_str(), &[1][..]));
    assert!(open.transaction_start_time_ms > 0);
    assert_eq!(unknown.error_code, ResponseError::TransactionalIdNotFound.code());

    let name = TopicName(StrBytes::from_string(topic));
    let asked = TopicRequest::default().with_name(name).with_partition_indexes(vec![0, 1]);
    let asked = DescribeProducersRequest::default().with_topics(vec![asked]);
    let producers: DescribeProducersResponse = raw::ask(&kafka, ApiKey::DescribeProducers, 0, &asked);
    let [none, writing] = &producers.topics[0].partitions[..] else { panic!("{producers:?}") };
    assert!(none.active_producers.is_empty());
    let active = &writing.active_producers[0];
    assert_eq!((active.last_sequence, active.current_txn_start_offset), (2, 0));
    assert_eq!(active.producer_id, open.producer_id);
}
