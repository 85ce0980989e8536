//! What a partition promises when its disk does not keep up.

use std::io::ErrorKind;

use tempfile::TempDir;

use super::*;
use crate::disk::{Operation, faults};
use crate::log::checkpoint::Checkpoint;
use crate::log::retention::Retention;
use crate::log::tests::{batch, transactional_batch};
use crate::metrics::Counters;
use crate::syncer;

const SEGMENT_BYTES: u64 = 2000;

fn partition(dir: &TempDir) -> Arc<Partition> {
    Arc::new(Partition::open("t".into(), 0, dir.path(), 0, Arc::default()).unwrap())
}

fn append(partition: &Arc<Partition>, records: i32) -> Result<Placed, ResponseError> {
    let batch = batch(records, 700);
    partition.append(BatchHeader::read_whole(&batch).unwrap(), &batch, SEGMENT_BYTES)
}

fn sync(partition: &Partition) {
    syncer::sync(partition, true, &Counters::default());
}

#[tokio::test]
async fn what_a_failed_sync_lost_is_never_called_durable() {
    let dir = TempDir::new().unwrap();
    let partition = partition(&dir);
    append(&partition, 1).unwrap();
    sync(&partition);
    append(&partition, 1).unwrap();
    faults::fail(dir.path(), Operation::Sync, ErrorKind::Other, 1);
    sync(&partition);
    sync(&partition); // the disk says yes again, as Linux does
    assert_eq!(partition.durable(2).await, Err(ResponseError::KafkaStorageError));
    assert_eq!(append(&partition, 1), Err(ResponseError::KafkaStorageError));
    assert_eq!(offsets_read(&partition), [0], "what was durable before can still be read");
    assert_eq!(
        partition.retain(Retention { age_ms: 0, bytes: 0 }, i64::MAX),
        Err(ResponseError::KafkaStorageError)
    );
}

/// The base offsets of what a reader gets.
fn offsets_read(partition: &Partition) -> Vec<i64> {
    let readable = partition.readable(0, Isolation::ReadUncommitted).unwrap();
    let bytes = readable.slice.map_or_else(Vec::new, |slice| slice.read(1 << 20, true).unwrap().to_vec());
    let (mut left, mut offsets) = (bytes.as_slice(), Vec::new());
    while !left.is_empty() {
        let header = BatchHeader::read_whole(left).unwrap();
        offsets.push(header.base_offset);
        left = &left[header.total_bytes..];
    }
    offsets
}

#[tokio::test]
async fn a_batch_under_way_while_the_disk_fails_is_not_acknowledged() {
    let dir = TempDir::new().unwrap();
    let partition = partition(&dir);
    append(&partition, 1).unwrap();
    let (_, reached) = partition.take_unsynced();
    let end = reached.end_offset;
    partition.storage_failed("sync", &ErrorKind::Other.into());
    partition.publish(end);
    assert_eq!(partition.watermark.borrow().high, 0);
    assert_eq!(partition.durable(end).await, Err(ResponseError::KafkaStorageError));
}

#[tokio::test]
async fn a_failed_disk_is_told_even_to_who_waits_for_what_was_durable() {
    let dir = TempDir::new().unwrap();
    let partition = partition(&dir);
    append(&partition, 1).unwrap();
    sync(&partition);
    partition.storage_failed("sync", &ErrorKind::Other.into());
    assert_eq!(partition.durable(1).await, Err(ResponseError::KafkaStorageError));
}

#[tokio::test]
async fn a_full_disk_refuses_one_batch_and_not_the_partition() {
    let dir = TempDir::new().unwrap();
    let partition = partition(&dir);
    append(&partition, 1).unwrap();
    sync(&partition);
    faults::fail(dir.path(), Operation::Append, ErrorKind::StorageFull, 1);
    assert_eq!(append(&partition, 1), Err(ResponseError::KafkaStorageError));
    assert!(partition.readable(0, Isolation::ReadUncommitted).unwrap().slice.is_some());
    partition.retain(Retention { age_ms: -1, bytes: -1 }, i64::MAX).unwrap();
    assert_eq!(append(&partition, 1).unwrap().base_offset, 1);
    sync(&partition);
    partition.durable(2).await.unwrap();
}

#[test]
fn no_room_or_descriptor_for_a_new_segment_is_a_passing_trouble() {
    let dir = TempDir::new().unwrap();
    let partition = partition(&dir);
    append(&partition, 1).unwrap();
    append(&partition, 1).unwrap();
    faults::fail(dir.path(), Operation::Create, ErrorKind::Other, 1);
    assert_eq!(append(&partition, 1), Err(ResponseError::KafkaStorageError));
    assert_eq!(append(&partition, 1).unwrap().base_offset, 2);
}

#[test]
fn a_batch_that_can_neither_be_written_nor_cut_off_ends_the_partition() {
    let dir = TempDir::new().unwrap();
    let partition = partition(&dir);
    append(&partition, 1).unwrap();
    sync(&partition);
    let file = dir.path().join(format!("{:020}.log", 0));
    faults::fail(dir.path(), Operation::Append, ErrorKind::StorageFull, 1);
    faults::fail(dir.path(), Operation::Cut, ErrorKind::Other, 1);
    // Half of a batch, as a disk that fills up leaves it.
    std::io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).open(&file).unwrap(), &[7; 30])
        .unwrap();
    assert_eq!(append(&partition, 1), Err(ResponseError::KafkaStorageError));
    assert_eq!(append(&partition, 1), Err(ResponseError::KafkaStorageError));
    assert_eq!(offsets_read(&partition), [0]);
}

#[test]
fn deleting_past_an_open_transaction_leaves_nothing_to_wait_for_below_the_start() {
    let dir = TempDir::new().unwrap();
    let partition = partition(&dir);
    let batch = transactional_batch(Producer { id: 1, epoch: 0 }, 0);
    partition.append(BatchHeader::read_whole(&batch).unwrap(), &batch, SEGMENT_BYTES).unwrap();
    append(&partition, 4).unwrap();
    sync(&partition);
    assert_eq!(partition.offsets().unwrap().last_stable, 0);
    partition.delete_before(3).unwrap();
    let offsets = partition.offsets().unwrap();
    assert_eq!((offsets.log_start, offsets.last_stable), (3, 3));
}

#[test]
fn a_checkpoint_is_written_at_a_roll_and_at_the_end() {
    let dir = TempDir::new().unwrap();
    let partition = partition(&dir);
    let checkpoint = || Checkpoint::read(dir.path()).end_offset;
    append(&partition, 1).unwrap();
    sync(&partition);
    assert_eq!(checkpoint(), 0, "not for every batch");
    for _ in 0..3 {
        append(&partition, 1).unwrap();
    }
    sync(&partition);
    assert_eq!(checkpoint(), 4);
    append(&partition, 1).unwrap();
    sync(&partition);
    partition.close();
    assert_eq!(checkpoint(), 5);
}
