//! Transactions through crashes and full disks.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::config::BrokerConfig;
use crate::disk::{Operation, faults};
use crate::journal::record::{Committed, TopicRecord};
use crate::log::batch::BatchHeader;
use crate::log::tests::transactional_batch;
use crate::partition::{Isolation, Partition};
use crate::syncer::{SyncQueue, Syncer};

/// The parts that a transaction needs.
struct Parts {
    topics: Arc<Topics>,
    journal: Arc<Journal>,
    transactions: Arc<Transactions>,
    _syncer: Syncer,
}

impl Parts {
    /// Opens what is in the directory; topic `t` is there, with two partitions.
    async fn open(dir: &Path) -> Self {
        let config = BrokerConfig::new(dir);
        let journal = Arc::new(Journal::open(&dir.join("journal"), true, Arc::default()).unwrap());
        let queue = Arc::new(SyncQueue::default());
        let state = journal.read(Clone::clone);
        let topics = Topics::open(dir.join("topics"), Arc::clone(&queue), &config, &state).unwrap();
        if topics.get("t").is_none() {
            let record = TopicRecord { name: "t".into(), id: 1, partitions: 2, configs: BTreeMap::new() };
            let topic = topics.prepare(record.clone(), &config).unwrap();
            journal.commit(&[Record::Topic(record)]).await.unwrap();
            topics.publish(topic);
        }
        let topics = Arc::new(topics);
        let transactions = Transactions::recover(Arc::clone(&journal), Arc::clone(&topics), 2);
        let syncer = Syncer::start(queue, true, Arc::default()).unwrap();
        Self { topics, journal, transactions, _syncer: syncer }
    }

    fn partition(&self, index: i32) -> Arc<Partition> {
        self.topics.partition("t", index).unwrap()
    }

    async fn own(&self) -> Producer {
        self.transactions.own("tx", 60_000, None).await.unwrap()
    }

    async fn add(&self, producer: Producer, index: i32) -> Result<(), ResponseError> {
        self.transactions.add_partitions("tx", producer, vec![of(index)]).await
    }

    /// Writes a record inside a transaction, and waits until it is durable.
    async fn write(&self, producer: Producer, index: i32, sequence: i32) {
        self.add(producer, index).await.unwrap();
        let (partition, batch) = (self.partition(index), transactional_batch(producer, sequence));
        let placed = partition.append(BatchHeader::read_whole(&batch).unwrap(), &batch, 1 << 20).unwrap();
        partition.durable(placed.next_offset).await.unwrap();
    }

    fn last_stable(&self, index: i32) -> i64 {
        self.partition(index).readable(0, Isolation::ReadCommitted).unwrap().offsets.last_stable
    }
}

fn of(partition: i32) -> PartitionName {
    PartitionName { topic: "t".into(), partition }
}

