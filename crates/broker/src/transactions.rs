//! The transaction coordinator: owners of transactional ids, their open transactions, their ends.

mod ending;
mod ids;
mod producer;
mod recovery;
mod timeouts;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use kafka_protocol::error::ResponseError;
use tokio::sync::Notify;

use self::ending::begin_ending;
use self::ids::ProducerIds;
use self::producer::{Claim, Former, Owner};
pub(crate) use self::view::View;
use crate::clock::now_ms;
use crate::detached::detached;
use crate::guarded::Guarded;
use crate::journal::Journal;
use crate::journal::record::{OffsetRecord, PartitionName, Record};
use crate::log::marker::Producer;
use crate::topics::Topics;

const UNPOISONED: &str = "no one panics while holding the transactional ids";
/// The last epoch a producer id may have; the next owner gets a new id.
const EPOCH_MAX: i16 = i16::MAX - 1;

/// Every transactional id that was ever used.
#[derive(Debug)]
pub(crate) struct Transactions {
    journal: Arc<Journal>,
    topics: Arc<Topics>,
    ids: ProducerIds,
    by_id: RwLock<HashMap<String, Arc<Transactional>>>,
    ids_max: usize,
    decisions: AtomicU64,
    /// A transaction began: the watch over time-outs has something to look at.
    began: Notify,
}

/// A transactional id.
#[derive(Debug)]
struct Transactional {
    id: String,
    /// Held while the owner changes or a transaction ends.
    turn: tokio::sync::Mutex<()>,
    owner: Guarded<Owner>,
}

impl Transactions {
    /// A producer id without transactions.
    pub(crate) async fn idempotent_producer(&self) -> Result<Producer, ResponseError> {
        Ok(Producer { id: self.ids.next().await?, epoch: 0 })
    }

    /// Makes the caller the owner of a transactional id: earlier owners are fenced and what they
    /// left open is aborted. `expected` is what a caller that owns it already believes to be.
    pub(crate) async fn own(
        self: &Arc<Self>,
        id: &str,
        timeout_ms: i32,
        expected: Option<Producer>,
    ) -> Result<Producer, ResponseError> {
        let transactional = self.find_or_create(id, timeout_ms).await?;
        let this = Arc::clone(self);
        let owning = async move {
            let _turn = transactional.turn.lock().await;
            if let Some(believed) = expected {
                let owner = transactional.owner.lock();
                if owner.claim(believed)? == Claim::Unaware {
                    return Ok(owner.producer);
                }
            }
            let is_worn_out = transactional.owner.lock().producer.epoch >= EPOCH_MAX;
            let fresh_id = if is_worn_out { Some(this.ids.next().await?) } else { None };
            let (former, touched, now) = {
                let mut owner = transactional.owner.lock();
                let former = owner.producer;
                owner.producer = match fresh_id {
                    Some(id) => Producer { id, epoch: 0 },
                    None => Producer { id: former.id, epoch: former.epoch + 1 },
                };
                // Without a belief it is another client, and the former one is fenced.
                owner.former = expected.map(|producer| Former { producer, timed_out: false });
                owner.timeout_ms = timeout_ms;
                owner.last_committed = None;
                (former, begin_ending(&mut owner), owner.producer)
            };
            match touched {
                Some(touched) => this.abort_and_fence(&transactional, former, touched).await?,
                None => {
                    let record = transactional.owner.lock().record(&transactional.id);
                    this.journal.commit(&[Record::Producer(record)]).await?;
                }
            }
            Ok(now)
        };
        detached(owning).await
    }

    /// A new id begins with an epoch below zero, which its first owner raises.
    async fn find_or_create(&self, id: &str, timeout_ms: i32) -> Result<Arc<Transactional>, ResponseError> {
        if let Ok(found) = self.find(id) {
            return Ok(found);
        }
        let producer = Producer { id: self.ids.next().await?, epoch: -1 };
        let created = Arc::new(Transactional::new(id, Owner::new(producer, timeout_ms)));
        let mut by_id = self.by_id.write().expect(UNPOISONED);
        if by_id.len() >= self.ids_max && !by_id.contains_key(id) {
            return Err(ResponseError::PolicyViolation);
        }
        Ok(Arc::clone(by_id.entry(id.to_owned()).or_insert(created)))
    }

    fn find(&self, id: &str) -> Result<Arc<Transactional>, ResponseError> {
        let found = self.by_id.read().expect(UNPOISONED).get(id).cloned();
        found.ok_or(ResponseError::InvalidProducerIdMapping)
    }

