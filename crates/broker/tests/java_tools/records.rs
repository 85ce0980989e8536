//! Records in and out, and where they are.

use std::io::Write;

use rdkafka::producer::Producer as _;

use super::{Tools, check_line};
use crate::harness::{PATIENCE, fresh_name, values};

#[test]
fn the_console_producer_and_consumer_carry_keys_headers_and_values() {
    let Some(tools) = Tools::find() else { return };
    let topic = tools.kafka.topic(1);
    let write = [
        "--topic",
        &topic,
        "--compression-codec",
        "zstd",
        "--reader-property",
        "parse.key=true",
        "--reader-property",
        "parse.headers=true",
    ];
    tools.feed("console-producer", &write, "wf-format:sshd\tone\tfirst\nwf-format:sshd\ttwo\tsecond\n");
    let read = [
        "--topic",
        &topic,
        "--from-beginning",
        "--max-messages",
        "2",
        "--formatter-property",
        "print.key=true",
        "--formatter-property",
        "print.headers=true",
        "--formatter-property",
        "print.offset=true",
    ];
    let told = tools.run("console-consumer", &read);
    assert!(told.contains("Offset:0\twf-format:sshd\tone\tfirst\n"), "{told}");
    assert!(told.contains("Offset:1\twf-format:sshd\ttwo\tsecond\n"), "{told}");
}

#[test]
fn the_console_consumer_of_committed_records_skips_aborted_ones() {
    let Some(tools) = Tools::find() else { return };
    let topic = tools.kafka.topic(1);
    let producer = tools.kafka.transactional(&fresh_name("tx"), &[]);
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("aborted", 2));
    producer.abort_transaction(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer.send(&topic, 0, &values("kept", 2));
    producer.commit_transaction(PATIENCE).unwrap();
    let read = |isolation, count| {
        let arguments = ["--topic", &topic, "--from-beginning", "--isolation-level", isolation];
        tools.run("console-consumer", &[&arguments[..], &["--max-messages", count]].concat())
    };
    assert_eq!(read("read_committed", "2"), "kept0000\nkept0001\n");
    assert_eq!(read("read_uncommitted", "4"), "aborted0000\naborted0001\nkept0000\nkept0001\n");
}

#[test]
fn records_are_deleted_and_offsets_told() {
    let Some(tools) = Tools::find() else { return };
    let topic = tools.kafka.topic(2);
    tools.kafka.producer(&[]).send(&topic, 0, &values("v", 7));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, r#"{{"version":1,"partitions":[{{"topic":"{topic}","partition":0,"offset":4}}]}}"#).unwrap();
    let told = tools.run("delete-records", &["--offset-json-file", file.path().to_str().unwrap()]);
    check_line(&told, &["partition:", &format!("{topic}-0"), "low_watermark:", "4"]);
    let offsets = |time| tools.run("get-offsets", &["--topic", &topic, "--time", time]);
    assert_eq!(offsets("earliest"), format!("{topic}:0:4\n{topic}:1:0\n"));
    assert_eq!(offsets("latest"), format!("{topic}:0:7\n{topic}:1:0\n"));
}

#[test]
fn the_performance_tools_move_records() {
    let Some(tools) = Tools::find() else { return };
    let topic = tools.kafka.topic(1);
    let write = ["--topic", &topic, "--record-size", "300", "--throughput", "-1", "--num-records"];
    let settings = ["--command-property", "acks=all", "compression.type=lz4"];
    let told = tools.run("producer-perf", &[&write[..], &["20000"], &settings].concat());
    assert!(told.contains("20000 records sent"), "{told}");
    let transactional = ["--transactional-id", &fresh_name("tx"), "--transaction-duration-ms", "100"];
    let told = tools.run("producer-perf", &[&write[..], &["5000"], &transactional].concat());
    assert!(told.contains("5000 records sent"), "{told}");
    let read = ["--topic", &topic, "--num-records", "25000", "--timeout", "30000", "--hide-header"];
    let told = tools.run("consumer-perf", &read);
    let columns: Vec<_> = told.lines().last().unwrap().split(", ").collect();
    assert_eq!(columns[4], "25000", "{told}");
}
