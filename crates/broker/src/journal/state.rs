//! What all records of the journal amount to.

use std::collections::BTreeMap;

use super::record::{Committed, Decision, OffsetRecord, PartitionName, ProducerRecord, Record, TopicRecord};

/// Everything the broker knows besides the partitions' records.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) cluster_id: Option<String>,
    pub(crate) topics: BTreeMap<String, TopicRecord>,
    pub(crate) log_starts: BTreeMap<PartitionName, i64>,
    pub(crate) producer_ids_until: i64,
    pub(crate) producers: BTreeMap<String, Producer>,
    pub(crate) decisions: BTreeMap<u64, Decision>,
    pub(crate) groups: BTreeMap<String, BTreeMap<PartitionName, Committed>>,
}

/// A transactional id, and what it is in the middle of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Producer {
    pub(crate) record: ProducerRecord,
    pub(crate) ongoing: Option<Ongoing>,
    /// Whether the last transaction committed; lets a producer ask again after a lost answer.
    pub(crate) last_committed: Option<bool>,
}

/// A transaction without an end.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ongoing {
    pub(crate) began_at_ms: i64,
    pub(crate) partitions: Vec<PartitionName>,
    pub(crate) offsets: BTreeMap<String, Vec<OffsetRecord>>,
}

impl State {
    /// Takes in one record.
    pub(crate) fn apply(&mut self, record: &Record) {
        match record {
            Record::Synced { .. } => {}
            Record::Cluster { id } => self.cluster_id = Some(id.clone()),
            Record::Topic(topic) => {
                self.topics.insert(topic.name.clone(), topic.clone());
            }
            Record::TopicDeleted { name } => self.forget_topic(name),
            Record::LogStart { topic, topic_id, partition, offset } => {
                // Appended beside other changes, so it may come late, or after its topic's end.
                if self.topics.get(topic).is_some_and(|known| topic_id.is_none_or(|id| id == known.id)) {
                    let of = PartitionName { topic: topic.clone(), partition: *partition };
                    let known = self.log_starts.entry(of).or_insert(*offset);
                    *known = (*known).max(*offset);
                }
            }
            Record::ProducerIdsReserved { until } => self.producer_ids_until = *until,
            Record::Producer(producer) => self.own(producer),
            Record::PartitionsAdded { transactional_id, began_at_ms, partitions } => {
                if let Some(ongoing) = self.ongoing(transactional_id, *began_at_ms) {
                    ongoing.partitions.extend_from_slice(partitions);
                }
            }
            Record::OffsetsPending { transactional_id, began_at_ms, group, offsets } => {
                if let Some(ongoing) = self.ongoing(transactional_id, *began_at_ms) {
                    ongoing.offsets.entry(group.clone()).or_default().extend_from_slice(offsets);
                }
            }
            Record::Decided(decision) => self.decide(decision),
            Record::Completed { decision } => {
                self.decisions.remove(decision);
            }
            Record::Offsets { group, offsets } => self.commit(group, offsets),
            Record::OffsetsDeleted { group, partitions } => self.forget_offsets(group, partitions),
            Record::GroupDeleted { group } => {
                self.groups.remove(group);
            }
        }
    }

    fn forget_topic(&mut self, name: &str) {
        self.topics.remove(name);
        self.log_starts.retain(|of, _| of.topic != name);
        for offsets in self.groups.values_mut() {
            offsets.retain(|of, _| of.topic != name);
        }
        self.groups.retain(|_, offsets| !offsets.is_empty());
        // Nor may they become those of a topic that takes its name.
        for ongoing in self.producers.values_mut().filter_map(|producer| producer.ongoing.as_mut()) {
            ongoing.partitions.retain(|of| of.topic != name);
            ongoing.offsets.values_mut().for_each(|offsets| offsets.retain(|offset| offset.of.topic != name));
        }
        for decision in self.decisions.values_mut() {
            decision.markers.retain(|mark| mark.of.topic != name);
        }
    }

