//! WriteTxnMarkers: an operator aborts a transaction in one partition, where it holds back readers.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WriteTxnMarkersRequest};
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
};

use super::code;
use crate::frame::{FrameError, Request};
use crate::log::marker::Producer;
use crate::node::Node;
use crate::security::client::{Access, Client};

pub(super) async fn write(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let write: WriteTxnMarkersRequest = request.decode()?;
    let may = client.may(Access::Cluster);
    let mut results = Vec::with_capacity(write.markers.len());
    for marker in write.markers {
        let mut topics = Vec::with_capacity(marker.topics.len());
        for topic in &marker.topics {
            let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
            for &index in &topic.partition_indexes {
                let written = match may {
                    Ok(()) => abort(node, &topic.name, index, &marker).await,
                    Err(denied) => Err(denied),
                };
                let result = WritableTxnMarkerPartitionResult::default()
                    .with_partition_index(index)
                    .with_error_code(code(&written));
                partitions.push(result);
            }
            let result = WritableTxnMarkerTopicResult::default().with_name(topic.name.clone());
            topics.push(result.with_partitions(partitions));
        }
        let result = WritableTxnMarkerResult::default().with_producer_id(marker.producer_id);
        results.push(result.with_topics(topics));
    }
    request.encode(&WriteTxnMarkersResponse::default().with_markers(results))
}

/// Only an abort: what commits is the coordinator's to decide, and that is in this process.
async fn abort(
    node: &Node,
    topic: &str,
    index: i32,
    marker: &WritableTxnMarker,
) -> Result<(), ResponseError> {
    if marker.transaction_result {
        return Err(ResponseError::InvalidRequest);
    }
    let topic = node.topics.get(topic).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let partition = topic.partition(index)?;
    let producer = Producer { id: marker.producer_id.0, epoch: marker.producer_epoch };
    let end = partition.abort_open(producer, crate::clock::now_ms(), topic.config().segment_bytes)?;
    partition.durable(end).await
}
