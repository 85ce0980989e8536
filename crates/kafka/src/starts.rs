//! Where a newly assigned partition is read from.
//!
//! librdkafka (2.12.1) would ask for what is committed by itself. But where that is still being
//! committed and the assignment changes before it is known, it takes the missing answer for "nothing
//! is committed" and begins at the beginning; and an offset that the log does not hold sends it there,
//! too. Here the answer is waited for, and held against the log.

use pipeline::{StartAt, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{error, warn};

use crate::context::{AssignmentChange, Context, OFFSETS_TIMEOUT, name};
use crate::offsets::offsets_for_times;

/// Puts the offset to begin at beside every partition. Gives what the group has committed of them.
pub(crate) fn set_starts(
    consumer: &BaseConsumer<Context>,
    assigned: &mut TopicPartitionList,
    start_at: &StartAt,
) -> Result<Vec<(TopicPartition, i64)>, AssignmentChange> {
    let committed = committed(consumer, assigned).map_err(AssignmentChange::Failed)?;
    let failed =
        |why: KafkaError| AssignmentChange::Failed(format!("ask which offsets partitions hold: {why}"));
    let begins = held(consumer, assigned, Offset::Beginning).map_err(failed)?;
    let ends = held(consumer, assigned, Offset::End).map_err(failed)?;
    let mut known = Vec::new();
    for (of, committed) in committed {
        let wanted = match start_at {
            StartAt::Committed => committed,
            StartAt::Owner(owner) => owner(&of, committed).map_err(AssignmentChange::Failed)?,
        };
        let bound = |list: &TopicPartitionList| match list.find_partition(&of.topic, of.partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let start = match wanted {
            Some(wanted) => Offset::Offset(within(wanted, bound(&begins), bound(&ends), &of, start_at)?),
            None => Offset::Beginning,
        };
        assigned
            .set_partition_offset(&of.topic, of.partition, start)
            .map_err(|error| AssignmentChange::Failed(format!("set start offset: {error}")))?;
        known.extend(committed.map(|committed| (of, committed)));
    }
    Ok(known)
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

/// Where the partitions begin or end.
fn held(
    consumer: &BaseConsumer<Context>,
    assigned: &TopicPartitionList,
    at: Offset,
) -> KafkaResult<TopicPartitionList> {
    let mut asked = assigned.clone();
    asked.set_all_offsets(at)?;
    offsets_for_times(consumer, &asked, OFFSETS_TIMEOUT)
}

/// The offset, if the log holds it or ends there. What an owner has read further than the log goes
/// means that the log was made anew, and what it holds now would be taken for what is stored already.
fn within(
    wanted: i64,
    begin: Option<i64>,
    end: Option<i64>,
    of: &TopicPartition,
    start_at: &StartAt,
) -> Result<i64, AssignmentChange> {
    let TopicPartition { topic, partition } = of;
    if let Some(begin) = begin.filter(|begin| wanted < *begin) {
        let records = begin - wanted;
        warn!(%topic, partition, records, "the log has dropped records before they were read");
        return Ok(begin);
    }
    match (end.filter(|end| wanted > *end), start_at) {
        (None, _) => Ok(wanted),
        (Some(end), StartAt::Committed) => {
            error!(%topic, partition, wanted, end, "the log has lost records that were read; its next one is read");
            Ok(end)
        }
        (Some(end), StartAt::Owner(_)) => Err(AssignmentChange::Misconfigured(format!(
            "{topic}/{partition} was read up to offset {wanted} but ends at {end}: the topic was made anew, or its log \
             was lost; set kafka.prefix to a new name to begin new topics beside what is stored, or bring the old log \
             back"
        ))),
    }
}
