//! ListOffsets: the earliest, the latest, or the first since some time.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};

use crate::frame::{FrameError, Request};
use crate::log::lookup::{Found, TimeSearch};
use crate::node::Node;
use crate::partition::Partition;
use crate::security::client::{Access, Client};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const NOT_FOUND: Found = Found { offset: -1, timestamp: -1 };

pub(super) async fn list_offsets(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let list: ListOffsetsRequest = request.decode()?;
    let committed_only = list.isolation_level == 1;
    let mut topics = Vec::with_capacity(list.topics.len());
    for topic in list.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        let may = client.may(Access::Topic(&topic.name));
        for asked in topic.partitions {
            let found = match may.and_then(|()| node.topics.partition(&topic.name, asked.partition_index)) {
                Ok(partition) => find(&partition, &asked, committed_only).await,
                Err(error) => Err(error),
            };
            partitions.push(respond(asked.partition_index, found));
        }
        topics.push(ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions));
    }
    request.encode(&ListOffsetsResponse::default().with_topics(topics))
}

async fn find(
    partition: &Partition,
    asked: &ListOffsetsPartition,
    committed_only: bool,
) -> Result<Found, ResponseError> {
    let offsets = partition.offsets()?;
    let end = if committed_only { offsets.last_stable } else { offsets.high_watermark };
    match asked.timestamp {
        LATEST => Ok(Found { offset: end, ..NOT_FOUND }),
        EARLIEST => Ok(Found { offset: offsets.log_start, ..NOT_FOUND }),
        MAX_TIMESTAMP => match partition.search_latest() {
            Some(search) => run(search, end).await,
            None => Ok(NOT_FOUND),
        },
        timestamp if timestamp >= 0 => run(partition.search_since(timestamp), end).await,
        _ => Err(ResponseError::InvalidRequest),
    }
}

/// A search reads the disk, so it runs where it may block.
async fn run(search: TimeSearch, end: i64) -> Result<Found, ResponseError> {
    match tokio::task::spawn_blocking(move || search.run(end)).await {
        Ok(Ok(found)) => Ok(found.unwrap_or(NOT_FOUND)),
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot search the log for a time");
            Err(ResponseError::KafkaStorageError)
        }
        Err(_) => Err(ResponseError::UnknownServerError),
    }
}

fn respond(index: i32, found: Result<Found, ResponseError>) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
    match found {
        Ok(found) => response.with_offset(found.offset).with_timestamp(found.timestamp),
        Err(error) => response.with_error_code(error.code()).with_offset(-1).with_timestamp(-1),
    }
}