    fn own(&mut self, record: &ProducerRecord) {
        let id = record.transactional_id.clone();
        let producer = self.producers.entry(id).or_insert_with(|| Producer {
            record: record.clone(),
            ongoing: None,
            last_committed: None,
        });
        if (producer.record.producer_id, producer.record.epoch) != (record.producer_id, record.epoch) {
            producer.last_committed = None;
        }
        producer.record = record.clone();
    }

    fn ongoing(&mut self, transactional_id: &str, began_at_ms: i64) -> Option<&mut Ongoing> {
        let producer = self.producers.get_mut(transactional_id)?;
        Some(producer.ongoing.get_or_insert_with(|| Ongoing { began_at_ms, ..Ongoing::default() }))
    }

    /// A commit's offsets become the groups' in the same step.
    fn decide(&mut self, decision: &Decision) {
        if !decision.markers.is_empty() {
            self.decisions.insert(decision.id, decision.clone());
        }
        let Some(producer) = self.producers.get_mut(&decision.transactional_id) else { return };
        producer.last_committed = Some(decision.commit);
        let offsets = producer.ongoing.take().unwrap_or_default().offsets;
        if decision.commit {
            for (group, offsets) in &offsets {
                self.commit(group, offsets);
            }
        }
    }

    fn commit(&mut self, group: &str, offsets: &[OffsetRecord]) {
        if offsets.is_empty() {
            return;
        }
        let known = self.groups.entry(group.to_owned()).or_default();
        for offset in offsets {
            known.insert(offset.of.clone(), offset.committed.clone());
        }
    }

    fn forget_offsets(&mut self, group: &str, partitions: &[PartitionName]) {
        let Some(known) = self.groups.get_mut(group) else { return };
        known.retain(|of, _| !partitions.contains(of));
        if known.is_empty() {
            self.groups.remove(group);
        }
    }

    /// The fewest records that amount to this state.
    pub(crate) fn to_records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.cluster_id.iter().map(|id| Record::Cluster { id: id.clone() }));
        records.extend(self.topics.values().cloned().map(Record::Topic));
        for (of, &offset) in &self.log_starts {
            let topic_id = self.topics.get(&of.topic).map(|topic| topic.id);
            records.push(Record::LogStart {
                topic: of.topic.clone(),
                topic_id,
                partition: of.partition,
                offset,
            });
        }
        records.push(Record::ProducerIdsReserved { until: self.producer_ids_until });
        // Before the producers: applied after them, a decision would end the transaction that followed it.
        records.extend(self.decisions.values().cloned().map(Record::Decided));
        for producer in self.producers.values() {
            producer.to_records(&mut records);
        }
        for (group, offsets) in &self.groups {
            let offset = |(of, committed): (&PartitionName, &Committed)| OffsetRecord {
                of: of.clone(),
                committed: committed.clone(),
            };
            records.push(Record::Offsets {
                group: group.clone(),
                offsets: offsets.iter().map(offset).collect(),
            });
        }
        records
    }
}

impl Producer {
    fn to_records(&self, records: &mut Vec<Record>) {
        records.push(Record::Producer(self.record.clone()));
        let transactional_id = &self.record.transactional_id;
        if let Some(commit) = self.last_committed {
            records.push(Record::Decided(Decision {
                id: 0,
                transactional_id: transactional_id.clone(),
                producer_id: self.record.producer_id,
                epoch: self.record.epoch,
                commit,
                markers: Vec::new(),
            }));
        }
        let Some(ongoing) = &self.ongoing else { return };
        let began_at_ms = ongoing.began_at_ms;
        records.push(Record::PartitionsAdded {
            transactional_id: transactional_id.clone(),
            began_at_ms,
            partitions: ongoing.partitions.clone(),
        });
        for (group, offsets) in &ongoing.offsets {
            records.push(Record::OffsetsPending {
                transactional_id: transactional_id.clone(),
                began_at_ms,
                group: group.clone(),
                offsets: offsets.clone(),
            });
        }
    }
}
