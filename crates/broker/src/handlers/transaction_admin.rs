//! ListTransactions, DescribeTransactions and DescribeProducers: what an operator looks at when
//! readers of committed records wait.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::describe_producers_request::DescribeProducersRequest;
use kafka_protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::describe_transactions_request::DescribeTransactionsRequest;
use kafka_protocol::messages::describe_transactions_response::{
    DescribeTransactionsResponse, TopicData, TransactionState,
};
use kafka_protocol::messages::list_transactions_request::ListTransactionsRequest;
use kafka_protocol::messages::list_transactions_response::{
    ListTransactionsResponse, TransactionState as ListedTransaction,
};
use kafka_protocol::messages::{ProducerId, TopicName, TransactionalId};

use super::text;
use crate::frame::{FrameError, Request};
use crate::node::Node;
use crate::partition::PartitionProducer;
use crate::security::client::{Access, Client};
use crate::transactions::View;

/// The states that Kafka's tools know; a transaction here is in one of these.
const STATES: [&str; 7] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "PrepareEpochFence",
];

pub(super) fn list(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let list: ListTransactionsRequest = request.decode()?;
    let is_wanted = |view: &View| {
        let producers = &list.producer_id_filters;
        (list.state_filters.is_empty() || list.state_filters.iter().any(|state| state.as_str() == view.state))
            && (producers.is_empty() || producers.iter().any(|id| id.0 == view.producer.id))
    };
    let listed = |view: View| {
        ListedTransaction::default()
            .with_transactional_id(TransactionalId(text(view.transactional_id)))
            .with_producer_id(ProducerId(view.producer.id))
            .with_transaction_state(text(view.state))
    };
    let may_see = |view: &View| client.may(Access::Transaction(&view.transactional_id)).is_ok();
    let all = node.transactions.views().into_iter().filter(may_see);
    let unknown = list.state_filters.iter().filter(|state| !STATES.contains(&state.as_str()));
    let response = ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown.cloned().collect())
        .with_transaction_states(all.filter(is_wanted).map(listed).collect());
    request.encode(&response)
}

pub(super) fn describe(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let wanted: DescribeTransactionsRequest = request.decode()?;
    let describe = |id: TransactionalId| {
        let view = client.may(Access::Transaction(&id)).map(|()| node.transactions.view(&id));
        let state = match view {
            Err(denied) => TransactionState::default().with_error_code(denied.code()),
            Ok(Some(view)) => described(view),
            Ok(None) => {
                TransactionState::default().with_error_code(ResponseError::TransactionalIdNotFound.code())
            }
        };
        state.with_transactional_id(id)
    };
    let states = wanted.transactional_ids.into_iter().map(describe).collect();
    request.encode(&DescribeTransactionsResponse::default().with_transaction_states(states))
}

fn described(view: View) -> TransactionState {
    let mut by_topic: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for of in view.partitions {
        by_topic.entry(of.topic).or_default().push(of.partition);
    }
    let topic = |(topic, partitions): (String, Vec<i32>)| {
        TopicData::default().with_topic(TopicName(text(topic))).with_partitions(partitions)
    };
    TransactionState::default()
        .with_transaction_state(text(view.state))
        .with_transaction_timeout_ms(view.timeout_ms)
        .with_transaction_start_time_ms(view.began_at_ms.unwrap_or(-1))
        .with_producer_id(ProducerId(view.producer.id))
        .with_producer_epoch(view.producer.epoch)
        .with_topics(by_topic.into_iter().map(topic).collect())
}

pub(super) fn producers(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let wanted: DescribeProducersRequest = request.decode()?;
    let topics = wanted.topics.into_iter().map(|topic| {
        let may = client.may(Access::Topic(&topic.name));
        let partition = |&index: &i32| {
            let response = PartitionResponse::default().with_partition_index(index);
            match may.and_then(|()| node.topics.partition(&topic.name, index)) {
                Ok(partition) => {
                    response.with_active_producers(partition.producers().into_iter().map(active).collect())
                }
                Err(error) => response.with_error_code(error.code()),
            }
        };
        let partitions = topic.partition_indexes.iter().map(partition).collect();
        TopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    request.encode(&DescribeProducersResponse::default().with_topics(topics.collect()))
}

fn active(producer: PartitionProducer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(producer.seen.producer.id))
        .with_producer_epoch(i32::from(producer.seen.producer.epoch))
        .with_last_sequence(producer.seen.last_sequence)
        .with_last_timestamp(producer.seen.last_timestamp)
        .with_coordinator_epoch(0)
        .with_current_txn_start_offset(producer.transaction_start.unwrap_or(-1))
}
