//! Batches that are not what they should be, and the error that tells their producer so.

use std::io::{Read, Write};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

use crate::harness::batch::{Batch, CONTROL, GZIP, LZ4, SNAPPY, TRANSACTIONAL, ZSTD};
use crate::harness::raw::{connect, fetch, produce, produce_as, produce_request, producer_id, request};
use crate::harness::{Kafka, fresh_name, values};

use ResponseError::{
    CorruptMessage, InvalidProducerEpoch, InvalidRecord, InvalidRequiredAcks, OutOfOrderSequenceNumber,
    UnknownTopicOrPartition,
};

/// Each batch is refused with its error, and the partition takes the next good one as its first.
fn check_refused(cases: impl IntoIterator<Item = (&'static str, Vec<u8>, ResponseError)>) {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    for (case, batch, expected) in cases {
        assert_eq!(produce(&kafka, &topic, batch), Err(expected), "{case}");
    }
    assert_eq!(produce(&kafka, &topic, Batch::of(2).bytes()), Ok(0));
    assert_eq!(kafka.committed(&topic), ["v0", "v1"]);
}

#[test]
fn a_batch_whose_checksum_is_wrong_is_corrupt() {
    let mut flipped = Batch::of(2).bytes();
    *flipped.last_mut().unwrap() ^= 1;
    check_refused([
        ("checksum zero", Batch { crc: Some(0), ..Batch::of(2) }.bytes(), CorruptMessage),
        ("a flipped bit", flipped, CorruptMessage),
    ]);
}

#[test]
fn a_batch_of_another_format_is_refused() {
    let of = |magic| Batch { magic, ..Batch::of(2) }.bytes();
    check_refused([
        ("message format 0", of(0), InvalidRecord),
        ("message format 1", of(1), InvalidRecord),
        ("a format to come", of(3), CorruptMessage),
        ("a negative format", of(-1), CorruptMessage),
    ]);
}

#[test]
fn a_batch_that_chooses_its_own_offset_is_refused() {
    let at = |base_offset| Batch { base_offset, ..Batch::of(2) }.bytes();
    check_refused([("a later offset", at(77), InvalidRecord), ("a negative offset", at(-5), InvalidRecord)]);
}

#[test]
fn a_batch_that_is_not_whole_is_refused() {
    let whole = Batch::of(2).bytes();
    let long = |length| Batch { length: Some(length), ..Batch::of(2) }.bytes();
    check_refused([
        ("no bytes", Vec::new(), InvalidRecord),
        ("less than a header", whole[..40].to_vec(), InvalidRecord),
        ("its last byte missing", whole[..whole.len() - 1].to_vec(), InvalidRecord),
        ("a length beyond its end", long(1000), InvalidRecord),
        ("a length of nothing", long(0), CorruptMessage),
        ("a negative length", long(-1), CorruptMessage),
        ("two batches", [whole.clone(), whole].concat(), InvalidRecord),
    ]);
}

#[test]
fn a_batch_that_counts_wrongly_is_refused() {
    check_refused([
        ("more than there are", Batch { record_count: 3, ..Batch::of(2) }.bytes(), InvalidRecord),
        (
            "no records",
            Batch { record_count: 0, last_offset_delta: -1, ..Batch::of(2) }.bytes(),
            InvalidRecord,
        ),
        ("another last offset", Batch { last_offset_delta: 5, ..Batch::of(2) }.bytes(), InvalidRecord),
        (
            "two billion records",
            Batch { record_count: i32::MAX, last_offset_delta: i32::MAX - 1, ..Batch::of(2) }.bytes(),
            InvalidRecord,
        ),
    ]);
}

#[test]
fn a_batch_larger_than_its_topic_allows_is_refused() {
    let kafka = Kafka::start();
    let topic = kafka.topic_with(1, &[("max.message.bytes", "100")]);
    assert_eq!(produce(&kafka, &topic, Batch::of(9).bytes()), Err(ResponseError::MessageTooLarge));
    assert_eq!(produce(&kafka, &topic, Batch::of(2).bytes()), Ok(0));
}

#[test]
fn garbage_where_records_should_be_is_refused() {
    let garbage = |attributes| {
        Batch { attributes, records: b"garbage, with a valid checksum over it".to_vec(), ..Batch::of(1) }
            .bytes()
    };
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    for codec in [0, GZIP, SNAPPY, LZ4, ZSTD] {
        // Apache Kafka stumbles over what it cannot decompress.
        let stumbles = codec != 0 && !kafka.is_own();
        let expected = if stumbles { ResponseError::UnknownServerError } else { InvalidRecord };
        assert_eq!(produce(&kafka, &topic, garbage(codec)), Err(expected), "codec {codec}");
    }
    assert_eq!(produce(&kafka, &topic, Batch::of(2).bytes()), Ok(0));
    assert_eq!(kafka.committed(&topic), ["v0", "v1"]);
}

