//! OffsetCommit, OffsetFetch and TxnOffsetCommit: where groups stand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequest;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequest;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequest;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::protocol::StrBytes;

mod fetched;

use self::fetched::Fetched;
use super::code;
use crate::frame::{FrameError, Request};
use crate::group::Speaker;
use crate::journal::record::{Committed, OffsetRecord, PartitionName, Record};
use crate::log::marker::Producer;
use crate::node::Node;
use crate::security::client::{Access, Client};

const METADATA_BYTES_MAX: usize = 4096;

/// An offset that a client wants to commit, and whether it may.
struct Wish {
    index: i32,
    record: Result<OffsetRecord, ResponseError>,
}

fn wish(
    node: &Node,
    topic: &TopicName,
    index: i32,
    offset: i64,
    epoch: i32,
    metadata: Option<&StrBytes>,
) -> Wish {
    let record = if let Err(unknown) = node.topics.partition(topic, index) {
        Err(unknown)
    } else if metadata.is_some_and(|metadata| metadata.len() > METADATA_BYTES_MAX) {
        Err(ResponseError::OffsetMetadataTooLarge)
    } else {
        Ok(OffsetRecord {
            of: PartitionName { topic: topic.to_string(), partition: index },
            committed: Committed {
                offset,
                leader_epoch: epoch,
                metadata: metadata.map(|metadata| metadata.to_string()),
            },
        })
    };
    Wish { index, record }
}

/// The wishes that can be granted.
fn granted(wishes: &[(TopicName, Vec<Wish>)]) -> Vec<OffsetRecord> {
    let wishes = wishes.iter().flat_map(|(_, wishes)| wishes);
    wishes.filter_map(|wish| wish.record.as_ref().ok().cloned()).collect()
}

/// Each wish's own trouble, or else what became of all of them.
fn answer(wish: &Wish, all: Result<(), ResponseError>) -> i16 {
    code(&wish.record.as_ref().map_err(|error| *error).and(all.as_ref().map_err(|error| *error)))
}

pub(super) async fn commit(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let commit: OffsetCommitRequest = request.decode()?;
    let wishes: Vec<_> = commit
        .topics
        .iter()
        .map(|topic| {
            let wish =
                |asked: &kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition| {
                    let metadata = asked.committed_metadata.as_ref();
                    let epoch = asked.committed_leader_epoch;
                    wish(node, &topic.name, asked.partition_index, asked.committed_offset, epoch, metadata)
                };
            (topic.name.clone(), topic.partitions.iter().map(wish).collect::<Vec<_>>())
        })
        .collect();
    let speaker = Speaker {
        member_id: commit.member_id.to_string(),
        instance_id: commit.group_instance_id.map(|id| id.to_string()),
        generation: commit.generation_id_or_member_epoch,
    };
    let may = client.may(Access::Group(&commit.group_id));
    let all = match may.and_then(|()| check(node, &commit.group_id, &speaker, false)) {
        Ok(()) => {
            let offsets = granted(&wishes);
            node.journal.commit(&[Record::Offsets { group: commit.group_id.to_string(), offsets }]).await
        }
        Err(error) => Err(error),
    };
    let topics = wishes.into_iter().map(|(topic, wishes)| {
        let partition = |wish: &Wish| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(wish.index)
                .with_error_code(answer(wish, all))
        };
        OffsetCommitResponseTopic::default()
            .with_name(topic)
            .with_partitions(wishes.iter().map(partition).collect())
    });
    request.encode(&OffsetCommitResponse::default().with_topics(topics.collect()))
}

fn check(node: &Node, group: &str, speaker: &Speaker, in_transaction: bool) -> Result<(), ResponseError> {
    if group.is_empty() {
        return Err(ResponseError::InvalidGroupId);
    }
    node.check_group_limit(group)?;
    let checked =
        node.groups.with_quietly(group, |group| group.check_commit(speaker, in_transaction, Instant::now()));
    // A group without members: whoever speaks as a member is from before a restart.
    let without_members = if speaker.generation < 0 { Ok(()) } else { Err(ResponseError::IllegalGeneration) };
    checked.unwrap_or(without_members)
}