    /// Lets the transaction write to partitions; it begins with the first. Durable when this
    /// returns, as are groups and offsets: a restart between an answer and the end of the
    /// transaction would commit it without them.
    pub(crate) async fn add_partitions(
        &self,
        id: &str,
        producer: Producer,
        partitions: Vec<PartitionName>,
    ) -> Result<(), ResponseError> {
        self.note_partitions(id, producer, partitions)?;
        self.journal.durable_so_far().await
    }

    fn note_partitions(
        &self,
        id: &str,
        producer: Producer,
        partitions: Vec<PartitionName>,
    ) -> Result<(), ResponseError> {
        let transactional = self.find(id)?;
        let mut owner = transactional.owner.lock();
        let touched = owner.open(producer, now_ms())?;
        let new: Vec<_> = partitions.into_iter().filter(|of| !touched.partitions.contains(of)).collect();
        if new.is_empty() && !touched.partitions.is_empty() {
            return Ok(());
        }
        touched.partitions.extend(new.iter().cloned());
        let began_at_ms = touched.began_at_ms;
        self.journal.append(&[Record::PartitionsAdded {
            transactional_id: id.to_owned(),
            began_at_ms,
            partitions: new,
        }]);
        self.began.notify_one();
        Ok(())
    }

    /// Lets the transaction commit offsets of a group.
    pub(crate) async fn add_group(
        &self,
        id: &str,
        producer: Producer,
        group: &str,
    ) -> Result<(), ResponseError> {
        self.note_group(id, producer, group)?;
        self.journal.durable_so_far().await
    }

    fn note_group(&self, id: &str, producer: Producer, group: &str) -> Result<(), ResponseError> {
        let transactional = self.find(id)?;
        let mut owner = transactional.owner.lock();
        let touched = owner.open(producer, now_ms())?;
        touched.offsets.entry(group.to_owned()).or_default();
        self.journal_offsets(id, touched.began_at_ms, group, Vec::new());
        self.began.notify_one();
        Ok(())
    }

    /// Holds offsets until the transaction ends.
    pub(crate) async fn pend_offsets(
        &self,
        id: &str,
        producer: Producer,
        group: &str,
        offsets: Vec<OffsetRecord>,
    ) -> Result<(), ResponseError> {
        self.note_offsets(id, producer, group, offsets)?;
        self.journal.durable_so_far().await
    }

    fn note_offsets(
        &self,
        id: &str,
        producer: Producer,
        group: &str,
        offsets: Vec<OffsetRecord>,
    ) -> Result<(), ResponseError> {
        let transactional = self.find(id)?;
        let mut owner = transactional.owner.lock();
        owner.check(producer)?;
        let touched = owner.open_already()?;
        let names = touched.offsets.get_mut(group).ok_or(ResponseError::InvalidTxnState)?;
        names.extend(offsets.iter().map(|offset| offset.of.clone()));
        self.journal_offsets(id, touched.began_at_ms, group, offsets);
        Ok(())
    }

    fn journal_offsets(&self, id: &str, began_at_ms: i64, group: &str, offsets: Vec<OffsetRecord>) {
        self.journal.append(&[Record::OffsetsPending {
            transactional_id: id.to_owned(),
            began_at_ms,
            group: group.to_owned(),
            offsets,
        }]);
    }

    /// Appends records while the transaction cannot end.
    pub(crate) fn while_open<T>(
        &self,
        id: &str,
        producer: Producer,
        to: &PartitionName,
        append: impl FnOnce() -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        let transactional = self.find(id)?;
        let owner = transactional.owner.lock();
        owner.check_produce(producer, to)?;
        append()
    }

    /// The partitions whose offsets for the group a transaction may yet change.
    pub(crate) fn pending_offsets(&self, group: &str) -> BTreeSet<PartitionName> {
        let mut pending = BTreeSet::new();
        for transactional in self.all() {
            let owner = transactional.owner.lock();
            let names = owner.touched().and_then(|touched| touched.offsets.get(group));
            pending.extend(names.into_iter().flatten().cloned());
        }
        pending
    }

    /// How many transactions are open.
    pub(crate) fn open_count(&self) -> usize {
        self.all().iter().filter(|transactional| transactional.owner.lock().touched().is_some()).count()
    }

    fn all(&self) -> Vec<Arc<Transactional>> {
        self.by_id.read().expect(UNPOISONED).values().cloned().collect()
    }

    fn next_decision(&self) -> u64 {
        self.decisions.fetch_add(1, Ordering::Relaxed)
    }
}

impl Transactional {
    fn new(id: &str, owner: Owner) -> Self {
        Self { id: id.to_owned(), turn: tokio::sync::Mutex::default(), owner: Guarded::new(owner) }
    }
}

#[cfg(test)]
mod tests;
