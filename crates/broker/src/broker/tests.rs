//! A broker whose disk fails.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpStream;

use tempfile::TempDir;

use super::*;
use crate::disk::{Operation, faults};
use crate::topic_admin::NewTopic;

fn config(dir: &TempDir) -> BrokerConfig {
    let mut config = BrokerConfig::new(dir.path());
    config.listen.set_port(0);
    config
}

fn topic(name: &str) -> NewTopic {
    NewTopic { name: name.into(), partitions: Some(1), configs: BTreeMap::new() }
}

#[tokio::test]
async fn a_broker_without_its_journal_stops_and_says_why() {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(config(&dir)).await.unwrap();
    broker.node.topic_admin.create(topic("kept"), false).await.unwrap();
    faults::fail(&dir.path().join("journal"), Operation::Sync, ErrorKind::Other, 1);
    assert!(broker.node.topic_admin.create(topic("lost"), false).await.is_err());
    let error = broker.failed().await.to_string();
    assert!(error.contains("journal"), "{error}");
    let address = broker.local_addr();
    assert!(broker.shutdown().await.is_err());
    assert!(TcpStream::connect(address).is_err());

    let broker = Broker::start(config(&dir)).await.unwrap();
    assert!(broker.node.topics.get("kept").is_some());
    broker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_empty_journal_beside_topics_is_damage() {
    let dir = TempDir::new().unwrap();
    let broker = Broker::start(config(&dir)).await.unwrap();
    broker.node.topic_admin.create(topic("kept"), false).await.unwrap();
    broker.shutdown().await.unwrap();
    std::fs::write(dir.path().join("journal"), []).unwrap();
    let refusal = Broker::start(config(&dir)).await.unwrap_err();
    assert!(matches!(refusal, BrokerError::Damaged(_)), "{refusal}");
}
