//! Partitions that wait until others have caught up.

use std::collections::HashSet;

use pipeline::{Reader, SourceError, TopicPartition};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;

use crate::context::Context;

/// What the reader wants to wait, as of the last statistics.
#[derive(Default)]
pub(super) struct Waiting {
    paused: HashSet<TopicPartition>,
    generation: u64,
}

impl Waiting {
    /// Who owns them next begins with reading them, librdkafka included.
    pub(super) fn revoked(&mut self, partitions: &[TopicPartition]) {
        self.paused.retain(|partition| !partitions.contains(partition));
    }

    /// Asks the reader again once there are new statistics, and pauses and resumes accordingly.
    pub(super) fn follow(
        &mut self,
        consumer: &BaseConsumer<Context>,
        reader: &dyn Reader,
    ) -> Result<(), SourceError> {
        let lag = &consumer.context().lag;
        let generation = lag.read().generation;
        if generation == self.generation {
            return Ok(());
        }
        self.generation = generation;
        let backlogged = lag.backlogged();
        if backlogged.is_empty() && self.paused.is_empty() {
            return Ok(());
        }
        let ahead: HashSet<_> = reader.ahead(&backlogged).into_iter().collect();
        let failed = |error| SourceError::Interrupted(format!("hold back what runs ahead: {error}"));
        apply(ahead.difference(&self.paused), |list| consumer.pause(list)).map_err(failed)?;
        apply(self.paused.difference(&ahead), |list| consumer.resume(list)).map_err(failed)?;
        self.paused = ahead;
        Ok(())
    }
}

fn apply<'a>(
    partitions: impl Iterator<Item = &'a TopicPartition>,
    change: impl Fn(&TopicPartitionList) -> KafkaResult<()>,
) -> KafkaResult<()> {
    let mut list = TopicPartitionList::new();
    for of in partitions {
        list.add_partition(&of.topic, of.partition);
    }
    if list.count() == 0 { Ok(()) } else { change(&list) }
}
