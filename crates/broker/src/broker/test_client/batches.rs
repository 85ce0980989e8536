//! Batches as producers make them and consumers read them.

use std::collections::{BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_response::PartitionData;

use crate::log::batch::{BatchHeader, HEADER_BYTES};
use crate::log::marker::{Outcome, Producer, decode};
use crate::log::varint;

/// How a reader of committed records goes through an answer.
pub(super) struct Reading {
    /// By where they begin.
    aborted: VecDeque<(i64, i64)>,
    skipped: BTreeSet<i64>,
}

impl Reading {
    pub(super) fn of(data: &PartitionData) -> Self {
        let aborted = data.aborted_transactions.iter().flatten();
        let mut aborted: Vec<_> =
            aborted.map(|aborted| (aborted.first_offset, aborted.producer_id.0)).collect();
        aborted.sort_unstable();
        Self { aborted: aborted.into(), skipped: BTreeSet::new() }
    }

    /// Adds the records from `from` on; returns the offset after the last.
    pub(super) fn batches(mut self, mut bytes: &[u8], from: i64, seen: &mut Vec<(i64, String)>) -> i64 {
        let mut next = from;
        while let Ok(header) = BatchHeader::read_whole(bytes) {
            let batch = &bytes[..header.total_bytes];
            bytes = &bytes[header.total_bytes..];
            assert!(header.next_offset() > next, "offset {} comes again", header.base_offset);
            next = header.next_offset();
            while self.aborted.front().is_some_and(|(first, _)| *first <= header.last_offset()) {
                self.skipped.extend(self.aborted.pop_front().map(|(_, producer)| producer));
            }
            if header.is_control() {
                if decode(&header, batch) == Some(Outcome::Abort) {
                    self.skipped.remove(&header.producer_id);
                }
            } else if !(header.is_transactional() && self.skipped.contains(&header.producer_id)) {
                let values = values(batch).into_iter();
                seen.extend((header.base_offset..).zip(values).filter(|(offset, _)| *offset >= from));
            }
        }
        assert!(bytes.is_empty(), "a torn batch is served after {next}");
        next
    }
}

/// The values of an uncompressed batch.
fn values(batch: &[u8]) -> Vec<String> {
    let mut records = &batch[HEADER_BYTES..];
    let mut values = Vec::new();
    while let Some(Some(mut record)) = varint::take_bytes(&mut records) {
        record = &record[1..];
        varint::take(&mut record).unwrap();
        varint::take(&mut record).unwrap();
        varint::take_bytes(&mut record).unwrap();
        let value = varint::take_bytes(&mut record).unwrap().unwrap();
        values.push(String::from_utf8(value.to_vec()).unwrap());
    }
    values
}

/// Whose batch it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    Anyone,
    Numbered(Producer, i32),
    InTransaction(Producer, i32),
}

/// A batch of these values, as a producer sends it.
pub(crate) fn batch(by: By, values: &[String]) -> Bytes {
    let (attributes, producer, sequence) = match by {
        By::Anyone => (0_i16, Producer { id: -1, epoch: -1 }, -1),
        By::Numbered(producer, sequence) => (0, producer, sequence),
        By::InTransaction(producer, sequence) => (0x10, producer, sequence),
    };
    let mut batch = BytesMut::zeroed(HEADER_BYTES);
    for (delta, value) in values.iter().enumerate() {
        let mut record = vec![0, 0]; // attributes, timestamp delta
        put_varint(&mut record, delta as i64);
        put_varint(&mut record, -1);
        put_varint(&mut record, value.len() as i64);
        record.extend_from_slice(value.as_bytes());
        record.push(0);
        let mut length = Vec::new();
        put_varint(&mut length, record.len() as i64);
        batch.extend_from_slice(&length);
        batch.extend_from_slice(&record);
    }
    let length = (batch.len() - 12) as u32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[23..27].copy_from_slice(&(values.len() as i32 - 1).to_be_bytes());
    batch[43..51].copy_from_slice(&producer.id.to_be_bytes());
    batch[51..53].copy_from_slice(&producer.epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&sequence.to_be_bytes());
    batch[57..61].copy_from_slice(&(values.len() as i32).to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}

fn put_varint(bytes: &mut Vec<u8>, value: i64) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}
