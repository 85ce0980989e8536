//! How a transaction ends: the decision in the journal first, then a marker in each partition.
//!
//! Offsets become the group's by the decision itself, see [`crate::journal::state`].

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::error::ResponseError;

use super::producer::{Owner, Phase, Touched};
use super::{Transactional, Transactions};
use crate::clock::now_ms;
use crate::detached::detached;
use crate::journal::record::{Decision, Mark, PartitionName, Record};
use crate::log::marker::{Outcome, Producer};
use crate::partition::Partition;

/// How long a partition that had no room for a marker is left alone.
const MARK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How far a decision is marked in its partitions.
#[derive(Debug, Default)]
pub(super) struct Marking {
    /// The marker is there; durable when the partition is, up to this offset.
    marked: Vec<(Arc<Partition>, i64)>,
    /// It found no room, and is tried again.
    refused: Vec<Unmarked>,
    /// It takes a restart to mark one of them: its disk failed.
    has_failed: bool,
}

/// A partition without its marker, and how large its segments grow.
#[derive(Debug)]
struct Unmarked {
    partition: Arc<Partition>,
    segment_bytes: u64,
}

impl Marking {
    /// Whether the producer's next transaction might be taken for this one.
    pub(super) fn is_under_way(&self) -> bool {
        !self.refused.is_empty()
    }
}

impl Transactions {
    /// Ends the producer's transaction as it asks.
    pub(crate) async fn end(
        self: &Arc<Self>,
        id: &str,
        producer: Producer,
        commit: bool,
    ) -> Result<(), ResponseError> {
        let transactional = self.find(id)?;
        let this = Arc::clone(self);
        let ending = async move {
            let _turn = transactional.turn.lock().await;
            let touched = {
                let mut owner = transactional.owner.lock();
                owner.check(producer)?;
                match begin_ending(&mut owner) {
                    Some(touched) => touched,
                    None if owner.last_committed == Some(commit) => return Ok(()),
                    None => return Err(ResponseError::InvalidTxnState),
                }
            };
            this.finish(&transactional, producer, commit, &touched, &[]).await
        };
        detached(ending).await
    }

    /// Aborts what a former owner left open, with an epoch that fences it, and records the owner.
    /// The caller has the turn, and has given the owner its new epoch.
    pub(super) async fn abort_and_fence(
        self: &Arc<Self>,
        transactional: &Arc<Transactional>,
        former: Producer,
        touched: Touched,
    ) -> Result<(), ResponseError> {
        let owner = Record::Producer(transactional.owner.lock().record(&transactional.id));
        let fenced = Producer { id: former.id, epoch: former.epoch.saturating_add(1) };
        self.finish(transactional, fenced, false, &touched, &[owner]).await
    }

    /// Decides, marks, and lets the next transaction begin.
    async fn finish(
        self: &Arc<Self>,
        transactional: &Arc<Transactional>,
        producer: Producer,
        commit: bool,
        touched: &Touched,
        also: &[Record],
    ) -> Result<(), ResponseError> {
        let decision = Decision {
            id: self.next_decision(),
            transactional_id: transactional.id.clone(),
            producer_id: producer.id,
            epoch: producer.epoch,
            commit,
            markers: self.marks(producer.id, touched),
        };
        let mut records = vec![Record::Decided(decision.clone())];
        records.extend_from_slice(also);
        self.journal.commit(&records).await?;
        let marking = self.mark(&decision);
        {
            let mut owner = transactional.owner.lock();
            owner.last_committed = also.is_empty().then_some(commit);
            if !marking.is_under_way() {
                owner.phase = Phase::Idle;
            }
        }
        if !decision.markers.is_empty() {
            tokio::spawn(Arc::clone(self).complete(decision, marking, Some(Arc::clone(transactional))));
        }
        Ok(())
    }

    /// Where the transaction has records.
    fn marks(&self, producer_id: i64, touched: &Touched) -> Vec<Mark> {
        let mark = |of: &PartitionName| {
            let partition = self.topics.partition(&of.topic, of.partition).ok()?;
            let first_offset = partition.transaction_start(producer_id)?;
            Some(Mark { of: of.clone(), first_offset })
        };
        touched.partitions.iter().filter_map(mark).collect()
    }

    /// Appends the decision's markers wherever they are missing.
    pub(super) fn mark(&self, decision: &Decision) -> Marking {
        let mut marking = Marking::default();
        for mark in &decision.markers {
            let Some(topic) = self.topics.get(&mark.of.topic) else { continue };
            let Ok(partition) = topic.partition(mark.of.partition) else { continue };
            if partition.transaction_start(decision.producer_id) != Some(mark.first_offset) {
                continue; // marked before a crash; what is open now came later
            }
            let segment_bytes = topic.config().segment_bytes;
            marking.refused.push(Unmarked { partition: Arc::clone(partition), segment_bytes });
        }
        mark_refused(decision, &mut marking);
        marking
    }

    /// Forgets the decision once its markers are durable. A `transactional` whose next transaction
    /// had to wait for the markers may then begin it.
    pub(super) async fn complete(
        self: Arc<Self>,
        decision: Decision,
        mut marking: Marking,
        transactional: Option<Arc<Transactional>>,
    ) {
        if marking.is_under_way() {
            while marking.is_under_way() {
                tokio::time::sleep(MARK_AGAIN_AFTER).await;
                mark_refused(&decision, &mut marking);
            }
            if let Some(transactional) = transactional {
                transactional.owner.lock().phase = Phase::Idle;
            }
        }
        for (partition, end) in marking.marked {
            match partition.durable(end).await {
                Ok(()) | Err(ResponseError::UnknownTopicOrPartition) => {}
                Err(_) => return, // kept, to be marked again after a restart
            }
        }
        if !marking.has_failed {
            self.journal.append(&[Record::Completed { decision: decision.id }]);
        }
    }
}

/// Tries the partitions that have no marker yet. Those that were deleted need none.
fn mark_refused(decision: &Decision, marking: &mut Marking) {
    let producer = Producer { id: decision.producer_id, epoch: decision.epoch };
    let outcome = if decision.commit { Outcome::Commit } else { Outcome::Abort };
    for unmarked in std::mem::take(&mut marking.refused) {
        let partition = &unmarked.partition;
        match partition.append_marker(producer, outcome, now_ms(), unmarked.segment_bytes) {
            Ok(end) => marking.marked.push((unmarked.partition, end)),
            Err(ResponseError::UnknownTopicOrPartition) => {}
            // After a restart the decision is found again. Until then the partition takes no
            // records either, so a later transaction cannot be mixed up with this one.
            Err(_) if partition.has_failed() => marking.has_failed = true,
            Err(_) => marking.refused.push(unmarked),
        }
    }
}

/// Takes an open transaction into its end.
pub(super) fn begin_ending(owner: &mut Owner) -> Option<Touched> {
    match std::mem::replace(&mut owner.phase, Phase::Idle) {
        Phase::Open(touched) => {
            owner.phase = Phase::Ending(touched.clone());
            Some(touched)
        }
        other => {
            owner.phase = other;
            None
        }
    }
}
