//! What librdkafka calls back: rebalances, statistics, its log.

use std::collections::HashMap;
use std::sync::Mutex;

use pipeline::{StartAt, TopicPartition};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, Statistics, TopicPartitionList};
use tracing::{debug, error, info, warn};

use crate::lag::LagBoard;

/// A change of what a consumer is assigned.
#[derive(Debug)]
pub(crate) enum AssignmentChange {
    Assigned(Vec<TopicPartition>),
    /// Of those assigned just before, these hold records yet to be read.
    Behind(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    Failed(String),
    /// Nothing will change until an operator does something.
    Misconfigured(String),
}

/// The context of our consumers and producers.
pub(crate) struct Context {
    name: String,
    start_at: StartAt,
    tell_behind: bool,
    changes: Mutex<Vec<AssignmentChange>>,
    committed: Mutex<HashMap<TopicPartition, i64>>,
    pub(crate) lag: LagBoard,
}

const OFFSETS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

impl Context {
    pub(crate) fn new(name: impl Into<String>, start_at: StartAt, tell_behind: bool) -> Self {
        Self {
            name: name.into(),
            start_at,
            tell_behind,
            changes: Mutex::default(),
            committed: Mutex::default(),
            lag: LagBoard::default(),
        }
    }

    pub(crate) fn take_changes(&self) -> Vec<AssignmentChange> {
        std::mem::take(&mut *self.changes.lock().expect("no holder of this lock panics"))
    }

    /// The group's offset as it was when the partition was assigned; known for owners only.
    pub(crate) fn take_committed(&self, partition: &TopicPartition) -> Option<i64> {
        self.committed.lock().expect("no holder of this lock panics").remove(partition)
    }

    fn note(&self, change: AssignmentChange) {
        self.changes.lock().expect("no holder of this lock panics").push(change);
    }

    /// Puts the offset to begin at beside every partition.
    fn set_starts(
        &self,
        consumer: &BaseConsumer<Self>,
        assigned: &mut TopicPartitionList,
    ) -> Result<(), AssignmentChange> {
        self.owners_starts(consumer, assigned).map_err(AssignmentChange::Failed)?;
        if matches!(self.start_at, StartAt::Owner(_)) {
            return within_log(consumer, assigned);
        }
        Ok(())
    }

    fn owners_starts(
        &self,
        consumer: &BaseConsumer<Self>,
        assigned: &mut TopicPartitionList,
    ) -> Result<(), String> {
        let StartAt::Owner(owner) = &self.start_at else { return Ok(()) };
        let committed = consumer
            .committed_offsets(assigned.clone(), OFFSETS_TIMEOUT)
            .map_err(|error| format!("ask for committed offsets: {error}"))?;
        for element in committed.elements() {
            element
                .error()
                .map_err(|error| format!("ask for the committed offset of {}: {error}", element.topic()))?;
            let committed = match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            };
            let name = name(&element);
            let start = match owner(&name, committed)? {
                Some(offset) => Offset::Offset(offset),
                None => Offset::Beginning,
            };
            assigned
                .set_partition_offset(element.topic(), element.partition(), start)
                .map_err(|error| format!("set start offset: {error}"))?;
            if let Some(committed) = committed {
                self.committed.lock().expect("no holder of this lock panics").insert(name, committed);
            }
        }
        Ok(())
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, assigned: &mut TopicPartitionList) -> KafkaResult<()> {
        if assigned.count() > 0
            && let Err(why) = self.set_starts(consumer, assigned)
        {
            self.note(why);
            // The list is librdkafka's own and stays as it is; nothing of it is taken.
            return add(consumer, &TopicPartitionList::new());
        }
        add(consumer, assigned)?;
        if assigned.count() == 0 {
            return Ok(());
        }
        info!(client = self.name, partitions = assigned.count(), "partitions assigned");
        self.note(AssignmentChange::Assigned(names(assigned)));
        if self.tell_behind {
            match behind(consumer, assigned) {
                Ok(partitions) => self.note(AssignmentChange::Behind(partitions)),
                Err(why) => self.note(AssignmentChange::Failed(format!("ask where partitions end: {why}"))),
            }
        }
        Ok(())
    }

