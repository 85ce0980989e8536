//! Topics and their settings.

use super::{Tools, check_line, has_line};
use crate::harness::{fresh_name, values};

#[test]
fn topics_are_created_described_extended_listed_and_deleted() {
    let Some(tools) = Tools::find() else { return };
    let topic = fresh_name("topic");
    let create = ["--create", "--topic", &topic, "--partitions", "2", "--config", "retention.ms=123456"];
    assert!(tools.run("topics", &create).contains(&format!("Created topic {topic}.")));
    assert!(tools.refused("topics", &create).contains("TopicExistsException"));
    tools.run("topics", &["--alter", "--topic", &topic, "--partitions", "3"]);
    let told = tools.run("topics", &["--describe", "--topic", &topic]);
    check_line(&told, &["PartitionCount:", "3", "ReplicationFactor:", "1", "Configs:"]);
    assert!(told.contains("retention.ms=123456"), "{told}");
    let last = ["Partition:", "2", "Leader:", "1", "Replicas:", "1", "Isr:", "1"];
    check_line(&told, &last);
    assert!(has_line(&tools.run("topics", &["--list"]), &[&topic]));
    tools.run("topics", &["--delete", "--topic", &topic]);
    assert!(!has_line(&tools.run("topics", &["--list"]), &[&topic]));
}

#[test]
fn settings_are_changed_read_and_taken_back() {
    let Some(tools) = Tools::find() else { return };
    let topic = tools.kafka.topic(1);
    let configs = |arguments: &[&str]| {
        let of_topic = ["--entity-type", "topics", "--entity-name", &topic];
        tools.run("configs", &[&of_topic, arguments].concat())
    };
    configs(&["--alter", "--add-config", "retention.ms=654321,max.message.bytes=5000"]);
    let told = configs(&["--describe"]);
    assert!(told.contains("retention.ms=654321") && told.contains("max.message.bytes=5000"), "{told}");
    configs(&["--alter", "--delete-config", "retention.ms"]);
    let told = configs(&["--describe"]);
    assert!(!told.contains("retention.ms=654321") && told.contains("max.message.bytes=5000"), "{told}");
    let nonsense =
        ["--entity-type", "topics", "--entity-name", &topic, "--alter", "--add-config", "no.such=1"];
    assert!(tools.refused("configs", &nonsense).contains("InvalidConfigurationException"));
}

#[test]
fn a_broker_describes_itself() {
    let Some(tools) = Tools::find() else { return };
    let told =
        tools.run("configs", &["--entity-type", "brokers", "--entity-name", "1", "--describe", "--all"]);
    assert!(told.contains("message.max.bytes="), "{told}");
    let told = tools.run("run org.apache.kafka.tools.BrokerApiVersionsCommand", &[]);
    assert!(told.contains("Produce(0): 0 to "), "{told}");
}

#[test]
fn the_disk_that_a_topic_takes_is_told() {
    let Some(tools) = Tools::find() else { return };
    let topic = tools.kafka.topic(1);
    tools.kafka.producer(&[]).send(&topic, 0, &values("v", 3));
    let told =
        tools.run("run org.apache.kafka.tools.LogDirsCommand", &["--describe", "--topic-list", &topic]);
    let (_, size) = told.split_once(&format!("\"partition\":\"{topic}-0\",\"size\":")).unwrap();
    let bytes: String = size.chars().take_while(char::is_ascii_digit).collect();
    assert!(bytes.parse::<u64>().unwrap() > 60, "{told}");
}

#[test]
fn what_takes_a_second_node_is_refused_at_once() {
    let Some(tools) = Tools::find() else { return };
    if !tools.kafka.is_own() {
        return eprintln!("skipped, needs a broker of its own: what it does not do");
    }
    let topic = tools.kafka.topic(1);
    let elect = ["--election-type", "preferred", "--topic", &topic, "--partition", "0"];
    let told = tools.refused("run org.apache.kafka.tools.LeaderElectionCommand", &elect);
    assert!(told.contains("ELECT_LEADERS"), "{told}");
    let told = tools.refused("quorum", &["describe", "--status"]);
    assert!(told.contains("DESCRIBE_QUORUM"), "{told}");
}
