//! A log is opened after anything that may have happened to its last segment.

use std::path::Path;

use bytes::BytesMut;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::log::retention::Retention;

const SEGMENT_BYTES: u64 = 2000;

/// An uncompressed batch without a producer; its records are opaque to the log.
pub(crate) fn batch(records: i32, body_bytes: usize) -> Vec<u8> {
    let mut batch = BytesMut::zeroed(batch::HEADER_BYTES + body_bytes);
    let length = (batch.len() - 12) as u32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    batch[23..27].copy_from_slice(&(records - 1).to_be_bytes());
    batch[43..51].copy_from_slice(&(-1_i64).to_be_bytes());
    batch[57..61].copy_from_slice(&records.to_be_bytes());
    sealed(batch.to_vec())
}

/// One record of a transaction.
pub(crate) fn transactional_batch(producer: Producer, sequence: i32) -> Vec<u8> {
    let mut batch = batch(1, 10);
    batch[22] = 0x10;
    batch[43..51].copy_from_slice(&producer.id.to_be_bytes());
    batch[51..53].copy_from_slice(&producer.epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&sequence.to_be_bytes());
    sealed(batch)
}

fn sealed(mut batch: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn append(log: &mut Log, batch: &[u8]) -> Placed {
    log.append(BatchHeader::read_whole(batch).unwrap(), batch, SEGMENT_BYTES).unwrap()
}

/// The base offsets of all batches that a reader finds.
fn base_offsets(log: &Log) -> Vec<i64> {
    let mut found = Vec::new();
    let mut from = log.start_offset();
    while let Some(slice) = log.slice(from, log.end_offset()).unwrap() {
        let read = slice.read(1, true).unwrap();
        let header = BatchHeader::read_whole(&read).unwrap();
        found.push(header.base_offset);
        from = header.next_offset();
    }
    found
}

fn newest_segment(dir: &Path) -> PathBuf {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.max().unwrap()
}

#[test]
fn batches_are_found_across_segments_and_after_reopening() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    for _ in 0..50 {
        append(&mut log, &batch(3, 200));
    }
    let expected: Vec<_> = (0..50).map(|index| index * 3).collect();
    assert_eq!(base_offsets(&log), expected);
    assert_eq!(base_offsets(&Log::open(dir.path(), 0).unwrap()), expected);
}

#[test]
fn a_read_keeps_to_its_limits_but_gives_at_least_one_batch() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    let one = batch(1, 100);
    for _ in 0..10 {
        append(&mut log, &one);
    }
    let slice = log.slice(2, 8).unwrap().unwrap();
    assert_eq!(slice.read(usize::MAX / 2, false).unwrap().len(), 6 * one.len());
    assert_eq!(slice.read(2 * one.len() + 5, false).unwrap().len(), 2 * one.len());
    assert_eq!(slice.read(5, true).unwrap().len(), one.len());
    assert_eq!(slice.read(5, false).unwrap().len(), 0);
}

#[test]
fn deleting_everything_remembers_the_end() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    for _ in 0..30 {
        append(&mut log, &batch(1, 200));
    }
    let everything = Retention { age_ms: 0, bytes: -1 };
    assert!(log.retain(everything, i64::MAX, 30).unwrap() > 1);
    assert_eq!((log.start_offset(), log.end_offset(), log.bytes()), (30, 30, 0));
    let log = Log::open(dir.path(), 0).unwrap();
    assert_eq!((log.start_offset(), log.end_offset()), (30, 30));
}

#[test]
fn what_an_open_transaction_may_need_is_kept() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    for _ in 0..30 {
        append(&mut log, &batch(1, 200));
    }
    log.retain(Retention { age_ms: 0, bytes: -1 }, i64::MAX, 10).unwrap();
    assert!(log.start_offset() <= 10);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn recovery_keeps_whole_batches_and_goes_on(
        sizes in prop::collection::vec((1..5_i32, 0..400_usize), 1..20),
        cut in any::<prop::sample::Index>(),
        flip in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let dir = TempDir::new().unwrap();
        let mut log = Log::open(dir.path(), 0).unwrap();
        for &(records, bytes) in &sizes {
            append(&mut log, &batch(records, bytes));
        }
        let before = base_offsets(&log);
        drop(log);
        let path = newest_segment(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Some(flip) = flip && !bytes.is_empty() {
            let at = flip.index(bytes.len());
            bytes[at] ^= 0x40;
        }
        std::fs::write(&path, &bytes).unwrap();

        let mut log = Log::open(dir.path(), 0).unwrap();
        let after = base_offsets(&log);
        prop_assert_eq!(&after[..], &before[..after.len()]);
        let placed = append(&mut log, &batch(1, 10));
        let mut expected = after;
        expected.push(placed.base_offset);
        prop_assert_eq!(base_offsets(&log), expected.clone());
        prop_assert_eq!(base_offsets(&Log::open(dir.path(), 0).unwrap()), expected);
    }
}
