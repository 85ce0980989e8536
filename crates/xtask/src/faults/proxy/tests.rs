//! A client, the proxy and a broker of which the test plays both ends.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::fetch_response::NodeEndpoint;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
use kafka_protocol::messages::{
    ApiKey, DescribeClusterResponse, EndTxnResponse, FetchResponse, FindCoordinatorResponse,
    MetadataResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use super::exchange::{Asked, Frame};
use super::names::Names;
use super::trouble::{Done, Weather};
use super::{Dice, Proxy};

const BROKER: u16 = 9092;
const STANDS_FOR_IT: u16 = 19092;
const STRANGER: u16 = 4711;
/// A test that would wait for ever fails after so long.
const PATIENCE: Duration = Duration::from_secs(20);

const CALM: Weather = Weather {
    delay_ms_max: 1,
    broken_before_per_mille: 0,
    broken_after_per_mille: 0,
    in_pieces_per_mille: 0,
};

#[test]
fn metadata_names_the_proxy_in_every_version() {
    for version in 0..=13 {
        check(ApiKey::Metadata, version, |port| {
            let broker = MetadataResponseBroker::default().with_host(local()).with_port(port.into());
            MetadataResponse::default().with_brokers(vec![broker.clone(), broker])
        });
    }
}

#[test]
fn a_coordinator_is_found_at_the_proxy_in_every_version() {
    for version in 0..4 {
        check(ApiKey::FindCoordinator, version, |port| {
            FindCoordinatorResponse::default().with_host(local()).with_port(port.into())
        });
    }
    for version in 4..=6 {
        check(ApiKey::FindCoordinator, version, |port| {
            let found = Coordinator::default().with_host(local()).with_port(port.into());
            FindCoordinatorResponse::default().with_coordinators(vec![found])
        });
    }
}

#[test]
fn a_described_cluster_consists_of_the_proxy() {
    for version in 0..=2 {
        check(ApiKey::DescribeCluster, version, |port| {
            let broker = DescribeClusterBroker::default().with_host(local()).with_port(port.into());
            DescribeClusterResponse::default().with_brokers(vec![broker])
        });
    }
}

#[test]
fn a_leader_that_an_answer_names_is_reached_through_the_proxy() {
    check(ApiKey::Fetch, 16, |port| {
        let leader = NodeEndpoint::default().with_host(local()).with_port(port.into());
        FetchResponse::default().with_node_endpoints(vec![leader])
    });
}

#[test]
fn where_no_coordinator_was_found_nothing_is_changed() {
    let nowhere = FindCoordinatorResponse::default().with_error_code(15).with_port(-1);
    let answer = frame(&nowhere, 3);
    let changed = names().change(Frame::of(answer.body()), asked(ApiKey::FindCoordinator, 3)).unwrap();
    assert_eq!(changed.0, answer.0);
}

#[test]
fn a_broker_that_the_proxy_does_not_stand_before_is_an_error() {
    let stranger = FindCoordinatorResponse::default().with_host(local()).with_port(STRANGER.into());
    let changed = names().change(frame(&stranger, 3), asked(ApiKey::FindCoordinator, 3));
    assert!(format!("{:#}", changed.err().unwrap()).ends_with("no port stands for 127.0.0.1:4711"));
}

#[test]
fn a_frame_of_an_unknown_kind_is_passed_unchanged() {
    let ends = Ends::open();
    let (request, answer) = (Frame::of(b"\x7f\xffsomething else"), Frame::of(b"and its answer"));
    assert_eq!(ends.ask(&request), request.0);
    assert_eq!(ends.answer(&answer).unwrap(), answer.0);
}

#[test]
fn an_answer_in_which_a_broker_is_named_comes_through_with_the_proxy_in_it() {
    let ends = Ends::open();
    ends.ask(&request(ApiKey::FindCoordinator, 3));
    let at = |port: u16| FindCoordinatorResponse::default().with_host(local()).with_port(port.into());
    let arrived = ends.answer(&frame(&at(ends.broker_port()), 3)).unwrap();
    assert_eq!(arrived, frame(&at(ends.proxy_port()), 3).0);
}

#[test]
fn a_lost_answer_was_the_brokers_and_its_connection_is_reset() {
    let ends = Ends::open();
    ends.proxy.trouble.lose_next(ApiKey::EndTxn);
    let (heartbeat, commit) = (request(ApiKey::Heartbeat, 0), request(ApiKey::EndTxn, 3));
    ends.ask(&heartbeat);
    ends.answer(&frame(&EndTxnResponse::default(), 0)).unwrap();
    assert_eq!(ends.ask(&commit), commit.0);
    let answered = ends.answer(&frame(&EndTxnResponse::default(), 3));
    assert_eq!(answered.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let done = ends.proxy.trouble.end().unwrap();
    assert_eq!(done, Done { lost: vec![ApiKey::EndTxn], ..Done::default() });
}

#[test]
fn after_a_lost_answer_the_next_is_not_lost() {
    let mut ends = Ends::open();
    ends.proxy.trouble.lose_next(ApiKey::EndTxn);
    ends.ask(&request(ApiKey::EndTxn, 3));
    ends.answer(&frame(&EndTxnResponse::default(), 3)).unwrap_err();
    ends.connect_again();
    ends.ask(&request(ApiKey::EndTxn, 3));
    ends.answer(&frame(&EndTxnResponse::default(), 3)).unwrap();
}

#[test]
fn a_connection_that_breaks_before_it_leaves_the_broker_without_the_request() {
    let ends = Ends::open();
    ends.proxy.trouble.begin(Weather { broken_before_per_mille: 1_000, ..CALM }, Dice(1));
    (&ends.client).write_all(&request(ApiKey::EndTxn, 3).0).unwrap();
    assert!(Frame::read(&ends.broker).unwrap().is_none());
    assert_eq!(ends.read().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(ends.proxy.trouble.end().unwrap().broken, 1);
}

#[test]
fn a_connection_that_breaks_after_it_leaves_the_broker_with_the_request() {
    let ends = Ends::open();
    ends.proxy.trouble.begin(Weather { broken_after_per_mille: 1_000, ..CALM }, Dice(1));
    let commit = request(ApiKey::EndTxn, 3);
    assert_eq!(ends.ask(&commit), commit.0);
    assert!(Frame::read(&ends.broker).unwrap().is_none());
    assert_eq!(ends.read().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn late_answers_and_those_in_pieces_keep_their_order() {
    let ends = Ends::open();
    let weather = Weather { delay_ms_max: 9, in_pieces_per_mille: 500, ..CALM };
    ends.proxy.trouble.begin(weather, Dice(1));
    let answers: Vec<_> = (0..20_u8).map(|n| Frame::of(&[n; 40])).collect();
    answers.iter().for_each(|answer| (&ends.broker).write_all(&answer.0).unwrap());
    for answer in answers {
        assert_eq!(ends.read().unwrap(), answer.0);
    }
    let done = ends.proxy.trouble.end().unwrap();
    assert_eq!(done.late, 20);
    assert!(0 < done.in_pieces && done.in_pieces < 20, "{done}");
}

#[test]
fn a_side_that_closes_closes_the_other() {
    let Ends { client, broker, proxy: _proxy, .. } = Ends::open();
    drop(broker);
    assert_eq!((&client).read(&mut [0]).unwrap(), 0);
    let Ends { client, broker, proxy: _proxy, .. } = Ends::open();
    drop(client);
    assert_eq!((&broker).read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_frame_out_of_bounds_ends_the_connection() {
    for size in [-1, i32::MAX] {
        let ends = Ends::open();
        (&ends.client).write_all(&size.to_be_bytes()).unwrap();
        assert!(Frame::read(&ends.broker).unwrap().is_none());
        assert!(Frame::read(&ends.client).unwrap().is_none());
    }
}

#[test]
fn what_was_done_is_told() {
    let lost = vec![ApiKey::EndTxn, ApiKey::Produce, ApiKey::EndTxn];
    let done = Done { lost, broken: 3, late: 2, in_pieces: 1 };
    let told = "answers late: 2, in pieces: 1; connections broken: 3; answers lost: 2 EndTxn 1 Produce";
    assert_eq!(done.to_string(), told);
    assert!(Done::default().to_string().ends_with("answers lost: none"));
}

/// An answer that names the broker becomes the one that names the proxy, and is the same otherwise.
fn check<A>(key: ApiKey, version: i16, answer: impl Fn(u16) -> A)
where
    A: Encodable + Decodable + HeaderVersion + PartialEq + std::fmt::Debug,
{
    let changed = names().change(frame(&answer(BROKER), version), asked(key, version)).unwrap();
    let mut body = Bytes::copy_from_slice(changed.body());
    let header = ResponseHeader::decode(&mut body, A::header_version(version)).unwrap();
    assert_eq!(header.correlation_id, CORRELATION_ID, "{key:?} {version}");
    assert_eq!(A::decode(&mut body, version).unwrap(), answer(STANDS_FOR_IT), "{key:?} {version}");
    assert!(body.is_empty(), "{key:?} {version}");
}

const CORRELATION_ID: i32 = 7;

fn names() -> Names {
    Names::new(HashMap::from([(SocketAddr::from(([127, 0, 0, 1], BROKER)), STANDS_FOR_IT)]))
}

fn asked(key: ApiKey, version: i16) -> Asked {
    Asked { key, version }
}

fn local() -> StrBytes {
    StrBytes::from_static_str("127.0.0.1")
}

/// The beginning of a request; nobody here reads on.
fn request(key: ApiKey, version: i16) -> Frame {
    let (key, version) = ((key as i16).to_be_bytes(), version.to_be_bytes());
    Frame::of(&[&key[..], &version, &CORRELATION_ID.to_be_bytes()].concat())
}

fn frame<A: Encodable + HeaderVersion>(answer: &A, version: i16) -> Frame {
    let mut bytes = BytesMut::new();
    let header = ResponseHeader::default().with_correlation_id(CORRELATION_ID);
    header.encode(&mut bytes, A::header_version(version)).unwrap();
    answer.encode(&mut bytes, version).unwrap();
    Frame::of(&bytes)
}

/// Both ends of a connection through a proxy.
struct Ends {
    proxy: Proxy,
    door: TcpListener,
    client: TcpStream,
    broker: TcpStream,
}

impl Ends {
    fn open() -> Self {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::before(&door.local_addr().unwrap().to_string()).unwrap();
        let (client, broker) = connect(&proxy, &door);
        Self { proxy, door, client, broker }
    }

    fn connect_again(&mut self) {
        (self.client, self.broker) = connect(&self.proxy, &self.door);
    }

    fn broker_port(&self) -> u16 {
        self.door.local_addr().unwrap().port()
    }

    fn proxy_port(&self) -> u16 {
        self.client.peer_addr().unwrap().port()
    }

    /// What the broker receives of it.
    fn ask(&self, request: &Frame) -> Vec<u8> {
        (&self.client).write_all(&request.0).unwrap();
        Frame::read(&self.broker).unwrap().unwrap().0
    }

    /// What the client receives of it.
    fn answer(&self, answer: &Frame) -> io::Result<Vec<u8>> {
        (&self.broker).write_all(&answer.0).unwrap();
        self.read()
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        Ok(Frame::read(&self.client)?.expect("a frame, not the end").0)
    }
}

fn connect(proxy: &Proxy, door: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(&proxy.address).unwrap();
    let (broker, _) = door.accept().unwrap();
    for end in [&client, &broker] {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    (client, broker)
}
