//! Transactions as operators see them.

use super::{Transactional, Transactions};
use crate::journal::record::PartitionName;
use crate::log::marker::Producer;

/// A transactional id, for those who look from outside.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) transactional_id: String,
    pub(crate) producer: Producer,
    pub(crate) timeout_ms: i32,
    /// The name that Kafka's tools know.
    pub(crate) state: &'static str,
    pub(crate) began_at_ms: Option<i64>,
    pub(crate) partitions: Vec<PartitionName>,
}

impl Transactions {
    /// Every transactional id, in order.
    pub(crate) fn views(&self) -> Vec<View> {
        let mut views: Vec<_> = self.all().iter().map(|transactional| transactional.view()).collect();
        views.sort_unstable_by(|one, other| one.transactional_id.cmp(&other.transactional_id));
        views
    }

    /// One transactional id.
    pub(crate) fn view(&self, id: &str) -> Option<View> {
        self.find(id).ok().map(|transactional| transactional.view())
    }
}

impl Transactional {
    fn view(&self) -> View {
        let owner = self.owner.lock();
        let touched = owner.touched();
        View {
            transactional_id: self.id.clone(),
            producer: owner.producer,
            timeout_ms: owner.timeout_ms,
            state: owner.state(),
            began_at_ms: touched.map(|touched| touched.began_at_ms),
            partitions: touched
                .map(|touched| touched.partitions.iter().cloned().collect())
                .unwrap_or_default(),
        }
    }
}
