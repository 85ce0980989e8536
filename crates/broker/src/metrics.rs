//! What the broker tells of itself: [`BrokerMetrics`], a snapshot of what was counted and of what
//! there is.

mod counters;
mod gather;
mod histogram;

pub(crate) use self::counters::{Closing, Counters};

/// How many partitions, and how many groups' lags, are told one by one: the largest. A scrape does
/// not grow with whatever clients create.
pub const LISTED_MAX: usize = 500;

/// A snapshot of the broker's counters and sizes. Counters begin at zero with each start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BrokerMetrics {
    /// Requests answered or being answered.
    pub requests: u64,
    /// Bytes of these requests.
    pub bytes_in: u64,
    /// Bytes sent to clients.
    pub bytes_out: u64,
    /// The same by kind of request, for those that were made.
    pub apis: Vec<ApiMetrics>,
    /// Partitions of produce and fetch requests that were answered with an error.
    pub errors: Vec<ErrorMetrics>,
    /// Connections open now.
    pub connections: u64,
    /// Connections that there were, with those that are open.
    pub connections_opened: u64,
    /// Connections that the broker refused, because there were too many.
    pub connections_rejected: u64,
    /// Connections that the broker closed, because what came was not a request that it knows.
    pub connections_malformed: u64,
    /// Connections that the broker closed, because the client did nothing or not enough.
    pub connections_stalled: u64,
    /// Connections that the broker closed, because the client asked before it had shown who it is, or
    /// could not agree on TLS.
    pub connections_unidentified: u64,
    /// Clients that could not show who they are, since the start.
    pub authentication_failures: u64,
    /// Topics there are.
    pub topics: u64,
    /// Partitions of all topics.
    pub partitions: u64,
    /// Files that hold the partitions' logs.
    pub segments: u64,
    /// Bytes in all partitions' logs.
    pub log_bytes: u64,
    /// The partitions with the largest logs, at most [`LISTED_MAX`].
    pub largest_partitions: Vec<PartitionMetrics>,
    /// Consumer groups that have members or offsets.
    pub groups: u64,
    /// How far groups are behind, those that are the furthest, at most [`LISTED_MAX`].
    pub group_lags: Vec<GroupLag>,
    /// Transactions begun and not ended.
    pub open_transactions: u64,
    /// Times the disk was asked to make something durable.
    pub fsyncs: u64,
    /// Time spent waiting for that, in seconds.
    pub fsync_seconds: f64,
    /// How many of these took at most so many seconds, but longer than the bucket before allows;
    /// the last bucket has no bound.
    pub fsync_buckets: Vec<(f64, u64)>,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiMetrics {
    /// Kafka's name for it: `Produce`, `Fetch`.
    pub api: String,
    /// Requests.
    pub requests: u64,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of responses.
    pub bytes_out: u64,
}

/// One kind of error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorMetrics {
    /// Kafka's name for the request: `Produce`, `Fetch`.
    pub api: String,
    /// Kafka's name for the error: `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    pub error: String,
    /// How often it was answered.
    pub count: u64,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMetrics {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Bytes of its log.
    pub log_bytes: u64,
    /// The offset of its first record.
    pub log_start: i64,
    /// The offset after its last durable record.
    pub high_watermark: i64,
}

/// How far a group is behind in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLag {
    /// The group.
    pub group: String,
    /// The topic; of all its partitions in which the group has committed offsets.
    pub topic: String,
    /// Offsets between what is committed and what is durable. Transaction markers take offsets too.
    pub lag: u64,
}
