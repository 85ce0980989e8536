//! The decoder meets whole, cut, flipped and random bytes.

use proptest::prelude::*;

use super::*;
use crate::log::marker::{Outcome, Producer, encode};

fn whole() -> Vec<u8> {
    encode(Producer { id: 9, epoch: 1 }, Outcome::Commit, 1_700_000_000_000)
}

#[test]
fn a_whole_batch_is_read() {
    let header = BatchHeader::read_whole(&whole()).unwrap();
    assert_eq!((header.record_count, header.last_offset_delta), (1, 0));
}

#[test]
fn the_stored_prefix_changes_nothing_that_is_checked() {
    let mut batch = whole();
    let header = BatchHeader::read_whole(&batch).unwrap();
    batch[..16].copy_from_slice(&stored_prefix(&header, 12345));
    assert_eq!(BatchHeader::read_whole(&batch).unwrap().base_offset, 12345);
}

#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(sequence_after(i32::MAX, 1), 0);
    assert_eq!(sequence_after(i32::MAX - 1, 3), 1);
}

proptest! {
    #[test]
    fn random_bytes_are_never_a_batch(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(BatchHeader::read_whole(&bytes).is_err());
    }

    #[test]
    fn a_cut_batch_is_refused(keep in 0..78_usize) {
        prop_assert!(BatchHeader::read_whole(&whole()[..keep]).is_err());
    }

    #[test]
    fn a_flipped_bit_outside_offset_and_epoch_is_noticed(bit in 0..8_u8, at in 8..78_usize) {
        prop_assume!(!(12..16).contains(&at));
        let mut batch = whole();
        batch[at] ^= 1 << bit;
        prop_assert!(BatchHeader::read_whole(&batch).is_err());
    }
}
