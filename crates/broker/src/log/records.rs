//! Whether the records inside a batch are what its header says. Otherwise a valid checksum over
//! garbage would be stored, and stop every consumer that comes to it.

use super::batch::{BatchHeader, HEADER_BYTES};
use super::{codec, varint};

/// Walks the records of a whole batch. Compressed ones stay closed, so a decompression bomb costs
/// the broker nothing: they must begin as their codec does, and what is inside them is between
/// producer and consumer.
pub(crate) fn are_sound(header: &BatchHeader, batch: &[u8]) -> bool {
    let Some(mut left) = batch.get(HEADER_BYTES..header.total_bytes) else { return false };
    if header.codec() != 0 {
        return codec::is_plausible(header.codec(), left);
    }
    for index in 0..header.record_count {
        let Some(Some(record)) = varint::take_bytes(&mut left) else { return false };
        if is_sound(record, index).is_none() {
            return false;
        }
    }
    left.is_empty()
}

/// `None` when the record is cut short, too long, or not the one at this place.
fn is_sound(record: &[u8], index: i32) -> Option<()> {
    let mut left = record.get(1..)?; // after the attributes
    varint::take(&mut left)?; // timestamp
    if varint::take(&mut left)? != i64::from(index) {
        return None;
    }
    varint::take_bytes(&mut left)?; // key
    varint::take_bytes(&mut left)?; // value
    for _ in 0..usize::try_from(varint::take(&mut left)?).ok()? {
        varint::take_bytes(&mut left)??; // a header's name
        varint::take_bytes(&mut left)?; // and its value
    }
    left.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::batch_of;

    /// Records of key "k" and value "v", without headers, one for each offset delta.
    fn records(deltas: &[u8]) -> Vec<u8> {
        deltas.iter().flat_map(|delta| [16, 0, 0, delta * 2, 2, b'k', 2, b'v', 0]).collect()
    }

    fn check(record_count: i32, body: &[u8]) -> bool {
        let batch = batch_of(record_count, body);
        are_sound(&BatchHeader::read_whole(&batch).unwrap(), &batch)
    }

    #[test]
    fn records_that_are_what_the_header_says_are_sound() {
        assert!(check(3, &records(&[0, 1, 2])));
        let null_key_and_a_header = [22, 0, 0, 0, 1, 2, b'v', 2, 2, b'h', 2, b'x'];
        assert!(check(1, &null_key_and_a_header));
    }

    #[test]
    fn records_that_are_not_are_refused() {
        assert!(!check(i32::MAX, &[]), "two billion records in no bytes");
        assert!(!check(2, &records(&[0])), "fewer than announced");
        assert!(!check(1, &records(&[0, 1])), "more than announced");
        assert!(!check(2, &records(&[0, 2])), "a gap");
        assert!(!check(2, &records(&[1, 0])), "out of order");
        assert!(!check(1, b"garbage under a valid checksum"));
        let billions_of_headers = [24, 0, 0, 0, 1, 2, b'v', 0xfe, 0xff, 0xff, 0xff, 0x0f, 0];
        assert!(!check(1, &billions_of_headers));
        let trailing = [18, 0, 0, 0, 2, b'k', 2, b'v', 0, 7];
        assert!(!check(1, &trailing), "bytes that belong to nothing");
    }
}
