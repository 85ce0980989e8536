//! FindCoordinator: it is always this node.

use bytes::Bytes;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};

use super::text;
use crate::frame::{FrameError, Request};
use crate::node::{NODE_ID, Node};

pub(super) fn find(node: &Node, request: &mut Request) -> Result<Bytes, FrameError> {
    let find: FindCoordinatorRequest = request.decode()?;
    let (host, port) = &node.advertised;
    if request.version < 4 {
        let response = FindCoordinatorResponse::default()
            .with_node_id(BrokerId(NODE_ID))
            .with_host(text(host))
            .with_port(i32::from(*port));
        return request.encode(&response);
    }
    let here = |key| {
        Coordinator::default()
            .with_key(key)
            .with_node_id(BrokerId(NODE_ID))
            .with_host(text(host))
            .with_port(i32::from(*port))
    };
    let coordinators = find.coordinator_keys.into_iter().map(here).collect();
    request.encode(&FindCoordinatorResponse::default().with_coordinators(coordinators))
}
