//! What librdkafka calls back: rebalances, statistics, its log.

use std::collections::HashMap;
use std::sync::Mutex;

use pipeline::TopicPartition;
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
use crate::source::StartAt;

/// A change of what a consumer is assigned.
#[derive(Debug)]
pub(crate) enum AssignmentChange {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    Failed(String),
}

/// The context of our consumers and producers.
pub(crate) struct Context {
    name: String,
    start_at: StartAt,
    changes: Mutex<Vec<AssignmentChange>>,
    committed: Mutex<HashMap<TopicPartition, i64>>,
    pub(crate) lag: LagBoard,
}

const COMMITTED_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

impl Context {
    pub(crate) fn new(name: impl Into<String>, start_at: StartAt) -> Self {
        Self {
            name: name.into(),
            start_at,
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
    ) -> Result<(), String> {
        let StartAt::Owner(owner) = &self.start_at else { return Ok(()) };
        let committed = consumer
            .committed_offsets(assigned.clone(), COMMITTED_TIMEOUT)
            .map_err(|error| format!("ask for committed offsets: {error}"))?;
        for element in committed.elements() {
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
        if let Err(why) = self.set_starts(consumer, assigned) {
            self.note(AssignmentChange::Failed(why));
            assigned.clone_from(&TopicPartitionList::new());
        }
        let partitions = names(assigned);
        match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_assign(assigned)?,
            _ => consumer.assign(assigned)?,
        }
        if !partitions.is_empty() {
            info!(client = self.name, partitions = partitions.len(), "partitions assigned");
            self.note(AssignmentChange::Assigned(partitions));
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
