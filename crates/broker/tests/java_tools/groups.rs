//! Consumer groups.

use rdkafka::consumer::{CommitMode, Consumer};

use super::{Tools, check_line, has_line, text};
use crate::harness::{assigned, fresh_name, poll_until, take, values};

#[test]
fn a_group_is_listed_described_reset_and_deleted() {
    let Some(tools) = Tools::find() else { return };
    let (topic, group) = (tools.kafka.topic(1), fresh_name("group"));
    tools.kafka.producer(&[]).send(&topic, 0, &values("v", 5));
    let read = ["--topic", &topic, "--group", &group, "--from-beginning", "--max-messages", "3"];
    assert_eq!(tools.run("console-consumer", &read), "v0000\nv0001\nv0002\n");

    let groups = |arguments: &[&str]| tools.run("consumer-groups", arguments);
    check_line(&groups(&["--list", "--state"]), &[&group, "Empty"]);
    check_line(&groups(&["--describe", "--group", &group]), &[&group, &topic, "0", "3", "5", "2"]);
    let reset = ["--reset-offsets", "--group", &group, "--topic", &topic, "--to-offset", "1", "--execute"];
    check_line(&groups(&reset), &[&group, &topic, "0", "1"]);
    check_line(&groups(&["--describe", "--group", &group]), &[&group, &topic, "0", "1", "5", "4"]);
    let told = groups(&["--delete-offsets", "--group", &group, "--topic", &topic]);
    check_line(&told, &[&topic, "0", "Successful"]);
}

#[test]
fn a_group_with_members_shows_them_and_is_not_deleted() {
    let Some(tools) = Tools::find() else { return };
    let (topic, group) = (tools.kafka.topic(2), fresh_name("group"));
    let member = tools.kafka.consumer(&group, &[("client.id", "the-member")]);
    member.subscribe(&[&topic]).unwrap();
    poll_until(&[&member], || assigned(&member) == 2);
    tools.kafka.producer(&[]).send(&topic, 0, &values("v", 1));
    take(&member, 1);
    member.commit_consumer_state(CommitMode::Sync).unwrap();
    check_line(&tools.run("groups", &["--list"]), &[&group, "Classic", "consumer"]);
    let told = tools.run("consumer-groups", &["--describe", "--members", "--group", &group]);
    check_line(&told, &["the-member", "2"]);
    let told = tools.run("consumer-groups", &["--describe", "--state", "--group", &group]);
    assert!(told.contains("Stable"), "{told}");
    let told = tools.run("consumer-groups", &["--delete", "--group", &group]);
    assert!(told.contains("GroupNotEmptyException"), "{told}");
    drop(member);
    let told = tools.run("consumer-groups", &["--delete", "--group", &group]);
    assert!(told.contains("was successful"), "{told}");
    assert!(!has_line(&tools.run("groups", &["--list"]), &[&group]));
}

#[test]
fn a_java_client_of_the_new_group_protocol_is_served_or_refused() {
    let Some(tools) = Tools::find() else { return };
    let topic = tools.kafka.topic(1);
    tools.kafka.producer(&[]).send(&topic, 0, &values("v", 1));
    let read = [
        "--topic",
        &topic,
        "--group",
        &fresh_name("group"),
        "--from-beginning",
        "--max-messages",
        "1",
        "--timeout-ms",
        "20000",
        "--command-property",
        "group.protocol=consumer",
    ];
    let output = tools.output("console-consumer", &read, "");
    if tools.kafka.is_own() {
        let complaints = text(&output.stderr);
        assert!(complaints.contains("Set group.protocol=classic"), "{complaints}");
    } else {
        assert_eq!(text(&output.stdout), "v0000\n");
    }
}
