//! A log is opened after anything that may have happened to its last segment.

use std::path::Path;

use bytes::BytesMut;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::log::retention::Retention;

mod flips;
mod restarts;
mod told;

const SEGMENT_BYTES: u64 = 2000;

/// An uncompressed batch without a producer; its records are opaque to the log.
pub(crate) fn batch(records: i32, body_bytes: usize) -> Vec<u8> {
    batch_of(records, &vec![0; body_bytes])
}

pub(crate) fn batch_of(records: i32, body: &[u8]) -> Vec<u8> {
    let mut batch = BytesMut::zeroed(batch::HEADER_BYTES);
    batch.extend_from_slice(body);
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
    files(dir, "log").pop().unwrap()
}

/// Says that everything up to here is known to be on the disk.
fn checkpoint(log: &mut Log) {
    std::mem::take(&mut log.unsynced).sync().unwrap();
    if let Some(snapshot) = log.last_snapshot() {
        snapshot.write().unwrap();
    }
}

/// The files with this extension, sorted.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    files.sort();
    files
}

/// Ten records in as many batches, in one segment; everything below `synced` is known to be on the disk.
fn ten_batches(dir: &Path, synced: i64) {
    let mut log = Log::open(dir, 0).unwrap();
    for offset in 0..10 {
        if offset == synced {
            checkpoint(&mut log);
        }
        append(&mut log, &batch(1, 20));
    }
    if synced == 10 {
        checkpoint(&mut log);
    }
}

/// Flips a bit in the body of the batch at an offset of [`ten_batches`].
fn flip(dir: &Path, offset: usize) {
    let path = &files(dir, "log")[0];
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset * 81 + 70] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

/// What a reader gets of a log until it meets damage, and what it is told then.
fn read_until_damage(dir: &Path) -> (Vec<i64>, String) {
    let log = Log::open(dir, 0).unwrap();
    let (mut found, mut from) = (Vec::new(), log.start_offset());
    loop {
        match log.slice(from, log.end_offset()).unwrap().unwrap().read(1, true) {
            Ok(batch) => {
                let header = BatchHeader::read_whole(&batch).unwrap();
                found.push(header.base_offset);
                from = header.next_offset();
            }
            Err(damage) => return (found, damage.to_string()),
        }
    }
}

#[test]
fn a_bad_batch_is_not_served_and_the_next_start_takes_it_out() {
    let dir = TempDir::new().unwrap();
    ten_batches(dir.path(), 10);
    flip(dir.path(), 3);
    flip(dir.path(), 7);
    let (found, told) = read_until_damage(dir.path());
    assert_eq!(found, [0, 1, 2]);
    let expected = format!("{:020}.log is damaged at byte {}, offset 3: batch checksum", 0, 3 * 81);
    assert!(told.contains(&expected), "{told}");
    let expected = [0, 1, 2, 4, 5, 6, 8, 9];
    let mut log = Log::open(dir.path(), 0).unwrap();
    assert_eq!(base_offsets(&log), expected);
    assert_eq!(append(&mut log, &batch(1, 20)).base_offset, 10);
    drop(log);
    assert_eq!(files(dir.path(), "cut").len(), 2, "the bad bytes are kept");
    assert_eq!(base_offsets(&Log::open(dir.path(), 0).unwrap()), [&expected[..], &[10]].concat());
}

#[test]
fn an_offset_that_was_synced_is_not_given_away_again() {
    let dir = TempDir::new().unwrap();
    ten_batches(dir.path(), 10);
    flip(dir.path(), 9);
    assert_eq!(read_until_damage(dir.path()).0.len(), 9);
    let mut log = Log::open(dir.path(), 0).unwrap();
    assert_eq!(append(&mut log, &batch(1, 20)).base_offset, 10);
    drop(log);
    let log = Log::open(dir.path(), 0).unwrap();
    assert_eq!(base_offsets(&log), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let in_its_place = log.slice(9, 10).unwrap().unwrap().read(1, true).unwrap();
    assert_eq!(BatchHeader::read_whole(&in_its_place).unwrap().record_count, 0);
}

#[test]
fn what_a_crash_has_torn_is_cut_off_and_kept_beside_the_log() {
    let dir = TempDir::new().unwrap();
    ten_batches(dir.path(), 5);
    flip(dir.path(), 7);
    let log = Log::open(dir.path(), 0).unwrap();
    assert_eq!(base_offsets(&log), [0, 1, 2, 3, 4, 5, 6]);
    let cut = files(dir.path(), "cut");
    assert_eq!(std::fs::metadata(&cut[0]).unwrap().len(), 3 * 81);
}

#[test]
fn a_crash_right_after_a_roll_may_tear_the_segment_before_the_last() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    while log.segments.len() < 3 {
        append(&mut log, &batch(1, 200));
    }
    drop(log);
    let segments = files(dir.path(), "log");
    let torn = std::fs::read(&segments[1]).unwrap();
    std::fs::write(&segments[1], &torn[..torn.len() - 10]).unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    let expected: Vec<_> = (0..log.end_offset()).collect();
    assert_eq!(base_offsets(&log), expected);
    append(&mut log, &batch(1, 200));
    drop(log);
    assert_eq!(
        base_offsets(&Log::open(dir.path(), 0).unwrap()),
        [&expected[..], &[expected.len() as i64]].concat()
    );
}

