//! What librdkafka calls back: rebalances, statistics, its log.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pipeline::{StartAt, TopicPartition};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};
use tracing::{debug, error, info, warn};

use crate::lag::LagBoard;
use crate::starts::set_starts;

/// A change of what a consumer is assigned.
#[derive(Debug)]
pub(crate) enum AssignmentChange {
    Assigned(Vec<TopicPartition>),
    /// Every partition there is, told after each assignment.
    Announced(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    Failed(String),
    /// Nothing will change until an operator does something.
    Misconfigured(String),
}

/// The context of our consumers and producers.
pub(crate) struct Context {
    name: String,
    start_at: StartAt,
    announce: bool,
    changes: Mutex<Vec<AssignmentChange>>,
    committed: Mutex<HashMap<TopicPartition, i64>>,
    closing: AtomicBool,
    has_answered: AtomicBool,
    pub(crate) lag: LagBoard,
}

pub(crate) const OFFSETS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

impl Context {
    pub(crate) fn new(name: impl Into<String>, start_at: StartAt, announce: bool) -> Self {
        Self {
            name: name.into(),
            start_at,
            announce,
            changes: Mutex::default(),
            committed: Mutex::default(),
            closing: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            lag: LagBoard::default(),
        }
    }

    /// The consumer is about to end; nobody asks for changes any more.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// While a consumer ends, librdkafka takes the first answer to a rebalance for an answer to all of
    /// them, and its group may be gone right after. It never replies to whoever asks the group
    /// something at that moment, so that the consumer would wait for ever.
    fn may_answer(&self) -> bool {
        !self.closing.load(Ordering::Relaxed) || !self.has_answered.swap(true, Ordering::Relaxed)
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
        let committed = set_starts(consumer, assigned, &self.start_at)?;
        if matches!(self.start_at, StartAt::Owner(_)) {
            self.committed.lock().expect("no holder of this lock panics").extend(committed);
        }
        Ok(())
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, assigned: &mut TopicPartitionList) -> KafkaResult<()> {
        if self.closing.load(Ordering::Relaxed) {
            return consumer.incremental_assign(assigned);
        }
        if assigned.count() > 0
            && let Err(why) = self.set_starts(consumer, assigned)
        {
            self.note(why);
            // The list is librdkafka's own and stays as it is; nothing of it is taken.
            return consumer.incremental_assign(&TopicPartitionList::new());
        }
        consumer.incremental_assign(assigned)?;
        if assigned.count() == 0 {
            return Ok(());
        }
        info!(client = self.name, partitions = assigned.count(), "partitions assigned");
        self.note(AssignmentChange::Assigned(names(assigned)));
        if self.announce {
            match everything(consumer) {
                Ok(partitions) => self.note(AssignmentChange::Announced(partitions)),
                Err(why) => {
                    self.note(AssignmentChange::Failed(format!("ask which partitions there are: {why}")))
                }
            }
        }
        Ok(())
    }

    fn unassign(&self, consumer: &BaseConsumer<Self>, revoked: &TopicPartitionList) -> KafkaResult<()> {
        let partitions = names(revoked);
        info!(client = self.name, partitions = partitions.len(), "partitions revoked");
        self.note(AssignmentChange::Revoked(partitions));
        consumer.incremental_unassign(revoked)
    }
}

/// Every partition of every topic.
fn everything(consumer: &BaseConsumer<Context>) -> KafkaResult<Vec<TopicPartition>> {
    let metadata = consumer.fetch_metadata(None, OFFSETS_TIMEOUT)?;
    let of_topic = |topic: &MetadataTopic| {
        let name: Arc<str> = topic.name().into();
        let partition = |partition: &MetadataPartition| TopicPartition {
            topic: Arc::clone(&name),
            partition: partition.id(),
        };
        topic.partitions().iter().map(partition).collect::<Vec<_>>()
    };
    Ok(metadata.topics().iter().flat_map(of_topic).collect())
}

pub(crate) fn name(element: &TopicPartitionListElem<'_>) -> TopicPartition {
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
        if !self.may_answer() {
            return;
        }
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
