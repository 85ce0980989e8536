//! A client that speaks to the broker's socket, and waits for one answer after another.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, FetchRequest, InitProducerIdRequest, OffsetFetchRequest, ProduceRequest, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, Request, StrBytes};

use self::batches::Reading;
pub(crate) use self::batches::{By, batch};
use crate::log::marker::Producer;

mod batches;

const PATIENCE: Duration = Duration::from_secs(20);

/// A partition, by topic and index.
pub(crate) type Place = (String, i32);

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

pub(crate) fn topic_name(place: &Place) -> TopicName {
    TopicName(text(&place.0))
}

/// One batch, with acks=all.
pub(crate) fn produce_request(place: &Place, batch: Bytes, transactional_id: Option<&str>) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_index(place.1).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(topic_name(place)).with_partition_data(vec![partition]);
    ProduceRequest::default()
        .with_transactional_id(transactional_id.map(|id| text(id).into()))
        .with_acks(-1)
        .with_topic_data(vec![topic])
}

pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Asks without waiting; `None` when the broker hung up.
    pub(crate) fn send<Q: Request>(&mut self, version: i16, request: &Q) -> Option<()> {
        let key = ApiKey::try_from(Q::KEY).unwrap();
        let header = RequestHeader::default().with_request_api_key(Q::KEY).with_request_api_version(version);
        let mut framed = BytesMut::new();
        framed.put_u32(0);
        header.encode(&mut framed, key.request_header_version(version)).unwrap();
        request.encode(&mut framed, version).unwrap();
        let size = (framed.len() - 4) as u32;
        framed[..4].copy_from_slice(&size.to_be_bytes());
        self.0.write_all(&framed).ok()
    }

    /// The next answer; `None` when the broker hung up.
    pub(crate) fn receive<Q: Request>(&mut self, version: i16) -> Option<Q::Response> {
        let key = ApiKey::try_from(Q::KEY).unwrap();
        let mut size = [0; 4];
        self.read(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        self.read(&mut answer)?;
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, key.response_header_version(version)).unwrap();
        Some(Q::Response::decode(&mut answer, version).unwrap())
    }

    pub(crate) fn ask<Q: Request>(&mut self, version: i16, request: &Q) -> Option<Q::Response> {
        self.send(version, request)?;
        self.receive::<Q>(version)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        let read = self.0.read_exact(bytes);
        let timed_out = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        assert!(!read.as_ref().is_err_and(timed_out), "no answer for {PATIENCE:?}");
        read.ok()
    }

    fn fetch(&mut self, place: &Place, from: i64, committed_only: bool) -> PartitionData {
        let partition = FetchPartition::default()
            .with_partition(place.1)
            .with_fetch_offset(from)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_topic(topic_name(place)).with_partitions(vec![partition]);
        let fetch = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_isolation_level(i8::from(committed_only))
            .with_topics(vec![topic]);
        let mut fetched = self.ask(11, &fetch).unwrap();
        fetched.responses.remove(0).partitions.remove(0)
    }

    /// Where a partition begins, how far it is stable, and where it ends.
    pub(crate) fn offsets(&mut self, place: &Place) -> (i64, i64, i64) {
        let (start, end) = (self.list_offset(place, -2), self.list_offset(place, -1));
        (start, self.fetch(place, end, false).last_stable_offset, end)
    }

    fn list_offset(&mut self, place: &Place, timestamp: i64) -> i64 {
        use kafka_protocol::messages::ListOffsetsRequest;
        use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
        let partition =
            ListOffsetsPartition::default().with_partition_index(place.1).with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_name(topic_name(place)).with_partitions(vec![partition]);
        let listed = self.ask(5, &ListOffsetsRequest::default().with_topics(vec![topic])).unwrap();
        let partition = &listed.topics[0].partitions[0];
        assert_eq!(partition.error_code, 0, "{place:?}");
        partition.offset
    }

    /// Every record that a reader gets from `start` on, with its offset.
    pub(crate) fn read_all(&mut self, place: &Place, committed_only: bool) -> Vec<(i64, String)> {
        let (start, _, end) = self.offsets(place);
        let (mut seen, mut from) = (Vec::new(), start);
        while from < end {
            let data = self.fetch(place, from, committed_only);
            assert_eq!(data.error_code, 0, "{place:?} from {from}");
            let records = data.records.clone().unwrap_or_default();
            assert!(!records.is_empty(), "{place:?} is stuck at {from} of {end}");
            from = Reading::of(&data).batches(&records, from, &mut seen);
        }
        seen
    }

    /// Sends one batch with acks=all; returns the error code, and where it was put.
    pub(crate) fn produce(&mut self, place: &Place, batch: Bytes) -> Option<(i16, i64)> {
        self.send(8, &produce_request(place, batch, None))?;
        self.produced()
    }

    /// The next answer to a [`produce_request`].
    pub(crate) fn produced(&mut self) -> Option<(i16, i64)> {
        let produced = self.receive::<ProduceRequest>(8)?;
        let partition = &produced.responses[0].partition_responses[0];
        Some((partition.error_code, partition.base_offset))
    }

    /// Becomes the owner of a transactional id; `None` when the broker cannot any more.
    pub(crate) fn try_take_over(&mut self, id: Option<&str>) -> Option<Producer> {
        let init = InitProducerIdRequest::default()
            .with_transactional_id(id.map(|id| text(id).into()))
            .with_transaction_timeout_ms(600_000);
        let given = self.ask(4, &init)?;
        let producer = Producer { id: given.producer_id.0, epoch: given.producer_epoch };
        (given.error_code == 0).then_some(producer)
    }

    pub(crate) fn take_over(&mut self, id: &str) -> Producer {
        self.try_take_over(Some(id)).unwrap()
    }

    /// What a group has committed for a partition; -1 for nothing.
    pub(crate) fn committed(&mut self, group: &str, place: &Place) -> i64 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic_name(place))
            .with_partition_indexes(vec![place.1]);
        let fetch =
            OffsetFetchRequest::default().with_group_id(text(group).into()).with_topics(Some(vec![topic]));
        let fetched = self.ask(7, &fetch).unwrap();
        fetched.topics[0].partitions[0].committed_offset
    }
}
