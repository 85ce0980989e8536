//! A topic is there when, and only when, a restart would know it.

use std::io::ErrorKind;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

use tempfile::TempDir;

use super::*;
use crate::disk::{Operation, faults};
use crate::error::BrokerError;

struct Parts {
    topics: Arc<Topics>,
    admin: TopicAdmin,
}

fn open(dir: &Path) -> Result<Parts, BrokerError> {
    let mut config = BrokerConfig::new(dir);
    (config.topics_max, config.partitions_max) = (3, 5);
    let config = Arc::new(config);
    let journal = Arc::new(Journal::open(&dir.join("journal"), true, Arc::default())?);
    let state = journal.read(Clone::clone);
    let topics = Arc::new(Topics::open(dir.join("topics"), Arc::default(), &config, &state)?);
    Ok(Parts { admin: TopicAdmin::new(config, journal, Arc::clone(&topics)), topics })
}

fn new(name: &str) -> NewTopic {
    NewTopic { name: name.into(), partitions: Some(2), configs: BTreeMap::new() }
}

#[tokio::test]
async fn a_topic_that_is_not_durable_is_not_visible() {
    let dir = TempDir::new().unwrap();
    let parts = open(dir.path()).unwrap();
    faults::fail(&dir.path().join("journal"), Operation::Sync, ErrorKind::Other, 1);
    let refusal = parts.admin.create(new("t"), false).await.unwrap_err();
    assert_eq!(refusal.error, ResponseError::KafkaStorageError);
    assert!(parts.topics.get("t").is_none());
}

#[tokio::test]
async fn a_change_goes_on_when_its_client_hangs_up() {
    let dir = TempDir::new().unwrap();
    let parts = open(dir.path()).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    drop(pin!(parts.admin.create(new("t"), false)).as_mut().poll(&mut context));
    drop(parts.admin.turn().await);
    assert!(parts.topics.get("t").is_some());
    drop(pin!(parts.admin.delete("t")).as_mut().poll(&mut context));
    drop(parts.admin.turn().await);
    assert!(parts.topics.get("t").is_none());
    assert!(!dir.path().join("topics/t@1").exists());
}

#[tokio::test]
async fn what_the_journal_does_not_know_is_moved_aside_and_kept() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()).unwrap());
    for round in 0..2 {
        std::fs::create_dir_all(dir.path().join("topics/stranger@7/0")).unwrap();
        std::fs::write(dir.path().join("topics/stranger@7/0/00.log"), [round]).unwrap();
        drop(open(dir.path()).unwrap());
    }
    let kept = |name: &str| std::fs::read(dir.path().join("removed").join(name).join("0/00.log")).unwrap();
    assert_eq!((kept("stranger@7"), kept("stranger@7.1")), (vec![0], vec![1]));
}

#[tokio::test]
async fn a_missing_partition_is_told_and_not_made_anew() {
    let dir = TempDir::new().unwrap();
    let parts = open(dir.path()).unwrap();
    parts.admin.create(new("t"), false).await.unwrap();
    drop(parts);
    std::fs::remove_dir_all(dir.path().join("topics/t@1/1")).unwrap();
    let refusal = open(dir.path()).err().unwrap().to_string();
    assert!(refusal.contains("t@1/1 is missing"), "{refusal}");
}

#[tokio::test]
async fn topics_and_partitions_are_bounded() {
    let dir = TempDir::new().unwrap();
    let parts = open(dir.path()).unwrap();
    parts.admin.create(new("a"), false).await.unwrap();
    parts.admin.create(new("b"), false).await.unwrap();
    let refused = |refusal: Result<i32, Refusal>| refusal.unwrap_err().error;
    assert_eq!(refused(parts.admin.create(new("c"), false).await), ResponseError::PolicyViolation);
    let one = |name: &str| NewTopic { partitions: Some(1), ..new(name) };
    parts.admin.create(one("c"), false).await.unwrap();
    assert_eq!(refused(parts.admin.create(one("d"), false).await), ResponseError::PolicyViolation);
    let refusal = parts.admin.extend("a", 3, false).await.unwrap_err();
    assert_eq!(refusal.error, ResponseError::PolicyViolation);
}
