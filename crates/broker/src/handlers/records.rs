//! DeleteRecords: everything before an offset.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_records_request::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};

use super::code;
use crate::frame::{FrameError, Request};
use crate::journal::record::Record;
use crate::node::Node;
use crate::security::client::{Access, Client};

pub(super) async fn delete(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let delete: DeleteRecordsRequest = request.decode()?;
    let mut topics = Vec::with_capacity(delete.topics.len());
    for topic in delete.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        let may = client.may(Access::Topic(&topic.name));
        for asked in topic.partitions {
            let deleted = match may {
                Ok(()) => delete_before(node, &topic.name, asked.partition_index, asked.offset).await,
                Err(denied) => Err(denied),
            };
            let result = DeleteRecordsPartitionResult::default()
                .with_partition_index(asked.partition_index)
                .with_error_code(code(&deleted))
                .with_low_watermark(deleted.unwrap_or(-1));
            partitions.push(result);
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions));
    }
    request.encode(&DeleteRecordsResponse::default().with_topics(topics))
}

async fn delete_before(node: &Node, topic: &str, index: i32, offset: i64) -> Result<i64, ResponseError> {
    let found = node.topics.get(topic).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let log_start = found.partition(index)?.delete_before(offset)?;
    let record = Record::LogStart {
        topic: topic.to_owned(),
        topic_id: Some(found.record().id),
        partition: index,
        offset: log_start,
    };
    node.journal.commit(&[record]).await?;
    Ok(log_start)
}
