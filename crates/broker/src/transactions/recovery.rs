//! After a start: finishes what was decided, goes on with what is open, aborts what has no owner.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};

use tokio::sync::Notify;

use super::ids::ProducerIds;
use super::producer::{Owner, Phase, Touched};
use super::{Transactional, Transactions};
use crate::clock::now_ms;
use crate::guarded::Guarded;
use crate::journal::Journal;
use crate::journal::record::{Decision, Mark, PartitionName};
use crate::journal::state;
use crate::log::marker::Producer;
use crate::log::unstable::OpenTransaction;
use crate::partition::Partition;
use crate::topics::Topics;

impl Transactions {
    /// Takes up where the journal and the partitions' logs left off.
    pub(crate) fn recover(journal: Arc<Journal>, topics: Arc<Topics>, ids_max: usize) -> Arc<Self> {
        let (producers, decisions) = journal.read(|state| (state.producers.clone(), state.decisions.clone()));
        let restored = |(id, saved): (String, state::Producer)| {
            let transactional = Transactional::new(&id, Owner::restored(&saved));
            (id, Arc::new(transactional))
        };
        let by_id: HashMap<_, _> = producers.into_iter().map(restored).collect();
        let next_decision = decisions.keys().max().map_or(1, |last| last + 1);
        let transactions = Arc::new(Self {
            ids: ProducerIds::new(Arc::clone(&journal)),
            journal,
            topics,
            by_id: RwLock::new(by_id),
            ids_max,
            decisions: AtomicU64::new(next_decision),
            began: Notify::new(),
        });
        for decision in decisions.values() {
            let marking = transactions.mark(decision);
            let waiting = transactions.find(&decision.transactional_id).ok().filter(|transactional| {
                let mut owner = transactional.owner.lock();
                let waits = marking.is_under_way() && matches!(owner.phase, Phase::Idle);
                if waits {
                    owner.phase = Phase::Ending(Touched::default());
                }
                waits
            });
            tokio::spawn(Arc::clone(&transactions).complete(decision.clone(), marking, waiting));
        }
        transactions.adopt_open();
        transactions
    }

    /// Every open transaction in a log belongs to its owner's, or to no one.
    fn adopt_open(self: &Arc<Self>) {
        let by_producer_id = |one: Arc<Transactional>| {
            let id = one.owner.lock().producer.id;
            (id, one)
        };
        let by_producer: HashMap<_, _> = self.all().into_iter().map(by_producer_id).collect();
        for topic in self.topics.all() {
            for partition in topic.partitions() {
                for open in partition.open_transactions() {
                    let owner = by_producer.get(&open.producer.id).map(|transactional| &transactional.owner);
                    if !owner.is_some_and(|owner| adopt(owner, open.producer, partition)) {
                        self.abort_orphan(partition, open);
                    }
                }
            }
        }
    }

    fn abort_orphan(self: &Arc<Self>, partition: &Arc<Partition>, open: OpenTransaction) {
        let of = name_of(partition);
        tracing::warn!(topic = %of.topic, partition = of.partition, producer_id = open.producer.id,
            "aborted a transaction that no producer can end");
        let decision = Decision {
            id: 0,
            transactional_id: String::new(),
            producer_id: open.producer.id,
            epoch: open.producer.epoch,
            commit: false,
            markers: vec![Mark { of, first_offset: open.first_offset }],
        };
        let marking = self.mark(&decision);
        tokio::spawn(Arc::clone(self).complete(decision, marking, None));
    }
}

/// Counts the partition to the owner's transaction, if it is the owner's.
fn adopt(owner: &Guarded<Owner>, producer: Producer, partition: &Partition) -> bool {
    let mut owner = owner.lock();
    let Ok(touched) = owner.open(producer, now_ms()) else { return false };
    touched.partitions.insert(name_of(partition));
    true
}

fn name_of(partition: &Partition) -> PartitionName {
    PartitionName { topic: partition.topic().to_string(), partition: partition.index() }
}
