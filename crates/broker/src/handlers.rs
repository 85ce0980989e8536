//! What each request does. One function per request, in the file of its subject.

mod cluster;
mod configs;
mod coordinator;
mod fetch;
mod group_admin;
mod list_offsets;
mod log_dirs;
mod markers;
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

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;

use crate::connection::Reply;
use crate::frame::{FrameError, Request};
use crate::node::Node;
use crate::security::client::Client;

/// Begins a request. A produce is appended before this returns, so that records keep the order
/// of their requests; everything else waits for its turn to be answered.
pub(crate) fn begin(
    node: &Arc<Node>,
    mut request: Request,
    client: &Arc<Client>,
) -> Result<Reply, FrameError> {
    if request.key == ApiKey::Produce {
        return produce::begin(node, &mut request, client);
    }
    let (node, client) = (Arc::clone(node), Arc::clone(client));
    Ok(Box::pin(async move { answer(&node, request, &client).await.map(Some) }))
}

async fn answer(node: &Arc<Node>, mut request: Request, client: &Client) -> Result<Bytes, FrameError> {
    let r = &mut request;
    match r.key {
        ApiKey::ApiVersions => cluster::api_versions(r),
        ApiKey::Metadata => cluster::metadata(node, r, client).await,
        ApiKey::DescribeCluster => cluster::describe_cluster(node, r, client),
        ApiKey::FindCoordinator => coordinator::find(r, client),
        ApiKey::Fetch => fetch::fetch(node, r, client).await,
        ApiKey::ListOffsets => list_offsets::list_offsets(node, r, client).await,
        ApiKey::DeleteRecords => records::delete(node, r, client).await,
        ApiKey::JoinGroup => membership::join(node, r, client).await,
        ApiKey::SyncGroup => membership::sync(node, r, client).await,
        ApiKey::Heartbeat => membership::heartbeat(node, r, client),
        ApiKey::LeaveGroup => membership::leave(node, r, client),
        ApiKey::ConsumerGroupHeartbeat => membership::refuse_new_protocol(r),
        ApiKey::OffsetCommit => offsets::commit(node, r, client).await,
        ApiKey::OffsetFetch => offsets::fetch(node, r, client),
        ApiKey::TxnOffsetCommit => offsets::commit_in_transaction(node, r, client).await,
        ApiKey::ListGroups => group_admin::list(node, r, client),
        ApiKey::DescribeGroups => group_admin::describe(node, r, client),
        ApiKey::DeleteGroups => group_admin::delete(node, r, client).await,
        ApiKey::OffsetDelete => group_admin::delete_offsets(node, r, client).await,
        ApiKey::InitProducerId => transactions::init_producer_id(node, r, client).await,
        ApiKey::AddPartitionsToTxn => transactions::add_partitions(node, r, client).await,
        ApiKey::AddOffsetsToTxn => transactions::add_offsets(node, r, client).await,
        ApiKey::EndTxn => transactions::end(node, r, client).await,
        ApiKey::ListTransactions => transaction_admin::list(node, r, client),
        ApiKey::DescribeTransactions => transaction_admin::describe(node, r, client),
        ApiKey::DescribeProducers => transaction_admin::producers(node, r, client),
        ApiKey::WriteTxnMarkers => markers::write(node, r, client).await,
        ApiKey::DescribeLogDirs => log_dirs::describe(node, r, client),
        ApiKey::CreateTopics => topics::create(node, r, client).await,
        ApiKey::DeleteTopics => topics::delete(node, r, client).await,
        ApiKey::CreatePartitions => topics::extend(node, r, client).await,
        ApiKey::DescribeConfigs => configs::describe(node, r, client),
        ApiKey::AlterConfigs => configs::replace(node, r, client).await,
        ApiKey::IncrementalAlterConfigs => configs::change(node, r, client).await,
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
