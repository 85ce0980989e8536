//! CreateTopics, DeleteTopics and CreatePartitions.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsRequest;
use kafka_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use kafka_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};

use super::text;
use crate::frame::{FrameError, Request};
use crate::node::Node;
use crate::security::client::{Access, Client};
use crate::topic_admin::{NewTopic, Refusal};

pub(super) async fn create(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let create: CreateTopicsRequest = request.decode()?;
    let mut topics = Vec::with_capacity(create.topics.len());
    for wanted in create.topics {
        let name = wanted.name.clone();
        let may = client.may(Access::Topic(&name)).map_err(Refusal::from);
        let created = match may.and_then(|()| new_topic(&wanted)) {
            Ok(new) => node.topic_admin.create(new, create.validate_only).await,
            Err(refusal) => Err(refusal),
        };
        let result = CreatableTopicResult::default().with_name(name);
        topics.push(match created {
            Ok(partitions) if request.version >= 5 => {
                result.with_num_partitions(partitions).with_replication_factor(1)
            }
            Ok(_) => result,
            Err(refusal) => {
                result.with_error_code(refusal.error.code()).with_error_message(Some(text(refusal.message)))
            }
        });
    }
    request.encode(&CreateTopicsResponse::default().with_topics(topics))
}

fn new_topic(wanted: &CreatableTopic) -> Result<NewTopic, Refusal> {
    if !matches!(wanted.replication_factor, -1 | 1) {
        let message = "there is one broker, so the replication factor is 1";
        return Err(Refusal::new(ResponseError::InvalidReplicationFactor, message));
    }
    let partitions = match wanted.num_partitions {
        -1 if !wanted.assignments.is_empty() => i32::try_from(wanted.assignments.len()).ok(),
        -1 => None,
        count => Some(count),
    };
    let config = |config: &kafka_protocol::messages::create_topics_request::CreatableTopicConfig| {
        let value = config.value.as_ref()?;
        Some((config.name.to_string(), value.to_string()))
    };
    Ok(NewTopic {
        name: wanted.name.to_string(),
        partitions,
        configs: wanted.configs.iter().filter_map(config).collect(),
    })
}

pub(super) async fn delete(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let doomed: DeleteTopicsRequest = request.decode()?;
    let mut responses = Vec::with_capacity(doomed.topic_names.len());
    for name in doomed.topic_names {
        let deleted = match client.may(Access::Topic(&name)) {
            Ok(()) => node.topic_admin.delete(&name).await,
            Err(denied) => Err(denied.into()),
        };
        let result = DeletableTopicResult::default().with_name(Some(name));
        responses.push(match deleted {
            Ok(()) => result,
            Err(refusal) if request.version >= 5 => {
                result.with_error_code(refusal.error.code()).with_error_message(Some(text(refusal.message)))
            }
            Err(refusal) => result.with_error_code(refusal.error.code()),
        });
    }
    request.encode(&DeleteTopicsResponse::default().with_responses(responses))
}

pub(super) async fn extend(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let extend: CreatePartitionsRequest = request.decode()?;
    let mut results = Vec::with_capacity(extend.topics.len());
    for topic in extend.topics {
        let extended = match client.may(Access::Topic(&topic.name)) {
            Ok(()) => node.topic_admin.extend(&topic.name, topic.count, extend.validate_only).await,
            Err(denied) => Err(denied.into()),
        };
        let result = CreatePartitionsTopicResult::default().with_name(topic.name);
        results.push(match extended {
            Ok(()) => result,
            Err(refusal) => {
                result.with_error_code(refusal.error.code()).with_error_message(Some(text(refusal.message)))
            }
        });
    }
    request.encode(&CreatePartitionsResponse::default().with_results(results))
}
