//! What a client does until the power is cut: a little of everything, as the dice fall.

use std::collections::HashMap;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{CreateTopicsRequest, DeleteRecordsRequest, OffsetCommitRequest};

use super::super::test_client::{By, Client, Place, batch, produce_request, text, topic_name};
use super::super::{Broker, upkeep::retain};
use super::promises::{GROUP, PartitionPromises, Promises, Sent};
use crate::disk::power::Dice;
use crate::log::marker::Producer;

mod transactions;

const TOPICS_MAX: usize = 3;

/// A client at work. Every step answers `None` once the broker cannot go on.
pub(super) struct Work<'a> {
    broker: &'a Broker,
    dice: &'a mut Dice,
    promises: &'a mut Promises,
    client: Client,
    idempotent: Option<Numbering>,
    transactional: Option<Numbering>,
    /// The transaction that is open is the last one.
    in_transaction: bool,
}

/// A producer, and what it sends next to each partition.
struct Numbering {
    producer: Producer,
    next: HashMap<Place, i32>,
}

impl Numbering {
    fn of(producer: Producer) -> Self {
        Self { producer, next: HashMap::new() }
    }

    fn take(&mut self, place: &Place, count: usize) -> i32 {
        let next = self.next.entry(place.clone()).or_insert(0);
        let first = *next;
        *next += count as i32;
        first
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(
        broker: &'a Broker,
        client: Client,
        dice: &'a mut Dice,
        promises: &'a mut Promises,
    ) -> Self {
        Self { broker, dice, promises, client, idempotent: None, transactional: None, in_transaction: false }
    }

    /// Does one thing.
    pub(super) fn step(&mut self) -> Option<()> {
        if !self.promises.resend.is_empty() {
            return self.send_again();
        }
        if self.promises.partitions.is_empty() {
            return self.create_topic();
        }
        match self.dice.below(20) {
            0 => self.create_topic(),
            1..6 => self.produce(),
            6..11 => self.produce_numbered(),
            11..15 => self.transact(),
            15..17 => self.commit_offset(),
            17 => self.delete_records(),
            _ => {
                retain(&self.broker.node);
                Some(())
            }
        }
    }

    /// The idempotent producer goes on after a cut: what had no answer is sent as it was.
    fn send_again(&mut self) -> Option<()> {
        let again = self.promises.resend.clone();
        self.send(&again, None, true)?;
        self.promises.resend.clear();
        Some(())
    }

    fn create_topic(&mut self) -> Option<()> {
        let topics = self.promises.partitions.keys().filter(|(_, index)| *index == 0).count();
        if topics >= TOPICS_MAX {
            return Some(());
        }
        let name = format!("t{}", self.promises.next());
        let partitions = 1 + self.dice.below(2) as i32;
        let set = |name, value: &str| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
        };
        let mut configs = vec![set("segment.bytes", &(400 + self.dice.below(2000)).to_string())];
        if self.dice.once_in(3) {
            configs.push(set("retention.bytes", "3000"));
        }
        let topic = CreatableTopic::default()
            .with_name(text(&name).into())
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs);
        let created = self.client.ask(5, &CreateTopicsRequest::default().with_topics(vec![topic]))?;
        well(created.topics[0].error_code)?;
        for index in 0..partitions {
            self.promises.partitions.insert((name.clone(), index), PartitionPromises::default());
        }
        Some(())
    }

    fn place(&mut self) -> Place {
        let count = self.promises.partitions.len();
        let chosen = self.dice.below(count);
        self.promises.partitions.keys().nth(chosen).unwrap().clone()
    }

    fn values(&mut self) -> Vec<String> {
        let count = 1 + self.dice.below(3);
        let value = |work: &mut Self| {
            let number = work.promises.next();
            format!("v{number}{}", "x".repeat(work.dice.below(150)))
        };
        (0..count).map(|_| value(self)).collect()
    }

    fn produce(&mut self) -> Option<()> {
        let batches: Vec<_> = (0..1 + self.dice.below(3))
            .map(|_| {
                let (place, values) = (self.place(), self.values());
                Sent { place, batch: batch(By::Anyone, &values), values }
            })
            .collect();
        self.send(&batches, None, false)
    }

    fn produce_numbered(&mut self) -> Option<()> {
        if self.idempotent.is_none() {
            self.idempotent = Some(Numbering::of(self.client.try_take_over(None)?));
        }
        let mut batches = Vec::new();
        for _ in 0..1 + self.dice.below(3) {
            let (place, values) = (self.place(), self.values());
            let numbering = self.idempotent.as_mut()?;
            let by = By::Numbered(numbering.producer, numbering.take(&place, values.len()));
            batches.push(Sent { place, batch: batch(by, &values), values });
        }
        self.promises.resend = batches.clone();
        self.send(&batches, None, false)?;
        if self.dice.once_in(5) {
            // As if the answers had been lost on their way.
            self.send(&batches, None, true)?;
        }
        self.promises.resend.clear();
        Some(())
    }

    /// Sends batches one behind the other, and waits for all answers.
    fn send(&mut self, batches: &[Sent], transactional_id: Option<&str>, again: bool) -> Option<()> {
        for sent in batches {
            let promised = self.promises.at(&sent.place);
            let is_new = !sent.values.iter().any(|value| promised.sent.contains(value));
            assert!(is_new || again);
            promised.sent.extend(sent.values.iter().cloned());
            let produce = produce_request(&sent.place, sent.batch.clone(), transactional_id);
            self.client.send(8, &produce)?;
        }
        let mut all = Some(());
        for sent in batches {
            match self.client.produced()? {
                (0, base_offset) => self.promises.acknowledge(sent, base_offset),
                _ => all = None,
            }
        }
        all
    }

    fn commit_offset(&mut self) -> Option<()> {
        let (place, offset) = (self.place(), self.promises.next() as i64);
        let known = self.promises.committed.entry(place.clone()).or_default();
        known.asked.insert(offset);
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(place.1)
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name(&place))
            .with_partitions(vec![partition]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(text(GROUP).into())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        well(self.client.ask(7, &commit)?.topics[0].partitions[0].error_code)?;
        let known = self.promises.committed.get_mut(&place)?;
        known.acked = offset;
        known.asked.clear();
        Some(())
    }

    fn delete_records(&mut self) -> Option<()> {
        let place = self.place();
        let last = self.promises.at(&place).acked.keys().next_back().copied();
        let Some(last) = last else { return Some(()) };
        let offset = self.dice.below(last as usize + 2) as i64;
        let partition = DeleteRecordsPartition::default().with_partition_index(place.1).with_offset(offset);
        let topic =
            DeleteRecordsTopic::default().with_name(topic_name(&place)).with_partitions(vec![partition]);
        let deleted = self.client.ask(1, &DeleteRecordsRequest::default().with_topics(vec![topic]))?;
        well(deleted.topics[0].partitions[0].error_code)?;
        let promised = self.promises.at(&place);
        promised.deleted_to = promised.deleted_to.max(offset);
        Some(())
    }
}

/// An error ends the work: the power is off, or the test fails.
fn well(error_code: i16) -> Option<()> {
    (error_code == 0).then_some(())
}
