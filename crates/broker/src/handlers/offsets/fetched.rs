//! Committed offsets, as the two forms of the OffsetFetch response want them.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::handlers::text;
use crate::journal::record::{Committed, PartitionName};
use crate::node::Node;

/// What a group has committed, by topic.
pub(super) struct Fetched {
    topics: Vec<(TopicName, Vec<Offset>)>,
}

struct Offset {
    index: i32,
    committed: Option<Committed>,
    /// A transaction may be about to change it.
    is_pending: bool,
}

impl Fetched {
    /// Reads what is asked for, or everything the group has.
    pub(super) fn read(
        node: &Node,
        group: &str,
        asked: Option<Vec<(TopicName, Vec<i32>)>>,
        pending: &BTreeSet<PartitionName>,
    ) -> Self {
        let known = node.journal.read(|state| state.groups.get(group).cloned().unwrap_or_default());
        let asked = asked.unwrap_or_else(|| everything(&known, pending));
        let topics = asked.into_iter().map(|(topic, indexes)| {
            let offset = |index| {
                let of = PartitionName { topic: topic.to_string(), partition: index };
                Offset { index, committed: known.get(&of).cloned(), is_pending: pending.contains(&of) }
            };
            let offsets = indexes.into_iter().map(offset).collect();
            (topic, offsets)
        });
        Self { topics: topics.collect() }
    }

    /// The response up to version 7.
    pub(super) fn of_one_group(self, version: i16) -> OffsetFetchResponse {
        let partition = |offset: Offset| {
            let response = OffsetFetchResponsePartition::default()
                .with_partition_index(offset.index)
                .with_error_code(offset.error_code())
                .with_committed_offset(offset.offset())
                .with_metadata(offset.metadata());
            if version >= 5 { response.with_committed_leader_epoch(offset.leader_epoch()) } else { response }
        };
        let topic = |(topic, offsets): (TopicName, Vec<Offset>)| {
            OffsetFetchResponseTopic::default()
                .with_name(topic)
                .with_partitions(offsets.into_iter().map(partition).collect())
        };
        OffsetFetchResponse::default().with_topics(self.topics.into_iter().map(topic).collect())
    }

    /// A group's part of the response from version 8 on.
    pub(super) fn of_group(self, group: GroupId) -> OffsetFetchResponseGroup {
        let partition = |offset: Offset| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(offset.index)
                .with_error_code(offset.error_code())
                .with_committed_offset(offset.offset())
                .with_committed_leader_epoch(offset.leader_epoch())
                .with_metadata(offset.metadata())
        };
        let topic = |(topic, offsets): (TopicName, Vec<Offset>)| {
            OffsetFetchResponseTopics::default()
                .with_name(topic)
                .with_partitions(offsets.into_iter().map(partition).collect())
        };
        let topics = self.topics.into_iter().map(topic).collect();
        OffsetFetchResponseGroup::default().with_group_id(group).with_topics(topics)
    }
}

/// The response from version 8 on.
pub(super) fn of_groups(groups: Vec<OffsetFetchResponseGroup>) -> OffsetFetchResponse {
    OffsetFetchResponse::default().with_groups(groups)
}

fn everything(
    known: &BTreeMap<PartitionName, Committed>,
    pending: &BTreeSet<PartitionName>,
) -> Vec<(TopicName, Vec<i32>)> {
    let mut by_topic: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for of in known.keys().chain(pending) {
        by_topic.entry(&of.topic).or_default().insert(of.partition);
    }
    let named =
        |(topic, indexes): (&str, BTreeSet<i32>)| (TopicName(text(topic)), indexes.into_iter().collect());
    by_topic.into_iter().map(named).collect()
}

impl Offset {
    fn settled(&self) -> Option<&Committed> {
        self.committed.as_ref().filter(|_| !self.is_pending)
    }

    fn offset(&self) -> i64 {
        self.settled().map_or(-1, |committed| committed.offset)
    }

    fn leader_epoch(&self) -> i32 {
        self.settled().map_or(-1, |committed| committed.leader_epoch)
    }

    fn metadata(&self) -> Option<StrBytes> {
        Some(self.settled().and_then(|committed| committed.metadata.clone()).map(text).unwrap_or_default())
    }

    fn error_code(&self) -> i16 {
        if self.is_pending { ResponseError::UnstableOffsetCommit.code() } else { 0 }
    }
}

/// The response up to version 7 to one who may not ask; the first version has no place for it.
pub(super) fn denied_one_group(error: ResponseError, version: i16) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    if version >= 2 { response.with_error_code(error.code()) } else { response }
}

/// A group in the response from version 8 on, to one who may not ask.
pub(super) fn denied(error: ResponseError, group: GroupId) -> OffsetFetchResponseGroup {
    OffsetFetchResponseGroup::default().with_group_id(group).with_error_code(error.code())
}
