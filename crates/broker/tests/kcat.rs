//! kcat, a client that many reach for first.

use std::io::Write;
use std::process::{Command, Stdio};

use rdkafka::producer::Producer as _;

use crate::harness::{Kafka, PATIENCE, fresh_name, values};

/// A cluster, unless there is no kcat to try it with; that is said past the test runner's capture.
fn start() -> Option<Kafka> {
    if Command::new("kcat").arg("-V").output().is_ok() {
        return Some(Kafka::start());
    }
    eprintln!("skipped: kcat is not installed");
    std::io::stderr().write_all(b"NOT TESTED: kcat is not installed\n").unwrap();
    None
}

/// Runs kcat with `input`; returns what it prints.
fn kcat(kafka: &Kafka, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("kcat")
        .args(["-b", &kafka.bootstrap, "-m", "30"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kcat {arguments:?}: {complaints}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every record of partition 0, printed as `format` says.
fn read(kafka: &Kafka, topic: &str, settings: &[&str], format: &str) -> String {
    let arguments = ["-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-f", format];
    kcat(kafka, &[&arguments, settings].concat(), "")
}

#[test]
fn keys_headers_and_values_come_back() {
    let Some(kafka) = start() else { return };
    let topic = kafka.topic(1);
    let write = ["-P", "-t", &topic, "-p", "0", "-K:", "-H", "wf-format=sshd", "-H", "n=1"];
    kcat(&kafka, &write, "one:first\ntwo:second\n");
    let expected = "0 one first wf-format=sshd,n=1\n1 two second wf-format=sshd,n=1\n";
    assert_eq!(read(&kafka, &topic, &[], "%o %k %s %h\n"), expected);
}

#[test]
fn every_codec_is_read_back() {
    let Some(kafka) = start() else { return };
    let sent: String =
        values("the same words over and over ", 300).iter().map(|v| format!("{v}\n")).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = kafka.topic(1);
        kcat(&kafka, &["-P", "-t", &topic, "-p", "0", "-z", codec], &sent);
        assert_eq!(read(&kafka, &topic, &[], "%s\n"), sent, "{codec}");
    }
}

#[test]
fn metadata_names_brokers_topics_and_leaders() {
    let Some(kafka) = start() else { return };
    let topic = kafka.topic(2);
    let told = kcat(&kafka, &["-L", "-t", &topic], "");
    for expected in [
        format!("broker 1 at {}", kafka.bootstrap),
        format!("topic \"{topic}\" with 2 partitions:"),
        "partition 0, leader 1, replicas: 1, isrs: 1".into(),
        "partition 1, leader 1, replicas: 1, isrs: 1".into(),
    ] {
        assert!(told.contains(&expected), "{expected:?} is missing: {told}");
    }
}

#[test]
fn offsets_are_queried_by_time() {
    let Some(kafka) = start() else { return };
    let topic = kafka.topic(1);
    kafka.producer(&[]).send(&topic, 0, &values("v", 5));
    let query = |time: &str| kcat(&kafka, &["-Q", "-t", &format!("{topic}:0:{time}")], "");
    assert_eq!(query("-2"), format!("{topic} [0] offset 0\n"));
    assert_eq!(query("-1"), format!("{topic} [0] offset 5\n"));
    assert_eq!(query("1"), format!("{topic} [0] offset 0\n"), "all are later");
}

#[test]
fn a_group_goes_on_where_it_left_off() {
    let Some(kafka) = start() else { return };
    let (topic, group) = (kafka.topic(1), fresh_name("group"));
    let take = |count: &str| {
        let earliest = "auto.offset.reset=earliest";
        kcat(&kafka, &["-G", &group, "-c", count, "-q", "-X", earliest, "-f", "%s\n", &topic], "")
    };
    kcat(&kafka, &["-P", "-t", &topic], "a\nb\nc\n");
    assert_eq!(take("3"), "a\nb\nc\n");
    kcat(&kafka, &["-P", "-t", &topic], "d\n");
    assert_eq!(take("1"), "d\n");
}

#[test]
fn readers_of_committed_records_do_not_see_aborted_ones() {
    let Some(kafka) = start() else { return };
    let (topic, id) = (kafka.topic(1), fresh_name("tx"));
    let aborted = kafka.transactional(&id, &[]);
    aborted.begin_transaction().unwrap();
    aborted.send(&topic, 0, &values("aborted", 2));
    aborted.abort_transaction(PATIENCE).unwrap();
    kcat(&kafka, &["-P", "-t", &topic, "-p", "0", "-X", &format!("transactional.id={id}")], "kept\n");
    let seen = |isolation| read(&kafka, &topic, &["-X", isolation], "%s\n");
    assert_eq!(seen("isolation.level=read_committed"), "kept\n");
    assert_eq!(seen("isolation.level=read_uncommitted"), "aborted0000\naborted0001\nkept\n");
}
