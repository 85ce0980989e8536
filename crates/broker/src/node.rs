//! Everything that requests work on, in one place.

use std::io;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::groups::Groups;
use crate::journal::Journal;
use crate::metrics::Counters;
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
}
