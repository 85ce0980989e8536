//! Requests as bytes, for what librdkafka does not ask, or would not.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, FetchRequest, FetchResponse, InitProducerIdRequest, InitProducerIdResponse, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader, TopicName, TransactionalId,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::{Kafka, PATIENCE};

pub(crate) fn connect(kafka: &Kafka) -> TcpStream {
    let stream = TcpStream::connect(&kafka.bootstrap).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A request, with its size before it.
pub(crate) fn request(key: ApiKey, version: i16, body: &impl Encodable) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(key as i16).with_request_api_version(version);
    header.encode(&mut bytes, key.request_header_version(version)).unwrap();
    body.encode(&mut bytes, version).unwrap();
    let mut framed = BytesMut::new();
    framed.put_u32(bytes.len() as u32);
    framed.extend_from_slice(&bytes);
    framed.to_vec()
}

/// Asks, and reads the answer.
pub(crate) fn ask<R: Decodable>(kafka: &Kafka, key: ApiKey, version: i16, body: &impl Encodable) -> R {
    let mut stream = connect(kafka);
    stream.write_all(&request(key, version, body)).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).unwrap();
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, key.response_header_version(version)).unwrap();
    R::decode(&mut answer, version).unwrap()
}

/// An error by its code; zero is well.
pub(crate) fn result(code: i16) -> Result<(), ResponseError> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

pub(crate) fn topic_name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

/// Sends bytes as a batch for partition 0; returns where it was put.
pub(crate) fn produce(kafka: &Kafka, topic: &str, batch: Vec<u8>) -> Result<i64, ResponseError> {
    produce_as(kafka, topic, None, -1, batch)
}

/// The same, with a transactional id and acks.
pub(crate) fn produce_as(
    kafka: &Kafka,
    topic: &str,
    transactional_id: Option<&str>,
    acks: i16,
    batch: Vec<u8>,
) -> Result<i64, ResponseError> {
    let produce = produce_request(topic, transactional_id, acks, batch);
    let answer: ProduceResponse = ask(kafka, ApiKey::Produce, 8, &produce);
    let partition = &answer.responses[0].partition_responses[0];
    result(partition.error_code).map(|()| partition.base_offset)
}

/// A request to append bytes as a batch to partition 0.
pub(crate) fn produce_request(
    topic: &str,
    transactional_id: Option<&str>,
    acks: i16,
    batch: Vec<u8>,
) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_records(Some(batch.into()));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![partition]);
    ProduceRequest::default()
        .with_transactional_id(transactional_id.map(|id| TransactionalId(text(id))))
        .with_acks(acks)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic])
}

/// What lies in partition 0 from an offset on, as bytes.
pub(crate) fn fetch(kafka: &Kafka, topic: &str, offset: i64) -> Result<Bytes, ResponseError> {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(i32::MAX);
    let topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    let fetch = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(1000)
        .with_min_bytes(1)
        .with_max_bytes(i32::MAX)
        .with_topics(vec![topic]);
    let answer: FetchResponse = ask(kafka, ApiKey::Fetch, 11, &fetch);
    let partition = &answer.responses[0].partitions[0];
    result(partition.error_code).map(|()| partition.records.clone().unwrap_or_default())
}

/// A producer id of one's own, with epoch 0.
pub(crate) fn producer_id(kafka: &Kafka) -> i64 {
    let init = InitProducerIdRequest::default().with_transactional_id(None);
    let given: InitProducerIdResponse = ask(kafka, ApiKey::InitProducerId, 1, &init);
    result(given.error_code).unwrap();
    given.producer_id.0
}
