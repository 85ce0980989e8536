//! What the broker counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A snapshot of the broker's counters and sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BrokerMetrics {
    /// Requests answered or being answered, since the start.
    pub requests: u64,
    /// Bytes received from clients.
    pub bytes_in: u64,
    /// Bytes sent to clients.
    pub bytes_out: u64,
    /// Connections open now.
    pub connections: u64,
    /// Clients that could not show who they are, since the start.
    pub authentication_failures: u64,
    /// Topics there are.
    pub topics: u64,
    /// Partitions of all topics.
    pub partitions: u64,
    /// Bytes in all partitions' logs.
    pub log_bytes: u64,
    /// Consumer groups that have members or offsets.
    pub groups: u64,
    /// Transactions begun and not ended.
    pub open_transactions: u64,
    /// Times the disk was asked to make something durable.
    pub fsyncs: u64,
    /// Time spent waiting for that, in seconds.
    pub fsync_seconds: f64,
}

/// Counters that requests and threads add to.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) authentication_failures: AtomicU64,
    fsyncs: AtomicU64,
    fsync_nanos: AtomicU64,
}

impl Counters {
    /// Counts syncs that took `took` together.
    pub(crate) fn count_syncs(&self, count: u64, took: Duration) {
        self.fsyncs.fetch_add(count, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.fsync_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The counters; the sizes are filled in by whoever knows them.
    pub(crate) fn snapshot(&self) -> BrokerMetrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BrokerMetrics {
            requests: read(&self.requests),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            connections: read(&self.connections),
            authentication_failures: read(&self.authentication_failures),
            fsyncs: read(&self.fsyncs),
            fsync_seconds: Duration::from_nanos(read(&self.fsync_nanos)).as_secs_f64(),
            ..BrokerMetrics::default()
        }
    }
}