#[test]
fn no_producer_writes_control_records() {
    let id = producer_id(&Kafka::start());
    let control = Batch { attributes: CONTROL, ..Batch::of(1) }.by(id, 0, 0);
    check_refused([("a control record", control.bytes(), InvalidRecord)]);
}

#[test]
fn a_topic_that_is_not_there_takes_nothing() {
    let kafka = Kafka::start();
    let batch = Batch::of(1).bytes();
    assert_eq!(produce(&kafka, &fresh_name("nowhere"), batch), Err(UnknownTopicOrPartition));
}

#[test]
fn an_unknown_kind_of_acknowledgement_is_refused() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    assert_eq!(produce_as(&kafka, &topic, None, 2, Batch::of(1).bytes()), Err(InvalidRequiredAcks));
    assert!(fetch(&kafka, &topic, 0).unwrap().is_empty());
}

#[test]
fn a_bad_batch_that_wants_no_answer_ends_its_connection() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let send = |batch: Batch| {
        let mut stream = connect(&kafka);
        let produce = produce_request(&topic, None, 0, batch.bytes());
        stream.write_all(&request(ApiKey::Produce, 8, &produce)).unwrap();
        stream.write_all(&request(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default())).unwrap();
        stream
    };
    assert_eq!(send(Batch::of(1)).read(&mut [0; 1]).unwrap(), 1, "the next request is answered");
    let bad = Batch { crc: Some(0), ..Batch::of(1) };
    assert_eq!(send(bad).read(&mut [0; 1]).unwrap_or(0), 0, "how else would its producer know?");
}

#[test]
fn a_gap_in_the_sequence_is_refused_and_a_repeat_is_not_stored_twice() {
    let kafka = Kafka::start();
    let (topic, id) = (kafka.topic(1), producer_id(&kafka));
    let batch = |sequence| Batch::of(2).by(id, 0, sequence).bytes();
    assert_eq!(produce(&kafka, &topic, batch(0)), Ok(0));
    assert_eq!(produce(&kafka, &topic, batch(2)), Ok(2));
    assert_eq!(produce(&kafka, &topic, batch(5)), Err(OutOfOrderSequenceNumber), "one is missing");
    assert_eq!(produce(&kafka, &topic, batch(3)), Err(OutOfOrderSequenceNumber), "half of it repeated");
    assert_eq!(produce(&kafka, &topic, batch(2)), Ok(2), "repeated");
    assert_eq!(produce(&kafka, &topic, batch(0)), Ok(0), "repeated late");
    assert_eq!(produce(&kafka, &topic, batch(4)), Ok(4));
    assert_eq!(kafka.committed(&topic), ["v0", "v1"].repeat(3));
}

#[test]
fn a_producer_of_an_older_epoch_is_refused() {
    let kafka = Kafka::start();
    let (topic, id) = (kafka.topic(1), producer_id(&kafka));
    let batch = |epoch, sequence| Batch::of(1).by(id, epoch, sequence).bytes();
    assert_eq!(produce(&kafka, &topic, batch(3, 0)), Ok(0));
    assert_eq!(produce(&kafka, &topic, batch(2, 1)), Err(InvalidProducerEpoch));
    assert_eq!(
        produce(&kafka, &topic, batch(4, 1)),
        Err(OutOfOrderSequenceNumber),
        "an epoch begins at zero"
    );
    assert_eq!(produce(&kafka, &topic, batch(4, 0)), Ok(1));
}

#[test]
fn a_producer_without_a_sequence_is_refused() {
    let kafka = Kafka::start();
    let id = producer_id(&kafka);
    check_refused([("no sequence", Batch::of(1).by(id, 0, -1).bytes(), InvalidRecord)]);
}

#[test]
fn transactional_records_need_a_transaction_that_knows_of_them() {
    let kafka = Kafka::start();
    let topic = kafka.topic(1);
    let id = fresh_name("tx");
    let _owner = kafka.transactional(&id, &[]);
    let stray = Batch { attributes: TRANSACTIONAL, ..Batch::of(1) }.by(producer_id(&kafka), 0, 0).bytes();
    let without_id = produce(&kafka, &topic, stray.clone());
    assert_eq!(without_id, Err(ResponseError::TransactionalIdAuthorizationFailed));
    let of_another = produce_as(&kafka, &topic, Some(&id), -1, stray);
    assert!(of_another.is_err(), "{of_another:?}");
    kafka.producer(&[]).send(&topic, 0, &values("v", 1));
    assert_eq!(kafka.committed(&topic), values("v", 1), "nothing holds readers back");
}
