//! What the journal says, one fact per record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A change to what the broker knows besides the partitions' records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// So many bytes of this journal were durable when this was written. What is bad below is
    /// damage; what is bad above may have been torn by a crash.
    Synced { bytes: u64 },
    /// The cluster's name, drawn once.
    Cluster { id: String },
    /// A topic as it now is: created, extended or configured.
    Topic(TopicRecord),
    /// The topic is gone, with its offsets.
    TopicDeleted { name: String },
    /// Records before this offset were deleted on request.
    LogStart {
        topic: String,
        /// Which topic of that name.
        #[serde(default)]
        topic_id: Option<u64>,
        partition: i32,
        offset: i64,
    },
    /// Producer ids below this one may be in use.
    ProducerIdsReserved { until: i64 },
    /// Who now owns a transactional id.
    Producer(ProducerRecord),
    /// Partitions joined a transaction.
    PartitionsAdded { transactional_id: String, began_at_ms: i64, partitions: Vec<PartitionName> },
    /// Offsets that become the group's if the transaction commits.
    OffsetsPending { transactional_id: String, began_at_ms: i64, group: String, offsets: Vec<OffsetRecord> },
    /// A transaction has ended; what follows from it may still have to be written.
    Decided(Decision),
    /// Every marker of the decision is durable.
    Completed { decision: u64 },
    /// A group committed offsets.
    Offsets { group: String, offsets: Vec<OffsetRecord> },
    /// A group's offsets for these partitions are gone.
    OffsetsDeleted { group: String, partitions: Vec<PartitionName> },
    /// A group is gone, with its offsets.
    GroupDeleted { group: String },
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TopicRecord {
    pub(crate) name: String,
    /// Tells a topic from an earlier one of the same name.
    pub(crate) id: u64,
    pub(crate) partitions: i32,
    pub(crate) configs: BTreeMap<String, String>,
}

/// The owner of a transactional id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProducerRecord {
    pub(crate) transactional_id: String,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) timeout_ms: i32,
    /// Who owned it before, if it is the same client that may not know yet.
    #[serde(default)]
    pub(crate) former: Option<FormerRecord>,
}

/// What a client believed to be before its epoch was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FormerRecord {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// It was raised because its transaction took too long, and not at its own request.
    pub(crate) timed_out: bool,
}

/// A partition, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct PartitionName {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

/// An offset that a group committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OffsetRecord {
    #[serde(flatten)]
    pub(crate) of: PartitionName,
    #[serde(flatten)]
    pub(crate) committed: Committed,
}

/// Where a group stands in a partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Option<String>,
}

/// How a transaction ended, and where that must be marked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) id: u64,
    pub(crate) transactional_id: String,
    pub(crate) producer_id: i64,
    /// The epoch that the markers carry; higher than the producer's if it was fenced.
    pub(crate) epoch: i16,
    pub(crate) commit: bool,
    pub(crate) markers: Vec<Mark>,
}

/// A marker to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    #[serde(flatten)]
    pub(crate) of: PartitionName,
    /// Where the transaction begins there: if a later one begins elsewhere, this was marked.
    pub(crate) first_offset: i64,
}
