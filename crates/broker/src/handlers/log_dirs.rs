//! DescribeLogDirs: how much of the disk each partition takes.

use bytes::Bytes;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use super::text;
use crate::frame::{FrameError, Request};
use crate::node::Node;
use crate::security::client::{Access, Client};
use crate::topics::{self, Topic};

pub(super) fn describe(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let wanted: DescribeLogDirsRequest = request.decode()?;
    if let Err(denied) = client.may(Access::Cluster) {
        // Before version 3 there is no place for an error: there is nothing to see.
        let code = if request.version >= 3 { denied.code() } else { 0 };
        return request.encode(&DescribeLogDirsResponse::default().with_error_code(code));
    }
    let topics = match &wanted.topics {
        None => node.topics.all().iter().map(|topic| sizes(topic, |_| true)).collect(),
        Some(named) => named.iter().filter_map(|named| named_sizes(node, named)).collect(),
    };
    let dir = topics::directory(&node.config.data_dir);
    let result =
        DescribeLogDirsResult::default().with_log_dir(text(dir.display().to_string())).with_topics(topics);
    request.encode(&DescribeLogDirsResponse::default().with_results(vec![result]))
}

/// A topic that is not here takes nothing.
fn named_sizes(node: &Node, named: &DescribableLogDirTopic) -> Option<DescribeLogDirsTopic> {
    let topic = node.topics.get(&named.topic)?;
    Some(sizes(&topic, |index| named.partitions.contains(&index)))
}

fn sizes(topic: &Topic, is_wanted: impl Fn(i32) -> bool) -> DescribeLogDirsTopic {
    let wanted = topic.partitions().iter().filter(|partition| is_wanted(partition.index()));
    let size = |partition: &std::sync::Arc<crate::partition::Partition>| {
        DescribeLogDirsPartition::default()
            .with_partition_index(partition.index())
            .with_partition_size(i64::try_from(partition.bytes()).unwrap_or(i64::MAX))
    };
    DescribeLogDirsTopic::default()
        .with_name(TopicName(text(&topic.record().name)))
        .with_partitions(wanted.map(size).collect())
}
