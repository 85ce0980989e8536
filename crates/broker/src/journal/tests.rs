//! The journal says after a restart what it said before, whatever was torn.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::record::*;
use super::writer::REWRITE_FROM_BYTES;
use super::*;
use crate::disk::{Operation, faults};

fn of(partition: i32) -> PartitionName {
    PartitionName { topic: "t".into(), partition }
}

fn offset(partition: i32, offset: i64) -> OffsetRecord {
    OffsetRecord { of: of(partition), committed: Committed { offset, leader_epoch: -1, metadata: None } }
}

fn decision(id: u64, commit: bool) -> Decision {
    let markers = vec![Mark { of: of(0), first_offset: 5 }];
    Decision { id, transactional_id: "tx".into(), producer_id: 1, epoch: 0, commit, markers }
}

/// A life: a topic, a committed and an open transaction, a decision that is not completed.
pub(crate) fn life() -> Vec<Record> {
    let topic = TopicRecord { name: "t".into(), id: 1, partitions: 3, configs: BTreeMap::new() };
    let owner = ProducerRecord {
        transactional_id: "tx".into(),
        producer_id: 1,
        epoch: 0,
        timeout_ms: 1000,
        former: None,
    };
    let pend = |at| Record::OffsetsPending {
        transactional_id: "tx".into(),
        began_at_ms: 7,
        group: "g".into(),
        offsets: vec![offset(0, at)],
    };
    let add =
        || Record::PartitionsAdded { transactional_id: "tx".into(), began_at_ms: 7, partitions: vec![of(0)] };
    vec![
        Record::Cluster { id: "c".into() },
        Record::Topic(topic),
        Record::ProducerIdsReserved { until: 1000 },
        Record::Producer(owner),
        add(),
        pend(10),
        Record::Decided(decision(1, true)),
        add(),
        pend(20),
        Record::Offsets { group: "other".into(), offsets: vec![offset(1, 3), offset(2, 4)] },
        Record::OffsetsDeleted { group: "other".into(), partitions: vec![of(2)] },
        log_start(1, 2),
    ]
}

fn log_start(topic_id: u64, offset: i64) -> Record {
    Record::LogStart { topic: "t".into(), topic_id: Some(topic_id), partition: 1, offset }
}

#[test]
fn a_log_start_never_goes_back_and_is_not_the_namesakes() {
    let mut records = life();
    records.extend([log_start(1, 9), log_start(1, 4)]);
    assert_eq!(amounts_to(&records).log_starts[&of(1)], 9);
    records.push(Record::TopicDeleted { name: "t".into() });
    let topic = TopicRecord { name: "t".into(), id: 2, partitions: 3, configs: BTreeMap::new() };
    records.extend([Record::Topic(topic), log_start(1, 12)]);
    assert!(amounts_to(&records).log_starts.is_empty());
}

#[test]
fn offsets_of_a_deleted_topic_are_not_committed_into_its_namesake() {
    let mut records = life();
    records.push(Record::TopicDeleted { name: "t".into() });
    let topic = TopicRecord { name: "t".into(), id: 2, partitions: 3, configs: BTreeMap::new() };
    records.extend([Record::Topic(topic), Record::Decided(decision(2, true))]);
    let state = amounts_to(&records);
    assert!(state.groups.is_empty(), "{:?}", state.groups);
}

fn amounts_to(records: &[Record]) -> State {
    let mut state = State::default();
    records.iter().for_each(|record| state.apply(record));
    state
}

#[test]
fn offsets_are_the_groups_when_and_only_when_the_transaction_commits() {
    let state = amounts_to(&life());
    assert_eq!(state.groups["g"][&of(0)].offset, 10);
    let mut aborted = life();
    aborted.push(Record::Decided(decision(2, false)));
    assert_eq!(amounts_to(&aborted).groups["g"][&of(0)].offset, 10);
    let mut committed = life();
    committed.push(Record::Decided(decision(2, true)));
    assert_eq!(amounts_to(&committed).groups["g"][&of(0)].offset, 20);
}

#[test]
fn compaction_loses_nothing() {
    let state = amounts_to(&life());
    assert_eq!(amounts_to(&state.to_records()), state);
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    let mut records = life();
    records.push(Record::TopicDeleted { name: "t".into() });
    let state = amounts_to(&records);
    assert!(state.topics.is_empty() && state.groups.is_empty() && state.log_starts.is_empty());
}

#[tokio::test]
async fn what_was_waited_for_is_read_again() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal");
    let journal = Journal::open(&path, true, Arc::default()).unwrap();
    journal.commit(&life()).await.unwrap();
    drop(journal);
    let journal = Journal::open(&path, true, Arc::default()).unwrap();
    assert_eq!(journal.read(Clone::clone), amounts_to(&life()));
}

