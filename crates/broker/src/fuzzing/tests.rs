//! Arbitrary bytes, and valid ones to which something happened, at every door.

use bytes::BytesMut;
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::Encodable;
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

use super::*;
use crate::api::APIS;
use crate::journal::encode_records;
use crate::journal::tests::life;
use crate::log::tests::{batch as valid_batch, transactional_batch};
use crate::shape::tests::filled;

/// What may happen to bytes on their way.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Put(Index, u8),
    Cut(Index),
    Drop(Index),
    Repeat(Index, u8),
    Insert(Index, Vec<u8>),
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let one = prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (any::<Index>(), prop_oneof![Just(0), Just(0x7f), Just(0x80), Just(0xff)])
            .prop_map(|(at, byte)| Mutation::Put(at, byte)),
        any::<Index>().prop_map(Mutation::Cut),
        any::<Index>().prop_map(Mutation::Drop),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Mutation::Repeat(at, count)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
    ];
    prop::collection::vec(one, 0..4)
}

fn mutated(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        if bytes.is_empty() {
            return bytes;
        }
        let length = bytes.len();
        match mutation {
            Mutation::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Mutation::Put(at, byte) => bytes[at.index(length)] = *byte,
            Mutation::Cut(at) => bytes.truncate(at.index(length)),
            Mutation::Drop(at) => drop(bytes.remove(at.index(length))),
            Mutation::Repeat(at, count) => {
                let from = at.index(length);
                let again = bytes[from..length.min(from + usize::from(*count))].to_vec();
                bytes.splice(from..from, again);
            }
            Mutation::Insert(at, inserted) => {
                let from = at.index(length);
                bytes.splice(from..from, inserted.iter().copied());
            }
        }
    }
    bytes
}

/// A request of some kind and version, with something in every array.
fn valid_request(kind: Index, version: Index) -> Vec<u8> {
    let api = &APIS[kind.index(APIS.len())];
    let version = api.min + version.index((api.max - api.min + 1) as usize) as i16;
    let header =
        RequestHeader::default().with_request_api_key(api.key as i16).with_request_api_version(version);
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes, api.key.request_header_version(version)).unwrap();
    if crate::api::find(api.key as i16, version).is_some() {
        bytes.extend_from_slice(&filled(api.key, version));
    }
    bytes.to_vec()
}

/// The files of a log with an index and a checkpoint, as [`log_recovery`] takes them.
fn valid_log(batches: &[(i32, usize)]) -> Vec<u8> {
    let dir = TempDir::new().unwrap();
    let mut log = Log::open(dir.path(), 0).unwrap();
    let mut append = |batch: Vec<u8>| {
        log.append(BatchHeader::read_whole(&batch).unwrap(), &batch, u64::MAX).unwrap();
    };
    for &(records, body_bytes) in batches {
        append(valid_batch(records, body_bytes));
    }
    append(transactional_batch(marker::Producer { id: 7, epoch: 0 }, 0));
    drop(log);
    drop(Log::open(dir.path(), 0).unwrap()); // writes a checkpoint
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let (index, checkpoint) = (read("00000000000000000000.index"), read("checkpoint"));
    let head = [2 | 8, index.len() as u8, checkpoint.len() as u8];
    [&head[..], &index, &checkpoint, &read("00000000000000000000.log")].concat()
}

fn log_at_the_door(bytes: &[u8]) {
    log_recovery(TempDir::new().unwrap().path(), bytes);
}

fn journal_at_the_door(bytes: &[u8]) {
    journal_recovery(TempDir::new().unwrap().path(), bytes);
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_a_request_or_refused(bytes in anything()) {
        request(&bytes);
    }

    #[test]
    fn almost_a_request_is_a_request_or_refused(
        kind in any::<Index>(),
        version in any::<Index>(),
        mutations in mutations(),
    ) {
        request(&mutated(valid_request(kind, version), &mutations));
    }

    #[test]
    fn arbitrary_bytes_are_a_batch_or_refused(bytes in anything()) {
        batch(&bytes);
    }

    #[test]
    fn almost_a_batch_is_a_batch_or_refused(
        records in 1..9_i32,
        body in prop::collection::vec(any::<u8>(), 0..200),
        mutations in mutations(),
    ) {
        batch(&mutated(crate::log::tests::batch_of(records, &body), &mutations));
    }

    #[test]
    fn arbitrary_bytes_on_the_disk_are_a_log(bytes in anything()) {
        log_at_the_door(&bytes);
    }

    #[test]
    fn almost_a_log_is_a_log(
        batches in prop::collection::vec((1..5_i32, 0..300_usize), 0..6),
        mutations in mutations(),
    ) {
        log_at_the_door(&mutated(valid_log(&batches), &mutations));
    }

    #[test]
    fn arbitrary_bytes_on_the_disk_are_a_journal_or_damage(bytes in anything()) {
        journal_at_the_door(&bytes);
    }

    #[test]
    fn almost_a_journal_is_a_journal_or_damage(mutations in mutations(), is_sealed in any::<bool>()) {
        let lines: Vec<_> = life().iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let content = if is_sealed { lines.join("\n").into_bytes() } else { encode_records(&life()) };
        let content = mutated(content, &mutations);
        journal_at_the_door(&[&[u8::from(is_sealed)][..], &content].concat());
    }
}
