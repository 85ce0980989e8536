//! DescribeConfigs, AlterConfigs and IncrementalAlterConfigs, for topics; the broker's own
//! settings can be read, and changed in its configuration only.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::alter_configs_request::AlterConfigsRequest;
use kafka_protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use kafka_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
};
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterableConfig, IncrementalAlterConfigsRequest,
};
use kafka_protocol::messages::incremental_alter_configs_response as incremental;
use kafka_protocol::protocol::StrBytes;

use super::text;
use crate::frame::{FrameError, Request};
use crate::node::{NODE_ID, Node};
use crate::security::client::{Access, Client};
use crate::topic_admin::Refusal;
use crate::topic_config::SETTINGS;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const SET_FOR_TOPIC: i8 = 1;
const SET_FOR_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

const OPERATION_SET: i8 = 0;
const OPERATION_DELETE: i8 = 1;

pub(super) fn describe(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let wanted: DescribeConfigsRequest = request.decode()?;
    let results = wanted.resources.into_iter().map(|resource| {
        let may = client.may(access(resource.resource_type, &resource.resource_name));
        let described = may.and_then(|()| match resource.resource_type {
            TOPIC => topic_configs(node, &resource, request.version),
            BROKER => broker_configs(node, &resource),
            _ => Err(ResponseError::InvalidRequest),
        });
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name);
        match described {
            Ok(configs) => result.with_configs(configs),
            Err(error) => {
                result.with_error_code(error.code()).with_error_message(Some(text(error.to_string())))
            }
        }
    });
    request.encode(&DescribeConfigsResponse::default().with_results(results.collect()))
}

/// What it takes to see or change the settings of something.
fn access(resource_type: i8, name: &str) -> Access<'_> {
    if resource_type == TOPIC { Access::Topic(name) } else { Access::Cluster }
}

fn topic_configs(
    node: &Node,
    resource: &DescribeConfigsResource,
    version: i16,
) -> Result<Vec<DescribeConfigsResourceResult>, ResponseError> {
    let topic = node.topics.get(&resource.resource_name).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let wanted = SETTINGS.iter().filter(|setting| is_wanted(resource, setting.name));
    let described = wanted.map(|setting| {
        let set = topic.record().configs.get(setting.name);
        let value = set.cloned().unwrap_or_else(|| (setting.default)(&node.config));
        let result = DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(setting.name))
            .with_value(Some(text(value)))
            .with_config_source(if set.is_some() { SET_FOR_TOPIC } else { DEFAULT });
        if version >= 3 { result.with_config_type(setting.kind as i8) } else { result }
    });
    Ok(described.collect())
}

fn broker_configs(
    node: &Node,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, ResponseError> {
    let is_this = resource.resource_name.parse() == Ok(NODE_ID);
    if !is_this && !resource.resource_name.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    let config = &node.config;
    let settings = [
        ("auto.create.topics.enable", config.auto_create_topics.to_string()),
        ("log.retention.bytes", config.retention_bytes.to_string()),
        ("log.retention.ms", config.retention_ms.to_string()),
        ("log.segment.bytes", config.segment_bytes.to_string()),
        ("max.connections", config.connections_max.to_string()),
        ("message.max.bytes", config.message_bytes_max.to_string()),
        ("num.partitions", config.default_partitions.to_string()),
        ("socket.request.max.bytes", config.request_bytes_max.to_string()),
        ("transaction.max.timeout.ms", config.transaction_timeout_ms_max.to_string()),
    ];
    let wanted = settings.into_iter().filter(|(name, _)| is_wanted(resource, name));
    let described = wanted.map(|(name, value)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(text(value)))
            .with_read_only(true)
            .with_config_source(SET_FOR_BROKER)
    });
    Ok(described.collect())
}

fn is_wanted(resource: &DescribeConfigsResource, name: &str) -> bool {
    let keys = resource.configuration_keys.as_ref();
    keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name))
}

pub(super) async fn replace(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let alter: AlterConfigsRequest = request.decode()?;
    let mut responses = Vec::with_capacity(alter.resources.len());
    for resource in alter.resources {
        let value = |config: kafka_protocol::messages::alter_configs_request::AlterableConfig| {
            Some((config.name.to_string(), config.value?.to_string()))
        };
        let configs: BTreeMap<_, _> = resource.configs.into_iter().filter_map(value).collect();
        let changed =
            alter_topic(node, resource.resource_type, &resource.resource_name, alter.validate_only, |set| {
                *set = configs;
                Ok(())
            });
        let may = client.may(access(resource.resource_type, &resource.resource_name));
        let (code, message) = told(permitted(may, changed).await);
        responses.push(
            AlterConfigsResourceResponse::default()
                .with_error_code(code)
                .with_error_message(message)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name),
        );
    }
    request.encode(&AlterConfigsResponse::default().with_responses(responses))
}

pub(super) async fn change(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let alter: IncrementalAlterConfigsRequest = request.decode()?;
    let mut responses = Vec::with_capacity(alter.resources.len());
    for resource in alter.resources {
        let changes = resource.configs;
        let changed =
            alter_topic(node, resource.resource_type, &resource.resource_name, alter.validate_only, |set| {
                changes.into_iter().try_for_each(|change| apply(change, set))
            });
        let may = client.may(access(resource.resource_type, &resource.resource_name));
        let (code, message) = told(permitted(may, changed).await);
        responses.push(
            incremental::AlterConfigsResourceResponse::default()
                .with_error_code(code)
                .with_error_message(message)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name),
        );
    }
    request.encode(&incremental::IncrementalAlterConfigsResponse::default().with_responses(responses))
}

fn apply(change: AlterableConfig, set: &mut BTreeMap<String, String>) -> Result<(), Refusal> {
    let name = change.name.to_string();
    match (change.config_operation, change.value) {
        (OPERATION_SET, Some(value)) => drop(set.insert(name, value.to_string())),
        (OPERATION_DELETE, _) | (OPERATION_SET, None) => drop(set.remove(&name)),
        _ => {
            let message = format!("{name} can be set or deleted, not added to or subtracted from");
            return Err(Refusal::new(ResponseError::InvalidConfig, message));
        }
    }
    Ok(())
}

/// Does it, if it may be done.
async fn permitted(
    may: Result<(), ResponseError>,
    change: impl Future<Output = Result<(), Refusal>>,
) -> Result<(), Refusal> {
    may?;
    change.await
}

async fn alter_topic(
    node: &Node,
    resource_type: i8,
    name: &str,
    validate_only: bool,
    change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    if resource_type != TOPIC {
        let message = "only topics can be configured here; the broker reads its configuration at its start";
        return Err(Refusal::new(ResponseError::InvalidRequest, message));
    }
    node.topic_admin.configure(name, validate_only, change).await
}

fn told(changed: Result<(), Refusal>) -> (i16, Option<StrBytes>) {
    match changed {
        Ok(()) => (0, None),
        Err(refusal) => (refusal.error.code(), Some(text(refusal.message))),
    }
}