/// The bytes of [`life`], after something happened to them.
fn damaged(damage: impl FnOnce(&mut Vec<u8>)) -> Result<State, BrokerError> {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal");
    let mut bytes = file::encode_all(&life());
    damage(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    file::load(&path)
}

fn last_frame(bytes: &[u8]) -> usize {
    bytes.len() - file::encode_all(&life()[life().len() - 1..]).len()
}

#[test]
fn a_flipped_bit_in_the_middle_is_told_and_not_cut() {
    for at in [0, 5, 20] {
        let refusal = damaged(|bytes| bytes[at] ^= 0x10).unwrap_err().to_string();
        assert!(refusal.contains("/journal") && refusal.contains("truncate --size 0"), "{refusal}");
    }
}

#[test]
fn what_was_not_synced_is_cut_from_its_first_torn_record_on() {
    let first = file::encode_all(&life()[..1]).len();
    let left = damaged(|bytes| bytes[first + 20] ^= 0x10).unwrap();
    assert_eq!(left, amounts_to(&life()[..1]));
}

#[test]
fn what_was_synced_is_not_cut_though_nothing_but_that_is_said_behind_it() {
    let refusal = damaged(|bytes| {
        let (last, synced) = (last_frame(bytes), bytes.len() as u64);
        file::encode(&Record::Synced { bytes: synced }, bytes);
        bytes[last + 20] ^= 0x10;
    });
    assert!(refusal.unwrap_err().to_string().contains("though it was synced"));
}

#[test]
fn a_rewritten_journal_begins_with_how_much_of_it_is_synced() {
    for name_bytes in 1..200 {
        let state = State { cluster_id: Some("x".repeat(name_bytes)), ..State::default() };
        let bytes = file::encode_state(&state);
        let (first, _) = file::decode(&bytes).unwrap();
        assert_eq!(first, Record::Synced { bytes: bytes.len() as u64 });
    }
}

#[tokio::test]
async fn a_closed_journal_says_that_all_of_it_is_synced() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal");
    let journal = Journal::open(&path, true, Arc::default()).unwrap();
    journal.commit(&life()).await.unwrap();
    drop(journal);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 80;
    bytes[last] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    assert!(file::load(&path).unwrap_err().to_string().contains("though it was synced"));
}

#[test]
fn a_record_of_a_newer_version_is_told_and_not_cut() {
    let refusal = damaged(|bytes| {
        let body = br#"{"Invented":{}}"#;
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
        bytes.extend_from_slice(body);
    });
    assert!(refusal.unwrap_err().to_string().contains("newer version"));
}

#[test]
fn a_torn_last_record_is_cut_off_whatever_is_left_of_it() {
    let before = amounts_to(&life()[..life().len() - 1]);
    let zeroed = damaged(|bytes| {
        let at = last_frame(bytes);
        bytes[at..].fill(0);
    });
    assert_eq!(zeroed.unwrap(), before);
    let flipped = damaged(|bytes| {
        let at = bytes.len() - 3;
        bytes[at] ^= 1;
    });
    assert_eq!(flipped.unwrap(), before);
}

#[test]
fn what_is_cut_off_the_end_is_kept_beside_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal");
    let mut bytes = file::encode_all(&life());
    bytes.extend_from_slice(b"half a rec");
    std::fs::write(&path, bytes).unwrap();
    file::load(&path).unwrap();
    assert_eq!(std::fs::read(dir.path().join("journal.cut")).unwrap(), b"half a rec");
}

#[tokio::test]
async fn a_full_disk_delays_the_journal_and_does_not_end_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal");
    let journal = Journal::open(&path, true, Arc::default()).unwrap();
    faults::fail(dir.path(), Operation::Append, io::ErrorKind::StorageFull, 1);
    journal.commit(&life()).await.unwrap();
    drop(journal);
    assert_eq!(file::load(&path).unwrap(), amounts_to(&life()));
}

#[tokio::test]
async fn a_rewrite_that_finds_no_room_leaves_the_journal_as_it_was() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal");
    let journal = Journal::open(&path, true, Arc::default()).unwrap();
    journal.commit(&life()).await.unwrap();
    faults::fail(dir.path(), Operation::Create, io::ErrorKind::StorageFull, 1);
    let large = "x".repeat(REWRITE_FROM_BYTES as usize);
    journal.commit(&[Record::GroupDeleted { group: large }]).await.unwrap();
    journal.commit(&[Record::ProducerIdsReserved { until: 7000 }]).await.unwrap();
    drop(journal);
    assert_eq!(file::load(&path).unwrap().producer_ids_until, 7000);
}

#[tokio::test]
async fn a_journal_whose_sync_failed_promises_nothing_more() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(&dir.path().join("journal"), true, Arc::default()).unwrap();
    faults::fail(dir.path(), Operation::Sync, io::ErrorKind::Other, 1);
    assert!(journal.commit(&life()).await.is_err());
    assert!(journal.commit(&life()).await.is_err());
    assert!(journal.has_failed());
}

proptest! {
    #[test]
    fn a_cut_journal_keeps_a_prefix(cut in any::<prop::sample::Index>()) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("journal");
        let bytes = file::encode_all(&life());
        let first = file::encode_all(&life()[..1]).len(); // synced before the journal had its name
        std::fs::write(&path, &bytes[..first + cut.index(bytes.len() - first + 1)]).unwrap();
        let state = file::load(&path).unwrap();
        let is_prefix = |count| amounts_to(&life()[..count]) == state;
        prop_assert!((0..=life().len()).any(is_prefix));
    }

    #[test]
    fn random_bytes_are_never_a_record(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(file::decode(&bytes).is_err());
    }
}
