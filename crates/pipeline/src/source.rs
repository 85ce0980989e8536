//! Where batches come from.

use std::sync::Arc;

use event::{EventTime, Positions};

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
}

/// Called with a partition and its group's committed offset; answers the offset to begin at, or
/// `None` for the beginning.
pub type OwnerStart = dyn Fn(&TopicPartition, Option<i64>) -> Result<Option<i64>, String> + Send + Sync;

/// Who knows where a newly assigned partition is to be read from.
#[derive(Clone)]
pub enum StartAt {
    /// The group's committed offset, else the beginning.
    Committed,
    /// Whoever keeps the offset beside its own data: a snapshot, a table, a database.
    Owner(Arc<OwnerStart>),
}

/// A record, borrowed from the client that fetched it.
pub struct RecordView<'a> {
    /// Topic.
    pub topic: &'a Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The record's time stamp as the broker keeps it.
    pub broker_time: EventTime,
    /// Value; empty for a record without one.
    pub payload: &'a [u8],
    /// Headers in order. A header without a value has an empty one.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

/// Who is told what a source has: a stage.
pub trait Reader {
    /// These partitions are ours from now on; their records follow.
    fn assigned(&mut self, partitions: &[TopicPartition]) -> Result<(), SourceError>;
    /// Every partition there is of what our group reads, told at each assignment: others hold what is
    /// not ours, and may not have read of it yet.
    fn announced(&mut self, _: &[TopicPartition]) {}
    /// Partitions of ours were asked for their end while they were quiet, and every record before it has
    /// been handed over. Told of each now and then, at least about every half minute.
    fn at_end(&mut self, _: &[TopicPartition]) {}
    /// These of ours have a backlog. Answers which of ours are to wait meanwhile, because what they
    /// bring could not be used before the backlog was read. Asked about once a second.
    fn ahead(&self, _backlogged: &[TopicPartition]) -> Vec<TopicPartition> {
        Vec::new()
    }
    /// These are no longer ours; no record of them is outstanding.
    fn revoked(&mut self, partitions: &[TopicPartition]);
    /// The next record of a partition that is ours, in offset order.
    fn record(&mut self, record: RecordView<'_>);
}

/// What one call of [`Source::next_batch`] has brought.
#[derive(Debug, Default)]
pub struct Polled {
    /// How far each partition was read.
    pub positions: Positions,
    /// How many records were handed over.
    pub records: usize,
    /// Whether every assigned partition was at its end when the call returned, and one is assigned.
    pub caught_up: bool,
    /// Why nothing can come at the moment, if the source cannot be reached.
    pub unreachable: Option<String>,
}

/// A place batches come from. What one partition holds arrives in offset order.
pub trait Source: Send {
    /// Waits a moment for records and hands them to `reader`. Returning none is not the end.
    fn next_batch(&mut self, reader: &mut dyn Reader) -> Result<Polled, SourceError>;
}

/// What to do about a source that failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Start again from the last committed position.
    #[error("source was interrupted: {0}")]
    Interrupted(String),
    /// Nothing will change until an operator does something.
    #[error("source is misconfigured: {0}")]
    Misconfigured(String),
}
