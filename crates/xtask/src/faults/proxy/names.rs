//! The brokers' addresses in what they answer, and the proxy's in their place.

use std::collections::HashMap;
use std::net::SocketAddr;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, DescribeClusterResponse, FetchResponse, FindCoordinatorResponse, MetadataResponse,
    ProduceResponse, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use super::exchange::{Asked, Frame};

/// Since these versions an answer may name the leader that a client should have asked.
const PRODUCE_NAMES_LEADERS: i16 = 10;
const FETCH_NAMES_LEADERS: i16 = 16;

/// Which port of the proxy stands for which broker.
pub(super) struct Names(HashMap<SocketAddr, u16>);

impl Names {
    pub(super) fn new(ports: HashMap<SocketAddr, u16>) -> Self {
        Self(ports)
    }

    /// The answer as a client of the proxy should see it. What names no broker is not touched.
    pub(super) fn change(&self, answer: Frame, asked: Asked) -> anyhow::Result<Frame> {
        let changed = match asked.key {
            ApiKey::Metadata => self.metadata(&answer, asked.version),
            ApiKey::FindCoordinator => self.find_coordinator(&answer, asked.version),
            ApiKey::DescribeCluster => self.describe_cluster(&answer, asked.version),
            ApiKey::Produce if asked.version >= PRODUCE_NAMES_LEADERS => self.produce(&answer, asked.version),
            ApiKey::Fetch if asked.version >= FETCH_NAMES_LEADERS => self.fetch(&answer, asked.version),
            _ => Ok(None),
        };
        let changed = changed.with_context(|| format!("change the names in an answer to {asked:?}"))?;
        Ok(changed.unwrap_or(answer))
    }

    fn metadata(&self, answer: &Frame, version: i16) -> anyhow::Result<Option<Frame>> {
        over(answer, version, |answer: &mut MetadataResponse| {
            self.put_all(answer.brokers.iter_mut().map(|it| (&mut it.host, &mut it.port)))
        })
    }

    /// Since version 4 it answers for several groups at once.
    fn find_coordinator(&self, answer: &Frame, version: i16) -> anyhow::Result<Option<Frame>> {
        over(answer, version, |answer: &mut FindCoordinatorResponse| {
            let several = answer.coordinators.iter_mut().map(|it| (&mut it.host, &mut it.port));
            self.put_all(several.chain([(&mut answer.host, &mut answer.port)]))
        })
    }

    fn describe_cluster(&self, answer: &Frame, version: i16) -> anyhow::Result<Option<Frame>> {
        over(answer, version, |answer: &mut DescribeClusterResponse| {
            self.put_all(answer.brokers.iter_mut().map(|it| (&mut it.host, &mut it.port)))
        })
    }

    fn produce(&self, answer: &Frame, version: i16) -> anyhow::Result<Option<Frame>> {
        over(answer, version, |answer: &mut ProduceResponse| {
            self.put_all(answer.node_endpoints.iter_mut().map(|it| (&mut it.host, &mut it.port)))
        })
    }

    fn fetch(&self, answer: &Frame, version: i16) -> anyhow::Result<Option<Frame>> {
        over(answer, version, |answer: &mut FetchResponse| {
            self.put_all(answer.node_endpoints.iter_mut().map(|it| (&mut it.host, &mut it.port)))
        })
    }

    /// Answers how many were put.
    fn put_all<'a>(
        &self,
        places: impl Iterator<Item = (&'a mut StrBytes, &'a mut i32)>,
    ) -> anyhow::Result<usize> {
        let mut put = 0;
        // Where no broker can be named there is no host.
        for (host, port) in places.filter(|(host, _)| !host.is_empty()) {
            self.put(host, port)?;
            put += 1;
        }
        Ok(put)
    }

    /// Puts the proxy's port for a broker's. A broker that the proxy does not stand before would be
    /// reached behind its back, and the fault would spare it.
    fn put(&self, host: &mut StrBytes, port: &mut i32) -> anyhow::Result<()> {
        let broker = format!("{}:{port}", host.as_str());
        let stands_for_it = broker.parse().ok().and_then(|address: SocketAddr| self.0.get(&address));
        *port = i32::from(*stands_for_it.with_context(|| format!("no port stands for {broker}"))?);
        *host = StrBytes::from_static_str("127.0.0.1");
        Ok(())
    }
}

/// An answer with something in it changed; none where nothing was.
fn over<A: Decodable + Encodable + HeaderVersion>(
    answer: &Frame,
    version: i16,
    change: impl FnOnce(&mut A) -> anyhow::Result<usize>,
) -> anyhow::Result<Option<Frame>> {
    let mut body = Bytes::copy_from_slice(answer.body());
    let header_version = A::header_version(version);
    let header = ResponseHeader::decode(&mut body, header_version).context("read its header")?;
    let mut answer = A::decode(&mut body, version).context("read it")?;
    if change(&mut answer)? == 0 {
        return Ok(None);
    }
    let mut changed = BytesMut::new();
    header.encode(&mut changed, header_version).context("write its header")?;
    answer.encode(&mut changed, version).context("write it")?;
    Ok(Some(Frame::of(&changed)))
}