/// What a killed process leaves behind.
fn killed(dir: &Path) -> TempDir {
    let left = TempDir::new().unwrap();
    copy(dir, left.path());
    left
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn directory_of(dir: &Path, index: i32) -> std::path::PathBuf {
    dir.join("topics/t@1").join(index.to_string())
}

#[tokio::test]
async fn offsets_that_a_transaction_was_promised_outlive_a_kill() {
    let dir = TempDir::new().unwrap();
    let parts = Parts::open(dir.path()).await;
    let producer = parts.own().await;
    parts.add(producer, 0).await.unwrap();
    parts.transactions.add_group("tx", producer, "g").await.unwrap();
    let committed = Committed { offset: 42, leader_epoch: -1, metadata: None };
    let offsets = vec![OffsetRecord { of: of(0), committed }];
    parts.transactions.pend_offsets("tx", producer, "g", offsets).await.unwrap();

    let left = killed(dir.path());
    let parts = Parts::open(left.path()).await;
    parts.transactions.end("tx", producer, true).await.unwrap();
    assert_eq!(parts.journal.read(|state| state.groups["g"][&of(0)].offset), 42);
}

#[tokio::test]
async fn nothing_is_promised_to_a_transaction_that_the_journal_does_not_have() {
    for step in 0..3 {
        let dir = TempDir::new().unwrap();
        let parts = Parts::open(dir.path()).await;
        let producer = parts.own().await;
        let fail = |at| {
            if at == step {
                faults::fail(&dir.path().join("journal"), Operation::Sync, ErrorKind::Other, 1);
            }
        };
        fail(0);
        let mut promised = vec![parts.add(producer, 0).await];
        fail(1);
        promised.push(parts.transactions.add_group("tx", producer, "g").await);
        fail(2);
        let committed = Committed { offset: 42, leader_epoch: -1, metadata: None };
        let offsets = vec![OffsetRecord { of: of(0), committed }];
        promised.push(parts.transactions.pend_offsets("tx", producer, "g", offsets).await);
        let expected = |at| if at < step { Ok(()) } else { Err(ResponseError::KafkaStorageError) };
        assert_eq!(promised, (0..3).map(expected).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_marker_that_found_no_room_is_written_before_the_next_transaction_begins() {
    let dir = TempDir::new().unwrap();
    let parts = Parts::open(dir.path()).await;
    let producer = parts.own().await;
    parts.write(producer, 0, 0).await;
    parts.write(producer, 1, 0).await;
    faults::fail(&directory_of(dir.path(), 1), Operation::Append, ErrorKind::StorageFull, 1);
    parts.transactions.end("tx", producer, true).await.unwrap();
    assert_eq!(parts.add(producer, 0).await, Err(ResponseError::ConcurrentTransactions));
    assert_eq!(parts.journal.read(|state| state.decisions.len()), 1);
    parts.partition(1).durable(2).await.unwrap();
    assert_eq!((parts.last_stable(0), parts.last_stable(1)), (2, 2));
    parts.add(producer, 0).await.unwrap();
}

#[tokio::test]
async fn a_marker_that_was_refused_until_the_end_is_written_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let parts = Parts::open(dir.path()).await;
    let producer = parts.own().await;
    parts.write(producer, 0, 0).await;
    parts.write(producer, 1, 0).await;
    faults::fail(&directory_of(dir.path(), 1), Operation::Append, ErrorKind::StorageFull, usize::MAX);
    parts.transactions.end("tx", producer, true).await.unwrap();
    parts.partition(0).durable(2).await.unwrap();
    assert_eq!(parts.last_stable(1), 0);

    let left = killed(dir.path());
    faults::heal(&directory_of(dir.path(), 1));
    let parts = Parts::open(left.path()).await;
    parts.partition(1).durable(2).await.unwrap();
    assert_eq!(parts.last_stable(1), 2);
    assert!(parts.partition(1).readable(0, Isolation::ReadCommitted).unwrap().aborted.is_empty());
}

#[tokio::test]
async fn a_decision_is_kept_for_a_partition_whose_disk_failed() {
    let dir = TempDir::new().unwrap();
    let parts = Parts::open(dir.path()).await;
    let producer = parts.own().await;
    parts.write(producer, 0, 0).await;
    parts.write(producer, 1, 0).await;
    parts.partition(1).storage_failed("sync", &ErrorKind::Other.into());
    parts.transactions.end("tx", producer, true).await.unwrap();
    parts.partition(0).durable(2).await.unwrap();
    parts.add(producer, 0).await.unwrap(); // others go on
    parts.journal.durable_so_far().await.unwrap();
    assert_eq!(parts.journal.read(|state| state.decisions.len()), 1);

    let left = killed(dir.path());
    let parts = Parts::open(left.path()).await;
    parts.partition(1).durable(2).await.unwrap();
    assert_eq!(parts.last_stable(1), 2);
}

#[tokio::test]
async fn transactional_ids_are_bounded() {
    let dir = TempDir::new().unwrap();
    let parts = Parts::open(dir.path()).await;
    parts.own().await;
    parts.transactions.own("second", 60_000, None).await.unwrap();
    let refused = parts.transactions.own("third", 60_000, None).await;
    assert_eq!(refused, Err(ResponseError::PolicyViolation));
    parts.own().await;
}

#[tokio::test]
async fn a_producer_that_did_not_hear_of_its_epoch_is_told_again() {
    let dir = TempDir::new().unwrap();
    let parts = Parts::open(dir.path()).await;
    let first = parts.own().await;
    let claim = async |parts: &Parts, believed| parts.transactions.own("tx", 60_000, Some(believed)).await;
    let second = claim(&parts, first).await.unwrap();
    assert_eq!(claim(&parts, first).await, Ok(second));

    let left = killed(dir.path());
    let parts = Parts::open(left.path()).await;
    assert_eq!(claim(&parts, first).await, Ok(second));
    // Once the epoch is in use, who comes with the former one is someone else.
    parts.add(second, 0).await.unwrap();
    assert_eq!(claim(&parts, first).await, Err(ResponseError::ProducerFenced));
    let heir = parts.own().await;
    assert_eq!(claim(&parts, second).await, Err(ResponseError::ProducerFenced));
    parts.add(heir, 0).await.unwrap();
}

#[tokio::test]
async fn a_producer_whose_transaction_took_too_long_may_go_on() {
    let dir = TempDir::new().unwrap();
    let parts = Parts::open(dir.path()).await;
    let slow = parts.transactions.own("tx", 1, None).await.unwrap();
    parts.write(slow, 0, 0).await;
    let watch = tokio::spawn(Arc::clone(&parts.transactions).watch_timeouts());
    parts.partition(0).durable(2).await.unwrap();
    watch.abort();
    let late = parts.transactions.end("tx", slow, true).await;
    assert_eq!(late, Err(ResponseError::InvalidProducerIdMapping), "not fatal, unlike a fenced epoch");
    let again = parts.transactions.own("tx", 60_000, Some(slow)).await.unwrap();
    parts.write(again, 0, 0).await;
    parts.transactions.end("tx", again, true).await.unwrap();
    parts.partition(0).durable(4).await.unwrap();
    let readable = parts.partition(0).readable(0, Isolation::ReadCommitted).unwrap();
    assert_eq!((readable.offsets.last_stable, readable.aborted.len()), (4, 1));
}
