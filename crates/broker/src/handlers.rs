//! What each request does. One function per request, in the file of its subject.

mod cluster;
mod configs;
mod coordinator;
mod fetch;
mod group_admin;
mod list_offsets;
mod membership;
mod offsets;
mod produce;
mod records;
mod topics;
mod transaction_admin;
mod transactions;

pub(crate) use self::fetch::FETCH_BYTES_MAX;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::produce::check as check_batch;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;

use crate::connection::Reply;
use crate::frame::{FrameError, Request};
use crate::node::Node;

/// Begins a request. A produce is appended before this returns, so that records keep the order
/// of their requests; everything else waits for its turn to be answered.
pub(crate) fn begin(node: &Arc<Node>, mut request: Request, peer: SocketAddr) -> Result<Reply, FrameError> {
    if request.key == ApiKey::Produce {
        return produce::begin(node, &mut request);
    }
    let node = Arc::clone(node);
    Ok(Box::pin(async move { answer(node, request, peer).await.map(Some) }))
}

async fn answer(node: Arc<Node>, mut request: Request, peer: SocketAddr) -> Result<Bytes, FrameError> {
    let r = &mut request;
    let node = &node;
    match r.key {
        ApiKey::ApiVersions => cluster::api_versions(r),
        ApiKey::Metadata => cluster::metadata(node, r).await,
        ApiKey::DescribeCluster => cluster::describe_cluster(node, r),
        ApiKey::FindCoordinator => coordinator::find(node, r),
        ApiKey::Fetch => fetch::fetch(node, r).await,
        ApiKey::ListOffsets => list_offsets::list_offsets(node, r).await,
        ApiKey::DeleteRecords => records::delete(node, r).await,
        ApiKey::JoinGroup => membership::join(node, r, peer).await,
        ApiKey::SyncGroup => membership::sync(node, r).await,
        ApiKey::Heartbeat => membership::heartbeat(node, r),
        ApiKey::LeaveGroup => membership::leave(node, r),
        ApiKey::OffsetCommit => offsets::commit(node, r).await,
        ApiKey::OffsetFetch => offsets::fetch(node, r),
        ApiKey::TxnOffsetCommit => offsets::commit_in_transaction(node, r).await,
        ApiKey::ListGroups => group_admin::list(node, r),
        ApiKey::DescribeGroups => group_admin::describe(node, r),
        ApiKey::DeleteGroups => group_admin::delete(node, r).await,
        ApiKey::InitProducerId => transactions::init_producer_id(node, r).await,
        ApiKey::AddPartitionsToTxn => transactions::add_partitions(node, r).await,
        ApiKey::AddOffsetsToTxn => transactions::add_offsets(node, r).await,
        ApiKey::EndTxn => transactions::end(node, r).await,
        ApiKey::ListTransactions => transaction_admin::list(node, r),
        ApiKey::DescribeTransactions => transaction_admin::describe(node, r),
        ApiKey::DescribeProducers => transaction_admin::producers(node, r),
        ApiKey::CreateTopics => topics::create(node, r).await,
        ApiKey::DeleteTopics => topics::delete(node, r).await,
        ApiKey::CreatePartitions => topics::extend(node, r).await,
        ApiKey::DescribeConfigs => configs::describe(node, r),
        ApiKey::AlterConfigs => configs::replace(node, r).await,
        ApiKey::IncrementalAlterConfigs => configs::change(node, r).await,
        key => Err(FrameError::Unsupported { key: key as i16, version: r.version }),
    }
}

/// Kafka's number for how something went; zero is well.
fn code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}

fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}
