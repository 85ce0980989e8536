//! Repeats, gaps and zombies.

use super::*;

/// A batch of `count` records from producer 1, in an epoch, from a sequence number on.
fn batch(epoch: i16, base_sequence: i32, count: i32, base_offset: i64) -> BatchHeader {
    BatchHeader {
        base_offset,
        total_bytes: 100,
        crc: 0,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: 1,
        producer_epoch: epoch,
        base_sequence,
        record_count: count,
    }
}

fn after(noted: &[BatchHeader]) -> Producers {
    let mut producers = Producers::default();
    noted.iter().for_each(|batch| producers.note(batch));
    producers
}

#[test]
fn the_next_sequence_is_appended() {
    let producers = after(&[batch(0, 0, 10, 0)]);
    assert_eq!(producers.check(&batch(0, 10, 5, 0)), Ok(Verdict::Append));
}

#[test]
fn the_last_five_batches_are_recognised() {
    let noted: Vec<_> = (0..6).map(|index| batch(0, index * 10, 10, i64::from(index) * 10)).collect();
    let producers = after(&noted);
    for repeated in &noted[1..] {
        let expected =
            Verdict::Repeat { base_offset: repeated.base_offset, next_offset: repeated.base_offset + 10 };
        assert_eq!(producers.check(repeated), Ok(expected));
    }
    assert_eq!(producers.check(&noted[0]), Err(ResponseError::OutOfOrderSequenceNumber));
}

#[test]
fn a_gap_is_refused() {
    let producers = after(&[batch(0, 0, 10, 0)]);
    assert_eq!(producers.check(&batch(0, 11, 1, 0)), Err(ResponseError::OutOfOrderSequenceNumber));
}

#[test]
fn an_older_epoch_is_a_zombie() {
    let producers = after(&[batch(3, 0, 1, 0)]);
    assert_eq!(producers.check(&batch(2, 1, 1, 0)), Err(ResponseError::InvalidProducerEpoch));
}

#[test]
fn a_newer_epoch_begins_at_zero() {
    let producers = after(&[batch(3, 0, 10, 0)]);
    assert_eq!(producers.check(&batch(4, 0, 1, 0)), Ok(Verdict::Append));
    assert_eq!(producers.check(&batch(4, 10, 1, 0)), Err(ResponseError::OutOfOrderSequenceNumber));
}

#[test]
fn sequences_wrap_around() {
    let producers = after(&[batch(0, i32::MAX - 1, 2, 0)]);
    assert_eq!(producers.check(&batch(0, 0, 1, 0)), Ok(Verdict::Append));
}

#[test]
fn a_stranger_may_begin_anywhere() {
    assert_eq!(Producers::default().check(&batch(0, 77, 1, 0)), Ok(Verdict::Append));
}

#[test]
fn producers_are_bounded_and_the_oldest_are_forgotten() {
    let mut producers = Producers::default();
    for id in 0..PRODUCERS_MAX as i64 + 10 {
        producers.note(&BatchHeader { producer_id: id, ..batch(0, 0, 1, id) });
    }
    assert!(producers.by_id.len() <= PRODUCERS_MAX);
    assert!(!producers.by_id.contains_key(&0));
    assert!(producers.by_id.contains_key(&(PRODUCERS_MAX as i64 + 9)));
}
