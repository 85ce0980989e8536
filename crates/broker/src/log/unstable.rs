//! Which transactions of a partition are open, and which were aborted: what read-committed needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::batch::BatchHeader;
use super::marker::{Outcome, Producer};

/// A transaction whose records readers of committed data must skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// Where its abort marker is.
    pub(crate) marker_offset: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    first_offset: i64,
    epoch: i16,
}

/// A transaction without an end, as found in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenTransaction {
    pub(crate) producer: Producer,
    pub(crate) first_offset: i64,
}

/// The transactions of one partition.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transactions {
    open: BTreeMap<i64, Open>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
}

impl Transactions {
    /// Notes a transactional batch of records.
    pub(crate) fn note_records(&mut self, batch: &BatchHeader) {
        let open = Open { first_offset: batch.base_offset, epoch: batch.producer_epoch };
        self.open.entry(batch.producer_id).or_insert(open).epoch = batch.producer_epoch;
    }

    /// Notes the marker that ends a transaction.
    pub(crate) fn note_marker(&mut self, marker: &BatchHeader, outcome: Outcome) {
        let Some(open) = self.open.remove(&marker.producer_id) else { return };
        if outcome == Outcome::Abort {
            self.aborted.push(Aborted {
                producer_id: marker.producer_id,
                first_offset: open.first_offset,
                marker_offset: marker.base_offset,
            });
        }
    }

    /// The first offset that may still be aborted.
    pub(crate) fn first_unstable(&self) -> Option<i64> {
        self.open.values().map(|open| open.first_offset).min()
    }

    /// Where the producer's open transaction begins.
    pub(crate) fn first_offset_of(&self, producer_id: i64) -> Option<i64> {
        self.open.get(&producer_id).map(|open| open.first_offset)
    }

    /// Every transaction without an end.
    pub(crate) fn open(&self) -> Vec<OpenTransaction> {
        let found = |(&id, open): (&i64, &Open)| OpenTransaction {
            producer: Producer { id, epoch: open.epoch },
            first_offset: open.first_offset,
        };
        self.open.iter().map(found).collect()
    }

    /// The aborted transactions that have records in `from..until`.
    pub(crate) fn aborted_between(&self, from: i64, until: i64) -> Vec<Aborted> {
        let begin = self.aborted.partition_point(|aborted| aborted.marker_offset < from);
        self.aborted[begin..].iter().filter(|aborted| aborted.first_offset < until).copied().collect()
    }

    /// Forgets aborted transactions that lie wholly before the log's start.
    pub(crate) fn forget_before(&mut self, log_start: i64) {
        let kept = self.aborted.partition_point(|aborted| aborted.marker_offset < log_start);
        self.aborted.drain(..kept);
    }
}
