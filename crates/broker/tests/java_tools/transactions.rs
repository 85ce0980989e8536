//! Transactions, seen by operators and made by Java.

use rdkafka::producer::Producer as _;

use super::{Tools, check_line};
use crate::harness::{PATIENCE, fresh_name, values};

#[test]
fn an_open_transaction_is_listed_described_and_aborted_where_it_holds_back_readers() {
    let Some(tools) = Tools::find() else { return };
    let (topic, id) = (tools.kafka.topic(1), fresh_name("tx"));
    let producer = tools.kafka.transactional(&id, &[]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("stuck", 3));
    tools.kafka.producer(&[]).send(&topic, 0, &values("behind", 1));

    let transactions = |arguments: &[&str]| tools.run("transactions", arguments);
    let listed = transactions(&["list"]);
    let line = listed.lines().find(|line| line.starts_with(&id)).unwrap();
    let producer_id = line.split_whitespace().nth(2).unwrap();
    assert!(line.contains("Ongoing"), "{line}");
    let told = transactions(&["describe", "--transactional-id", &id]);
    check_line(&told, &["Ongoing"]);
    assert!(told.contains(&format!("{topic}-0")), "{told}");
    let told = transactions(&["describe-producers", "--topic", &topic, "--partition", "0"]);
    check_line(&told, &[producer_id]);
    let hanging = transactions(&["find-hanging", "--topic", &topic, "--max-transaction-timeout", "0"]);
    assert!(!hanging.contains(&topic), "its coordinator knows of it: {hanging}");

    assert!(tools.kafka.committed(&topic).is_empty());
    transactions(&["abort", "--topic", &topic, "--partition", "0", "--start-offset", "0"]);
    assert_eq!(tools.kafka.committed(&topic), values("behind", 1));
}

#[test]
fn a_transactional_id_is_taken_from_its_owner() {
    let Some(tools) = Tools::find() else { return };
    let (topic, id) = (tools.kafka.topic(1), fresh_name("tx"));
    let producer = tools.kafka.transactional(&id, &[]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("stuck", 3));
    tools.run("transactions", &["forceTerminateTransaction", "--transactionalId", &id]);
    assert!(producer.commit_transaction(PATIENCE).is_err());
    assert!(tools.kafka.committed(&topic).is_empty());
}

#[test]
fn java_moves_records_exactly_once() {
    let Some(tools) = Tools::find() else { return };
    let (source, target) = (tools.kafka.topic(1), tools.kafka.topic(1));
    tools.kafka.producer(&[]).send(&source, 0, &values("v", 500));
    let copy = [
        "--broker-list",
        &tools.kafka.bootstrap,
        "--transactional-id",
        &fresh_name("tx"),
        "--consumer-group",
        &fresh_name("group"),
        "--input-topic",
        &source,
        "--input-partition",
        "0",
        "--output-topic",
        &target,
        "--max-messages",
        "500",
        "--transaction-size",
        "40",
        "--enable-random-aborts",
        "--use-group-metadata",
    ];
    let told = tools.run_class("org.apache.kafka.tools.TransactionalMessageCopier", &copy);
    assert!(told.contains("ShutdownComplete"), "{told}");
    assert_eq!(tools.kafka.committed(&target), values("v", 500));
}
