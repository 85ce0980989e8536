//! Topics and their settings.

use rdkafka::admin::{
    AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::{Kafka, PATIENCE, fresh_name, values};

fn partitions(kafka: &Kafka, topic: &str) -> usize {
    let consumer = kafka.consumer("metadata", &[("allow.auto.create.topics", "false")]);
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    metadata.topics()[0].partitions().len()
}

fn create(kafka: &Kafka, new: &NewTopic<'_>) -> Result<String, RDKafkaErrorCode> {
    let created = kafka.wait(kafka.admin().create_topics([new], &AdminOptions::new())).unwrap();
    created.into_iter().next().unwrap().map_err(|(_, code)| code)
}

#[test]
fn topics_are_created_extended_and_deleted() {
    let kafka = Kafka::start();
    let topic = kafka.topic(2);
    assert_eq!(partitions(&kafka, &topic), 2);
    let (admin, options) = (kafka.admin(), AdminOptions::new());
    let more = NewPartitions::new(&topic, 5);
    assert!(kafka.wait(admin.create_partitions(&[more], &options)).unwrap()[0].is_ok());
    assert_eq!(partitions(&kafka, &topic), 5);
    kafka.producer(&[]).send(&topic, 4, &values("v", 1));
    assert!(kafka.wait(admin.delete_topics(&[&topic], &options)).unwrap()[0].is_ok());
    assert_eq!(partitions(&kafka, &topic), 0);
}

#[test]
fn a_topic_made_anew_is_empty() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("old", 3));
    let (admin, options) = (kafka.admin(), AdminOptions::new());
    kafka.wait(admin.delete_topics(&[&topic], &options)).unwrap()[0].as_ref().unwrap();
    create(&kafka, &NewTopic::new(&topic, 1, TopicReplication::Fixed(1))).unwrap();
    kafka.producer(&[]).send(&topic, 0, &values("new", 2));
    assert_eq!(kafka.committed(&topic), values("new", 2));
}

#[test]
fn impossible_topics_are_refused_with_a_reason() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let one = || TopicReplication::Fixed(1);
    let name = fresh_name("topic");
    assert_eq!(create(&kafka, &NewTopic::new(&topic, 1, one())), Err(RDKafkaErrorCode::TopicAlreadyExists));
    assert_eq!(create(&kafka, &NewTopic::new("no/slash", 1, one())), Err(RDKafkaErrorCode::InvalidTopic));
    assert_eq!(
        create(&kafka, &NewTopic::new(&name, 1, TopicReplication::Fixed(3))),
        Err(RDKafkaErrorCode::InvalidReplicationFactor)
    );
    let unknown = NewTopic::new(&name, 1, one()).set("no.such.setting", "1");
    assert_eq!(create(&kafka, &unknown), Err(RDKafkaErrorCode::InvalidConfig));
    let nonsense = NewTopic::new(&name, 1, one()).set("retention.ms", "soon");
    assert_eq!(create(&kafka, &nonsense), Err(RDKafkaErrorCode::InvalidConfig));
}

#[test]
fn settings_are_read_and_changed() {
    let kafka = Kafka::start();
    let topic = kafka.topic_with(1, &[("retention.ms", "123456")]);
    let (admin, options) = (kafka.admin(), AdminOptions::new());
    let read = |name: &str| {
        let resource = ResourceSpecifier::Topic(&topic);
        let described = kafka.wait(admin.describe_configs(&[resource], &options)).unwrap().remove(0).unwrap();
        described.get(name).unwrap().value.clone()
    };
    assert_eq!(read("retention.ms").as_deref(), Some("123456"));
    let change = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("retention.ms", "654321");
    kafka.wait(admin.alter_configs(&[change], &options)).unwrap()[0].as_ref().unwrap();
    assert_eq!(read("retention.ms").as_deref(), Some("654321"));
    assert_eq!(read("cleanup.policy").as_deref(), Some("delete"));
}

#[test]
fn deleted_records_are_gone_and_the_rest_is_not() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 10));
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&topic, 0, Offset::Offset(4)).unwrap();
    kafka.wait(kafka.admin().delete_records(&before, &AdminOptions::new())).unwrap();
    let consumer = kafka.consumer(&fresh_name("reader"), &[]);
    assert_eq!(consumer.fetch_watermarks(&topic, 0, PATIENCE).unwrap(), (4, 10));
    assert_eq!(kafka.committed(&topic), values("v", 10)[4..]);
}

#[test]
fn all_records_can_be_deleted_but_none_that_are_yet_to_come() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 10));
    let delete = |before: Offset| {
        let mut positions = TopicPartitionList::new();
        positions.add_partition_offset(&topic, 0, before).unwrap();
        let deleted = kafka.wait(kafka.admin().delete_records(&positions, &AdminOptions::new())).unwrap();
        deleted.elements()[0].error()
    };
    let watermarks =
        || kafka.consumer(&fresh_name("reader"), &[]).fetch_watermarks(&topic, 0, PATIENCE).unwrap();
    assert!(delete(Offset::Offset(11)).is_err());
    assert_eq!(watermarks(), (0, 10));
    delete(Offset::End).unwrap();
    assert_eq!(watermarks(), (10, 10));
    kafka.producer(&[]).send(&topic, 0, &values("after", 1));
    assert_eq!(kafka.committed(&topic), values("after", 1));
}

#[test]
fn asking_about_a_topic_creates_it_unless_the_client_forbids() {
    let kafka = Kafka::start();
    let topic = fresh_name("auto");
    assert_eq!(partitions(&kafka, &topic), 0);
    kafka.producer(&[]).send(&topic, 0, &values("v", 1));
    assert_eq!(kafka.committed(&topic), values("v", 1));
}

#[test]
fn a_broker_told_not_to_create_topics_does_not() {
    let Some(kafka) =
        Kafka::own("a broker without auto-creation", |config| config.auto_create_topics = false)
    else {
        return;
    };
    let producer = kafka.producer(&[("message.timeout.ms", "3000")]);
    assert!(producer.try_send(&fresh_name("auto"), 0, &values("v", 1))[0].is_err());
}
