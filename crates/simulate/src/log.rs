//! A Kafka of one broker: partitions, transactions, groups. It never fails by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use event::{EventTime, Positions};
use pipeline::{OutRecord, TopicPartition};

mod group;

use self::group::Group;

/// A transaction that is open for longer is aborted.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// A record, or the marker at the end of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) payload: Arc<[u8]>,
    pub(crate) broker_time: EventTime,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Committed,
    Open,
    Aborted,
    Marker,
}

/// Why the log refuses a transactional request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another has taken over the transactional id, or the transaction took too long.
    Fenced,
    /// The member is not what the group takes it for.
    StaleMember,
}

/// What a partition holds.
#[derive(Debug, Default)]
struct Partition {
    entries: Vec<Entry>,
    /// Where records of open transactions are.
    open: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct Producer {
    epoch: u64,
    open: Option<Transaction>,
}

#[derive(Debug)]
struct Transaction {
    began: Duration,
    records: Vec<(TopicPartition, usize)>,
    offsets: Vec<(&'static str, TopicPartition, i64)>,
}

/// Who asks in a transaction.
#[derive(Clone, Debug)]
pub(crate) struct ProducerId {
    pub(crate) transactional_id: String,
    pub(crate) epoch: u64,
}

/// Which member of which group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) group: &'static str,
    pub(crate) id: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    partitions: BTreeMap<TopicPartition, Partition>,
    producers: BTreeMap<String, Producer>,
    groups: BTreeMap<&'static str, Group>,
}

impl Log {
    pub(crate) fn create(&mut self, topic: &Arc<str>, partitions: i32) {
        for partition in 0..partitions {
            let of = TopicPartition { topic: Arc::clone(topic), partition };
            self.partitions.entry(of).or_default();
        }
    }

    /// The partitions of topics that the test picks.
    pub(crate) fn partitions(&self, reads: impl Fn(&str) -> bool) -> Vec<TopicPartition> {
        self.partitions.keys().filter(|of| reads(&of.topic)).cloned().collect()
    }

    /// What a shipper appends.
    pub(crate) fn append(&mut self, of: &TopicPartition, payload: &[u8], broker_time: EventTime) {
        let entry = Entry { payload: payload.into(), broker_time, state: State::Committed };
        self.partitions.entry(of.clone()).or_default().entries.push(entry);
    }

    /// Where committed records end: at the first that is open.
    pub(crate) fn stable_end(&self, of: &TopicPartition) -> i64 {
        let Partition { entries, open } = &self.partitions[of];
        open.first().copied().unwrap_or(entries.len()) as i64
    }

    /// Whether no transaction is open in a partition.
    fn is_closed(&self, of: &TopicPartition) -> bool {
        self.partitions[of].open.is_empty()
    }

    /// The committed record at an offset; `None` for what readers pass over.
    pub(crate) fn read(&self, of: &TopicPartition, offset: i64) -> Option<Entry> {
        let entry = &self.partitions[of].entries[offset as usize];
        (entry.state == State::Committed).then(|| entry.clone())
    }

    /// Takes over a transactional id: what its former owner has not ended is aborted.
    pub(crate) fn take_over(&mut self, transactional_id: &str) -> ProducerId {
        self.end(transactional_id, State::Aborted);
        let producer = self.producers.entry(transactional_id.to_owned()).or_default();
        producer.epoch += 1;
        ProducerId { transactional_id: transactional_id.to_owned(), epoch: producer.epoch }
    }

    fn transaction(&mut self, who: &ProducerId, now: Duration) -> Result<&mut Transaction, Refused> {
        let producer = self.producers.get_mut(&who.transactional_id).ok_or(Refused::Fenced)?;
        if producer.epoch != who.epoch {
            return Err(Refused::Fenced);
        }
        let fresh = Transaction { began: now, records: Vec::new(), offsets: Vec::new() };
        Ok(producer.open.get_or_insert(fresh))
    }

    pub(crate) fn produce(
        &mut self,
        who: &ProducerId,
        record: &OutRecord,
        broker_time: EventTime,
        now: Duration,
    ) -> Result<(), Refused> {
        let partition = record.partition.unwrap_or(0);
        let of = TopicPartition { topic: Arc::clone(&record.topic), partition };
        let offset = self.partitions[&of].entries.len();
        self.transaction(who, now)?.records.push((of.clone(), offset));
        let entry = Entry { payload: record.payload.clone().into(), broker_time, state: State::Open };
        let partition = self.partitions.get_mut(&of).expect("its length was asked");
        partition.entries.push(entry);
        partition.open.insert(offset);
        Ok(())
    }

    /// The offsets become the group's if the transaction commits.
    pub(crate) fn pend_offsets(
        &mut self,
        who: &ProducerId,
        member: &Member,
        positions: &Positions,
        now: Duration,
    ) -> Result<(), Refused> {
        if !self.groups.get(member.group).is_some_and(|group| group.knows(member.id)) {
            return Err(Refused::StaleMember);
        }
        let offsets: Vec<_> = positions
            .iter()
            .map(|(topic, partition, next)| {
                (member.group, TopicPartition { topic: Arc::clone(topic), partition }, next)
            })
            .collect();
        self.transaction(who, now)?.offsets.extend(offsets);
        Ok(())
    }

    pub(crate) fn commit(&mut self, who: &ProducerId, now: Duration) -> Result<(), Refused> {
        self.transaction(who, now)?;
        self.end(&who.transactional_id, State::Committed);
        Ok(())
    }

    pub(crate) fn abort(&mut self, who: &ProducerId, now: Duration) -> Result<(), Refused> {
        self.transaction(who, now)?;
        self.end(&who.transactional_id, State::Aborted);
        Ok(())
    }

    fn end(&mut self, transactional_id: &str, outcome: State) {
        let producer = self.producers.get_mut(transactional_id);
        let Some(transaction) = producer.and_then(|producer| producer.open.take()) else { return };
        let mut marked = BTreeSet::new();
        for (of, offset) in transaction.records {
            let partition = self.partitions.get_mut(&of).expect("it was written to");
            partition.entries[offset].state = outcome.clone();
            partition.open.remove(&offset);
            marked.insert(of);
        }
        for of in marked {
            let marker = Entry { payload: Arc::from([]), broker_time: EventTime(0), state: State::Marker };
            self.partitions.get_mut(&of).expect("it was written to").entries.push(marker);
        }
        if outcome == State::Committed {
            for (group, of, next) in transaction.offsets {
                self.groups.entry(group).or_default().commit(of, next);
            }
        }
    }

    /// Aborts what takes too long, and fences who began it.
    pub(crate) fn expire_transactions(&mut self, now: Duration) -> usize {
        let is_late = |producer: &Producer| {
            producer.open.as_ref().is_some_and(|open| now.saturating_sub(open.began) > TRANSACTION_TIMEOUT)
        };
        let late: Vec<String> =
            self.producers.iter().filter(|(_, one)| is_late(one)).map(|(id, _)| id.clone()).collect();
        for id in &late {
            drop(self.take_over(id));
        }
        late.len()
    }

    /// Offsets that a transaction may be about to change cannot be asked for yet.
    fn is_pending(&self, group: &str, of: &TopicPartition) -> bool {
        let open = self.producers.values().filter_map(|producer| producer.open.as_ref());
        open.flat_map(|transaction| &transaction.offsets).any(|(g, o, _)| *g == group && o == of)
    }
}
