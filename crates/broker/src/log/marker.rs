//! Control batches: how a transaction's end is written into a partition.

use super::batch::{BatchHeader, HEADER_BYTES};
use super::varint;

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Commit,
    Abort,
}

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

const TRANSACTIONAL_CONTROL: i16 = 0x30;
/// What an encoded marker takes in the log.
pub(crate) const MARKER_BYTES: usize = HEADER_BYTES + RECORD_BYTES;
const RECORD_BYTES: usize = 17;

/// A batch of one control record, with base offset zero.
pub(crate) fn encode(producer: Producer, outcome: Outcome, timestamp_ms: i64) -> Vec<u8> {
    let kind: u8 = if outcome == Outcome::Commit { 1 } else { 0 };
    // Lengths in a record are zig-zag: 32 is 16 bytes of record, 8 is a key of 4, 12 a value of 6.
    let record: [u8; RECORD_BYTES] = [32, 0, 0, 0, 8, 0, 0, 0, kind, 12, 0, 0, 0, 0, 0, 0, 0];
    let mut batch = Vec::with_capacity(MARKER_BYTES);
    batch.extend_from_slice(&0_i64.to_be_bytes());
    batch.extend_from_slice(&((HEADER_BYTES - 12 + record.len()) as u32).to_be_bytes());
    batch.extend_from_slice(&0_i32.to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&[0; 4]); // checksum, below
    batch.extend_from_slice(&TRANSACTIONAL_CONTROL.to_be_bytes());
    batch.extend_from_slice(&0_i32.to_be_bytes());
    batch.extend_from_slice(&timestamp_ms.to_be_bytes());
    batch.extend_from_slice(&timestamp_ms.to_be_bytes());
    batch.extend_from_slice(&producer.id.to_be_bytes());
    batch.extend_from_slice(&producer.epoch.to_be_bytes());
    batch.extend_from_slice(&(-1_i32).to_be_bytes());
    batch.extend_from_slice(&1_i32.to_be_bytes());
    batch.extend_from_slice(&record);
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// The outcome that a whole control batch states, if it is one.
pub(crate) fn decode(header: &BatchHeader, batch: &[u8]) -> Option<Outcome> {
    if !header.is_control() {
        return None;
    }
    let mut record = batch.get(HEADER_BYTES..)?;
    varint::take(&mut record)?; // length
    record = record.get(1..)?; // attributes
    varint::take(&mut record)?; // timestamp delta
    varint::take(&mut record)?; // offset delta
    match varint::take_bytes(&mut record)?? {
        [_, _, 0, 0] => Some(Outcome::Abort),
        [_, _, 0, 1] => Some(Outcome::Commit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_says_who_ended_and_how() {
        for outcome in [Outcome::Commit, Outcome::Abort] {
            let batch = encode(Producer { id: 77, epoch: 3 }, outcome, 1234);
            let header = BatchHeader::read_whole(&batch).unwrap();
            assert_eq!(header.total_bytes, batch.len());
            assert_eq!((header.producer_id, header.producer_epoch), (77, 3));
            assert!(header.is_transactional());
            assert_eq!(decode(&header, &batch), Some(outcome));
        }
    }
}
