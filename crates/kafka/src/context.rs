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
use rdkafka::{Offset, Statistics, TopicPartitionList};
use tracing::{debug, error, info, warn};

use crate::lag::LagBoard;

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

const OFFSETS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

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
    ///
    /// librdkafka (2.12.1) would ask for what is committed by itself. But where that is still being
    /// committed and the assignment changes before it is known, it takes the missing answer for "nothing
    /// is committed" and begins at the beginning. Here the answer is waited for.
    fn set_starts(
        &self,
        consumer: &BaseConsumer<Self>,
        assigned: &mut TopicPartitionList,
    ) -> Result<(), AssignmentChange> {
        let committed = committed(consumer, assigned).map_err(AssignmentChange::Failed)?;
        for (of, committed) in committed {
            let start = match &self.start_at {
                StartAt::Committed => committed,
                StartAt::Owner(owner) => owner(&of, committed).map_err(AssignmentChange::Failed)?,
            };
            assigned
                .set_partition_offset(
                    &of.topic,
                    of.partition,
                    start.map_or(Offset::Beginning, Offset::Offset),
                )
                .map_err(|error| AssignmentChange::Failed(format!("set start offset: {error}")))?;
            if let (StartAt::Owner(_), Some(committed)) = (&self.start_at, committed) {
                self.committed.lock().expect("no holder of this lock panics").insert(of, committed);
            }
        }
        if matches!(self.start_at, StartAt::Owner(_)) {
            return within_log(consumer, assigned);
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

/// What the group has committed of each partition.
fn committed(
    consumer: &BaseConsumer<Context>,
    assigned: &TopicPartitionList,
) -> Result<Vec<(TopicPartition, Option<i64>)>, String> {
    let committed = consumer
        .committed_offsets(assigned.clone(), OFFSETS_TIMEOUT)
        .map_err(|error| format!("ask for committed offsets: {error}"))?;
    let of_one = |element: &TopicPartitionListElem<'_>| {
        element
            .error()
            .map_err(|error| format!("ask for the committed offset of {}: {error}", element.topic()))?;
        let offset = match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        Ok((name(element), offset))
    };
    committed.elements().iter().map(of_one).collect()
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
