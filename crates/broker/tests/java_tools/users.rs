//! Java clients that log in, and what a producer may not do with tools that librdkafka has not.

use std::fs;

use rdkafka::producer::Producer as _;

use super::{Tools, script};
use crate::harness::{PATIENCE, values};
use crate::security::Guarded;

#[test]
fn a_java_producer_logs_in_and_fills_its_own_topics_and_operates_nothing() {
    let Some(script) = script() else { return };
    let Some(Guarded { kafka, dir }) = Guarded::start() else { return };
    let path = dir.path().join("acme.properties");
    let login = "org.apache.kafka.common.security.scram.ScramLoginModule required";
    let properties = format!(
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n\
         sasl.jaas.config={login} username=\"acme\" password=\"acme-secret\";\n"
    );
    fs::write(&path, properties).unwrap();
    let login = ["--command-config", path.to_str().unwrap()];
    let tools = Tools { script, kafka };

    let topic = "logs.acme.auth";
    tools.feed("console-producer", &[&login[..], &["--topic", topic]].concat(), "one\ntwo\n");
    assert_eq!(tools.kafka.committed(topic), ["one", "two"]);

    let operator = tools.kafka.transactional("operator", &[]);
    operator.begin_transaction().unwrap();
    operator.send(topic, 0, &values("open", 1));
    let abort = [
        "abort",
        "--topic",
        topic,
        "--partition",
        "0",
        "--producer-id",
        "1",
        "--producer-epoch",
        "0",
        "--coordinator-epoch",
        "0",
    ];
    let told = tools.refused("transactions", &[&login[..], &abort].concat());
    assert!(told.contains("cluster authorization"), "{told}");
    operator.commit_transaction(PATIENCE).unwrap();
    assert_eq!(tools.kafka.committed(topic), ["one", "two", "open0000"]);

    let dirs = [&login[..], &["--describe"]].concat();
    let told = tools.refused("run org.apache.kafka.tools.LogDirsCommand", &dirs);
    assert!(told.contains("AuthorizationException"), "{told}");
    let offsets = [&login[..], &["--delete-offsets", "--group", "g", "--topic", topic]].concat();
    let told = tools.run("consumer-groups", &offsets);
    assert!(told.contains("AuthorizationException") || told.contains("authorized"), "{told}");
}
