//! InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn and EndTxn.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ProducerId;
use kafka_protocol::messages::add_offsets_to_txn_request::AddOffsetsToTxnRequest;
use kafka_protocol::messages::add_offsets_to_txn_response::AddOffsetsToTxnResponse;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::end_txn_request::EndTxnRequest;
use kafka_protocol::messages::end_txn_response::EndTxnResponse;
use kafka_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use kafka_protocol::messages::init_producer_id_response::InitProducerIdResponse;

use super::code;
use crate::frame::{FrameError, Request};
use crate::journal::record::PartitionName;
use crate::log::marker::Producer;
use crate::node::Node;
use crate::security::client::{Access, Client};

pub(super) async fn init_producer_id(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let init: InitProducerIdRequest = request.decode()?;
    let given = fenced_by_name(given_producer(node, &init, client).await, request.version >= 4);
    let producer = given.as_ref().copied().unwrap_or(Producer { id: -1, epoch: -1 });
    let response = InitProducerIdResponse::default()
        .with_error_code(code(&given))
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch);
    request.encode(&response)
}

async fn given_producer(
    node: &Node,
    init: &InitProducerIdRequest,
    client: &Client,
) -> Result<Producer, ResponseError> {
    let Some(id) = &init.transactional_id else {
        return node.transactions.idempotent_producer().await;
    };
    if id.is_empty() {
        return Err(ResponseError::InvalidRequest);
    }
    client.may(Access::Transaction(id))?;
    if !(1..=node.config.transaction_timeout_ms_max).contains(&init.transaction_timeout_ms) {
        return Err(ResponseError::InvalidTransactionTimeout);
    }
    let believed = Producer { id: init.producer_id.0, epoch: init.producer_epoch };
    let expected = (believed.id >= 0).then_some(believed);
    node.transactions.own(id, init.transaction_timeout_ms, expected).await
}

pub(super) async fn add_partitions(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let add: AddPartitionsToTxnRequest = request.decode()?;
    let producer = Producer { id: add.v3_and_below_producer_id.0, epoch: add.v3_and_below_producer_epoch };
    let topics = add.v3_and_below_topics;
    let all_exist = names(&topics).all(|of| node.topics.partition(&of.topic, of.partition).is_ok());
    // All or nothing: with one unknown partition, the others are not attempted.
    let added = if let Err(denied) = client.may(Access::Transaction(&add.v3_and_below_transactional_id)) {
        Err(denied)
    } else if all_exist {
        let partitions = names(&topics).collect();
        node.transactions.add_partitions(&add.v3_and_below_transactional_id, producer, partitions).await
    } else {
        Err(ResponseError::OperationNotAttempted)
    };
    let added = fenced_by_name(added, request.version >= 2);
    let result = |of: PartitionName| {
        let exists = node.topics.partition(&of.topic, of.partition).map(drop);
        AddPartitionsToTxnPartitionResult::default()
            .with_partition_index(of.partition)
            .with_partition_error_code(code(&exists.and(added)))
    };
    let results = topics.iter().map(|topic| {
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(names(std::slice::from_ref(topic)).map(result).collect())
    });
    let response =
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect());
    request.encode(&response)
}

fn names(topics: &[AddPartitionsToTxnTopic]) -> impl Iterator<Item = PartitionName> {
    topics.iter().flat_map(|topic| {
        let name = |&partition: &i32| PartitionName { topic: topic.name.to_string(), partition };
        topic.partitions.iter().map(name)
    })
}

pub(super) async fn add_offsets(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let add: AddOffsetsToTxnRequest = request.decode()?;
    let producer = Producer { id: add.producer_id.0, epoch: add.producer_epoch };
    let may = client
        .may(Access::Transaction(&add.transactional_id))
        .and_then(|()| client.may(Access::Group(&add.group_id)));
    let added = match may {
        Ok(()) => node.transactions.add_group(&add.transactional_id, producer, &add.group_id).await,
        Err(denied) => Err(denied),
    };
    let added = fenced_by_name(added, request.version >= 2);
    request.encode(&AddOffsetsToTxnResponse::default().with_error_code(code(&added)))
}

pub(super) async fn end(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let end: EndTxnRequest = request.decode()?;
    let producer = Producer { id: end.producer_id.0, epoch: end.producer_epoch };
    let ended = match client.may(Access::Transaction(&end.transactional_id)) {
        Ok(()) => node.transactions.end(&end.transactional_id, producer, end.committed).await,
        Err(denied) => Err(denied),
    };
    let ended = fenced_by_name(ended, request.version >= 2);
    request.encode(&EndTxnResponse::default().with_error_code(code(&ended)))
}

/// Older clients know a fenced producer only by its epoch.
fn fenced_by_name<T>(result: Result<T, ResponseError>, knows_name: bool) -> Result<T, ResponseError> {
    result.map_err(|error| match error {
        ResponseError::ProducerFenced if !knows_name => ResponseError::InvalidProducerEpoch,
        other => other,
    })
}
