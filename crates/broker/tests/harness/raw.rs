//! Requests as bytes, for what librdkafka does not ask, or would not.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable};

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
