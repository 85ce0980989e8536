//! A broker whose disk fails.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpStream;

use tempfile::TempDir;

use super::test_client::{By, Client, Place, batch};
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

const KAFKA_STORAGE_ERROR: i16 = 56;

/// A broker with topics `a` and `b`, and a client of it.
struct Served {
    _broker: Broker,
    client: Client,
    count: usize,
}

fn place(topic: &str) -> Place {
    (topic.to_owned(), 0)
}

impl Served {
    async fn start(dir: &TempDir) -> Self {
        let broker = Broker::start(config(dir)).await.unwrap();
        for name in ["a", "b"] {
            drop(broker.node.topic_admin.create(topic(name), false).await); // there after a restart
        }
        let client = Client::connect(broker.local_addr()).unwrap();
        Self { _broker: broker, client, count: 0 }
    }

    /// Sends the next record; returns the error code.
    fn produce(&mut self, topic: &str) -> i16 {
        let value = format!("{topic}{}", self.count);
        self.count += 1;
        self.client.produce(&place(topic), batch(By::Anyone, &[value])).unwrap().0
    }

    fn read(&mut self, topic: &str) -> Vec<String> {
        self.client.read_all(&place(topic), false).into_iter().map(|(_, value)| value).collect()
    }
}

fn directory(dir: &TempDir, topic: &str) -> std::path::PathBuf {
    let topics = std::fs::read_dir(dir.path().join("topics")).unwrap().map(|entry| entry.unwrap().path());
    let is_its = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(topic);
    topics.into_iter().find(is_its).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_fsync_refuses_producers_of_that_partition_until_a_restart_and_no_reader() {
    let dir = TempDir::new().unwrap();
    let mut served = Served::start(&dir).await;
    assert_eq!(served.produce("a"), 0);
    faults::fail(&directory(&dir, "a"), Operation::Sync, ErrorKind::Other, 1);
    assert_eq!(served.produce("a"), KAFKA_STORAGE_ERROR);
    assert_eq!(served.produce("a"), KAFKA_STORAGE_ERROR, "though the disk is well again");
    assert_eq!(served.read("a"), ["a0"]);
    assert_eq!(served.produce("b"), 0, "others go on");
    drop(served);

    let mut served = Served::start(&dir).await;
    assert_eq!(served.read("a")[0], "a0");
    assert_eq!(served.produce("a"), 0);
    assert_eq!(served.read("b"), ["b3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_producers_until_there_is_room_and_no_reader() {
    let dir = TempDir::new().unwrap();
    let mut served = Served::start(&dir).await;
    assert_eq!(served.produce("a"), 0);
    faults::fail(&directory(&dir, "a"), Operation::Append, ErrorKind::StorageFull, 2);
    assert_eq!([served.produce("a"), served.produce("a")], [KAFKA_STORAGE_ERROR; 2]);
    assert_eq!(served.read("a"), ["a0"]);
    assert_eq!(served.produce("a"), 0, "without a restart");
    assert_eq!(served.read("a"), ["a0", "a3"]);
}

#[tokio::test]
async fn a_data_directory_of_a_newer_version_is_left_alone() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("format"), "99\n").unwrap();
    let refusal = Broker::start(config(&dir)).await.unwrap_err();
    assert!(matches!(refusal, BrokerError::NewerFormat { found: 99, .. }), "{refusal}");
    assert!(!dir.path().join("journal").exists());
}