pub(super) async fn commit_in_transaction(
    node: &Arc<Node>,
    request: &mut Request,
    client: &Client,
) -> Result<Bytes, FrameError> {
    let commit: TxnOffsetCommitRequest = request.decode()?;
    let wishes: Vec<_> = commit
        .topics
        .iter()
        .map(|topic| {
            let wish = |asked: &kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition| {
                let metadata = asked.committed_metadata.as_ref();
                let epoch = asked.committed_leader_epoch;
                wish(node, &topic.name, asked.partition_index, asked.committed_offset, epoch, metadata)
            };
            (topic.name.clone(), topic.partitions.iter().map(wish).collect::<Vec<_>>())
        })
        .collect();
    let speaker = Speaker {
        member_id: commit.member_id.to_string(),
        instance_id: commit.group_instance_id.as_ref().map(|id| id.to_string()),
        generation: commit.generation_id,
    };
    let producer = Producer { id: commit.producer_id.0, epoch: commit.producer_epoch };
    let may = client
        .may(Access::Transaction(&commit.transactional_id))
        .and_then(|()| client.may(Access::Group(&commit.group_id)));
    let all = match may.and_then(|()| check_transactional(node, &commit.group_id, &speaker)) {
        Ok(()) => {
            let (id, group) = (&commit.transactional_id, &commit.group_id);
            node.transactions.pend_offsets(id, producer, group, granted(&wishes)).await
        }
        Err(error) => Err(error),
    };
    let all = all.map_err(|error| match error {
        ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
        other => other,
    });
    let topics = wishes.into_iter().map(|(topic, wishes)| {
        let partition = |wish: &Wish| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(wish.index)
                .with_error_code(answer(wish, all))
        };
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic)
            .with_partitions(wishes.iter().map(partition).collect())
    });
    request.encode(&TxnOffsetCommitResponse::default().with_topics(topics.collect()))
}

/// A producer need not say for which member it commits; if it does, the member must be current.
fn check_transactional(node: &Node, group: &str, speaker: &Speaker) -> Result<(), ResponseError> {
    node.check_group_limit(group)?;
    let names_no_member = speaker.generation < 0 && speaker.member_id.is_empty();
    if names_no_member && !group.is_empty() { Ok(()) } else { check(node, group, speaker, true) }
}

pub(super) fn fetch(node: &Node, request: &mut Request, client: &Client) -> Result<Bytes, FrameError> {
    let fetch: OffsetFetchRequest = request.decode()?;
    let look = |group: &str, asked: Option<Vec<(TopicName, Vec<i32>)>>| {
        let pending =
            if fetch.require_stable { node.transactions.pending_offsets(group) } else { BTreeSet::new() };
        Fetched::read(node, group, asked, &pending)
    };
    if request.version < 8 {
        if let Err(denied) = client.may(Access::Group(&fetch.group_id)) {
            return request.encode(&fetched::denied_one_group(denied, request.version));
        }
        let asked =
            |topics: &Vec<kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic>| {
                topics.iter().map(|topic| (topic.name.clone(), topic.partition_indexes.clone())).collect()
            };
        let fetched = look(&fetch.group_id, fetch.topics.as_ref().map(asked));
        return request.encode(&fetched.of_one_group(request.version));
    }
    let mut seen = BTreeSet::new();
    let once = fetch.groups.iter().filter(|group| seen.insert(group.group_id.clone()));
    let groups = once.map(|group| {
        if let Err(denied) = client.may(Access::Group(&group.group_id)) {
            return fetched::denied(denied, group.group_id.clone());
        }
        let asked =
            |topics: &Vec<kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopics>| {
                topics.iter().map(|topic| (topic.name.clone(), topic.partition_indexes.clone())).collect()
            };
        look(&group.group_id, group.topics.as_ref().map(asked)).of_group(group.group_id.clone())
    });
    request.encode(&fetched::of_groups(groups.collect()))
}