#[test]
fn records_after_a_gap_are_there_after_every_restart() {
    let dir = TempDir::new().unwrap();
    ten_batches(dir.path(), 0);
    // Records up to 20 were deleted on request, but a crash cut the log at 10.
    let mut log = Log::open(dir.path(), 20).unwrap();
    assert_eq!(append(&mut log, &batch(1, 20)).base_offset, 20);
    drop(log);
    for _ in 0..2 {
        assert_eq!(base_offsets(&Log::open(dir.path(), 20).unwrap()), [20]);
    }
}

#[test]
fn a_slow_topic_does_not_keep_its_records_for_ever() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    append(&mut log, &batch_at(crate::clock::now_ms()));
    let now = log.segments[0].file().times().unwrap().created_ms;
    for (age_ms, at, segments) in [(1000, 900, 1), (1000, 1100, 2), (-1, WEEK_MS + 1, 2)] {
        log.retain(Retention { age_ms, bytes: -1 }, now + at, 0, i64::MAX).unwrap();
        assert_eq!(log.segments.len(), segments, "after {at} ms");
    }
    append(&mut log, &batch_at(now));
    log.retain(Retention { age_ms: -1, bytes: -1 }, now + 2 * WEEK_MS, 0, i64::MAX).unwrap();
    assert_eq!((log.segments.len(), log.start_offset()), (3, 0));
    log.retain(Retention { age_ms: WEEK_MS, bytes: -1 }, now + 2 * WEEK_MS, 2, i64::MAX).unwrap();
    assert_eq!(log.start_offset(), 2);
}

const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// One record of that time.
fn batch_at(timestamp_ms: i64) -> Vec<u8> {
    let mut batch = batch(1, 20);
    batch[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
    sealed(batch)
}

#[test]
fn records_without_a_time_or_from_the_future_age_by_the_brokers_clock() {
    for timestamp in [-1, i64::MAX / 2] {
        let dir = TempDir::new().unwrap();
        let mut log = Log::open(dir.path(), 0).unwrap();
        append(&mut log, &batch_at(timestamp));
        let keep = Retention { age_ms: 1000, bytes: -1 };
        let now = log.segments[0].file().times().unwrap().modified_ms;
        log.retain(keep, now + 900, 1, i64::MAX).unwrap();
        assert_eq!(log.start_offset(), 0);
        log.retain(keep, now + 1100, 1, i64::MAX).unwrap();
        assert_eq!(log.start_offset(), 1);
    }
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
    assert!(log.retain(everything, i64::MAX, 30, i64::MAX).unwrap() > 1);
    assert_eq!((log.start_offset(), log.end_offset(), log.bytes()), (30, 30, 0));
    let log = Log::open(dir.path(), 0).unwrap();
    assert_eq!((log.start_offset(), log.end_offset()), (30, 30));
}

#[test]
fn a_reader_comes_across_what_is_there_again_after_everything_was_deleted() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    for _ in 0..30 {
        append(&mut log, &batch(1, 200));
    }
    let oldest = files(dir.path(), "log")[0].clone();
    let bytes = std::fs::read(&oldest).unwrap();
    log.delete_before(30).unwrap();
    drop(log);
    std::fs::write(oldest, bytes).unwrap(); // a power cut took back its deletion
    for _ in 0..2 {
        let log = Log::open(dir.path(), 0).unwrap();
        let last = *base_offsets(&log).last().unwrap();
        assert_eq!((log.start_offset(), log.end_offset()), (0, 30));
        assert!(last < 30 && log.segments[0].next_offset() == 30);
    }
}

#[test]
fn what_an_open_transaction_may_need_is_kept() {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    for _ in 0..30 {
        append(&mut log, &batch(1, 200));
    }
    log.retain(Retention { age_ms: 0, bytes: -1 }, i64::MAX, 10, i64::MAX).unwrap();
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
