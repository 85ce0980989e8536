//! FindCoordinator: it is always this node.

use bytes::Bytes;
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::text;
use crate::frame::{FrameError, Request};
use crate::node::NODE_ID;
use crate::security::client::{Access, Client};

const GROUP: i8 = 0;

pub(super) fn find(request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let find: FindCoordinatorRequest = request.decode()?;
    let (host, port) = &client.advertised;
    let may = |key: &str| {
        client.may(if find.key_type == GROUP { Access::Group(key) } else { Access::Transaction(key) })
    };
    if request.version < 4 {
        if let Err(error) = may(&find.key) {
            let nowhere = FindCoordinatorResponse::default().with_node_id(BrokerId(-1)).with_port(-1);
            return request.encode(&nowhere.with_error_code(error.code()));
        }
        let response = FindCoordinatorResponse::default()
            .with_node_id(BrokerId(NODE_ID))
            .with_host(text(host))
            .with_port(i32::from(*port));
        return request.encode(&response);
    }
    let here = |key: &StrBytes| {
        if let Err(error) = may(key) {
            let nowhere = Coordinator::default().with_node_id(BrokerId(-1)).with_port(-1);
            return nowhere.with_key(key.clone()).with_error_code(error.code());
        }
        Coordinator::default()
            .with_key(key.clone())
            .with_node_id(BrokerId(NODE_ID))
            .with_host(text(host))
            .with_port(i32::from(*port))
    };
    let coordinators = find.coordinator_keys.iter().map(here).collect();
    request.encode(&FindCoordinatorResponse::default().with_coordinators(coordinators))
}