    fn unassign(&self, consumer: &BaseConsumer<Self>, revoked: &TopicPartitionList) -> KafkaResult<()> {
        let partitions = names(revoked);
        info!(client = self.name, partitions = partitions.len(), "partitions revoked");
        self.note(AssignmentChange::Revoked(partitions));
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(revoked),
            _ => consumer.unassign(),
        }
    }
}

fn add(consumer: &BaseConsumer<Context>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
        _ => consumer.assign(partitions),
    }
}

/// Whether every partition goes as far as its owner says to have read. One that does not was made
/// anew since, and what it holds now would be taken for what is stored already.
fn within_log(
    consumer: &BaseConsumer<Context>,
    assigned: &TopicPartitionList,
) -> Result<(), AssignmentChange> {
    let failed = |why: KafkaError| AssignmentChange::Failed(format!("ask where partitions end: {why}"));
    let ends = at_time(assigned, Offset::End).map_err(failed)?;
    let ends = consumer.offsets_for_times(ends, OFFSETS_TIMEOUT).map_err(failed)?.to_topic_map();
    for element in assigned.elements() {
        let end = ends.get(&(element.topic().to_owned(), element.partition()));
        if let (Offset::Offset(start), Some(Offset::Offset(end))) = (element.offset(), end)
            && start > *end
        {
            return Err(AssignmentChange::Misconfigured(format!(
                "{}/{} was read up to offset {start} but ends at {end}: the topic was made anew, or its log was lost; \
                 set kafka.prefix to a new name to begin new topics beside what is stored, or bring the old log back",
                element.topic(),
                element.partition(),
            )));
        }
    }
    Ok(())
}

/// Which partitions end beyond what their group has committed.
fn behind(
    consumer: &BaseConsumer<Context>,
    assigned: &TopicPartitionList,
) -> KafkaResult<Vec<TopicPartition>> {
    let committed = consumer.committed_offsets(assigned.clone(), OFFSETS_TIMEOUT)?;
    // As times, these two mean the first offset and the one after the last.
    let (first, last) = (at_time(assigned, Offset::Beginning)?, at_time(assigned, Offset::End)?);
    let first = consumer.offsets_for_times(first, OFFSETS_TIMEOUT)?.to_topic_map();
    let last = consumer.offsets_for_times(last, OFFSETS_TIMEOUT)?.to_topic_map();
    let mut behind = Vec::new();
    for element in committed.elements() {
        element.error()?;
        let place = (element.topic().to_owned(), element.partition());
        let at = |offsets: &HashMap<(String, i32), Offset>| match offsets.get(&place) {
            Some(Offset::Offset(offset)) => *offset,
            _ => 0,
        };
        let from = match element.offset() {
            Offset::Offset(offset) => offset.max(at(&first)),
            _ => at(&first),
        };
        if at(&last) > from {
            behind.push(name(&element));
        }
    }
    Ok(behind)
}

fn at_time(list: &TopicPartitionList, time: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = list.clone();
    list.set_all_offsets(time)?;
    Ok(list)
}

fn name(element: &TopicPartitionListElem<'_>) -> TopicPartition {
    TopicPartition { topic: element.topic().into(), partition: element.partition() }
}

fn names(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(name).collect()
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let client = self.name.as_str();
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(client, facility, message, "kafka client");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                warn!(client, facility, message, "kafka client")
            }
            _ => debug!(client, facility, message, "kafka client"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.lag.write(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // No topic matches the pattern yet: nobody has sent anything.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition) {
            debug!(client = self.name, %error, reason, "kafka client");
            return;
        }
        warn!(client = self.name, %error, reason, "kafka client");
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let outcome = match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.unassign(consumer, partitions),
            other => Err(KafkaError::Rebalance(RDKafkaErrorCode::from(other))),
        };
        if let Err(error) = outcome {
            self.note(AssignmentChange::Failed(format!("rebalance: {error}")));
        }
    }
}
