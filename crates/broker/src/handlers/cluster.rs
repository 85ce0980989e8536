//! ApiVersions, Metadata and DescribeCluster: what there is, and where.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use kafka_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use kafka_protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use kafka_protocol::messages::metadata_request::MetadataRequest;
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{ApiVersionsRequest, BrokerId, TopicName};

use super::text;
use crate::api::APIS;
use crate::frame::{self, FrameError, Request};
use crate::node::{NODE_ID, Node};
use crate::security::client::{Access, Client};
use crate::topics::Topic;

pub(super) fn api_versions(request: &mut Request) -> Result<Bytes, FrameError> {
    let version = |api: &crate::api::Api| {
        ApiVersion::default().with_api_key(api.key as i16).with_min_version(api.min).with_max_version(api.max)
    };
    let response = ApiVersionsResponse::default().with_api_keys(APIS.iter().map(version).collect());
    if request.version < 0 {
        // Too new a question: the oldest answer, which every client reads, says what to ask instead.
        let response = response.with_error_code(ResponseError::UnsupportedVersion.code());
        return frame::encode(request.key, 0, request.correlation_id, &response);
    }
    request.decode::<ApiVersionsRequest>()?;
    request.encode(&response)
}

pub(super) async fn metadata(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let metadata: MetadataRequest = request.decode()?;
    let may_create = request.version < 4 || metadata.allow_auto_topic_creation;
    let named = metadata.topics.filter(|topics| request.version > 0 || !topics.is_empty());
    let topics = match named {
        None => {
            let all = node.topics.all();
            all.iter()
                .filter(|topic| client.sees(&topic.record().name))
                .map(|topic| describe(topic))
                .collect()
        }
        Some(named) => {
            let mut topics = Vec::with_capacity(named.len());
            // Named twice is described once, or a small request would have an endless answer.
            let mut seen = HashSet::new();
            for name in named.into_iter().filter_map(|topic| topic.name) {
                if !seen.insert(name.clone()) {
                    continue;
                }
                topics.push(find_or_create(node, name, may_create, client).await);
            }
            topics
        }
    };
    let (host, port) = &client.advertised;
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(text(host))
        .with_port(i32::from(*port));
    let response = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(&node.cluster_id)))
        .with_controller_id(BrokerId(NODE_ID))
        .with_topics(topics);
    request.encode(&response)
}

async fn find_or_create(
    node: &Node,
    name: TopicName,
    may_create: bool,
    client: &Client,
) -> MetadataResponseTopic {
    if let Err(error) = client.may(Access::Append(&name)) {
        return MetadataResponseTopic::default().with_name(Some(name)).with_error_code(error.code());
    }
    let mut found = node.topics.get(&name);
    let mut error = ResponseError::UnknownTopicOrPartition;
    if found.is_none() && may_create {
        match create_on_demand(node, &name, client).await {
            Ok(()) => found = node.topics.get(&name),
            Err(refusal) => error = refusal,
        }
    }
    match found {
        Some(topic) => describe(&topic),
        None => MetadataResponseTopic::default().with_name(Some(name)).with_error_code(error.code()),
    }
}

/// Makes a topic that a client asked about, unless it has made enough of them.
async fn create_on_demand(node: &Node, name: &str, client: &Client) -> Result<(), ResponseError> {
    let all = node.topics.all();
    if client.topics_left(all.iter().map(|topic| topic.record().name.as_str())) == Some(0) {
        return Err(ResponseError::PolicyViolation);
    }
    node.topic_admin.create_on_demand(name).await
}

fn describe(topic: &Topic) -> MetadataResponseTopic {
    let here = || vec![BrokerId(NODE_ID)];
    let partition = |index: i32| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(NODE_ID))
            .with_replica_nodes(here())
            .with_isr_nodes(here())
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(&topic.record().name))))
        .with_partitions((0..topic.record().partitions).map(partition).collect())
}

pub(super) fn describe_cluster(
    node: &Node,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let _: DescribeClusterRequest = request.decode()?;
    if let Err(error) = client.may(Access::Cluster) {
        return request.encode(&DescribeClusterResponse::default().with_error_code(error.code()));
    }
    let (host, port) = &client.advertised;
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(NODE_ID))
        .with_host(text(host))
        .with_port(i32::from(*port));
    let response = DescribeClusterResponse::default()
        .with_cluster_id(text(&node.cluster_id))
        .with_controller_id(BrokerId(NODE_ID))
        .with_brokers(vec![broker]);
    request.encode(&response)
}
