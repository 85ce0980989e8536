//! Everything that requests work on, in one place.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kafka_protocol::error::ResponseError;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::groups::Groups;
use crate::journal::Journal;
use crate::metrics::{BrokerMetrics, Counters};
use crate::topic_admin::TopicAdmin;
use crate::topics::Topics;
use crate::transactions::Transactions;

/// This broker's id; there is no other.
pub(crate) const NODE_ID: i32 = 1;

/// The parts of a running broker.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) cluster_id: String,
    pub(crate) counters: Arc<Counters>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) topic_admin: TopicAdmin,
    pub(crate) groups: Arc<Groups>,
    pub(crate) transactions: Arc<Transactions>,
    /// A permit for each byte of requests under way, and of records being fetched.
    pub(crate) request_memory: Arc<Semaphore>,
    pub(crate) fetch_memory: Arc<Semaphore>,
    /// Cancelled when the broker shuts down: nothing new is begun, nothing is waited for.
    pub(crate) stopping: CancellationToken,
}

impl Node {
    /// Counters and sizes now.
    pub(crate) fn metrics(&self) -> BrokerMetrics {
        let topics = self.topics.all();
        let partitions = || topics.iter().flat_map(|topic| topic.partitions());
        let mut groups = self.groups.ids();
        groups.extend(self.journal.read(|state| state.groups.keys().cloned().collect::<Vec<_>>()));
        BrokerMetrics {
            topics: topics.len() as u64,
            partitions: partitions().count() as u64,
            log_bytes: partitions().map(|partition| partition.bytes()).sum(),
            groups: groups.len() as u64,
            open_transactions: self.transactions.open_count() as u64,
            ..self.counters.snapshot()
        }
    }

    /// Refuses offsets of one more group than there may be.
    pub(crate) fn check_group_limit(&self, id: &str) -> Result<(), ResponseError> {
        let is_within = self
            .journal
            .read(|state| state.groups.len() < self.config.groups_max || state.groups.contains_key(id));
        if is_within { Ok(()) } else { Err(ResponseError::PolicyViolation) }
    }

    /// How the failure of the journal is told.
    pub(crate) fn journal_failed(&self, error: &Arc<io::Error>) -> BrokerError {
        let source = io::Error::new(error.kind(), Arc::clone(error));
        BrokerError::storage("write", self.config.data_dir.join("journal"))(source)
    }

    pub(crate) fn count_bytes_out(&self, bytes: usize) {
        self.counters.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
