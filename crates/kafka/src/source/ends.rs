//! Asking whether quiet partitions have been read to their end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use event::Positions;
use pipeline::{Ends, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use tracing::debug;

use crate::context::Context;

/// The stage waits for the answer, so not for long; it is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How far the partitions that are ours were handed over, and when to ask for their ends.
pub(super) struct EndWatch {
    ends: Ends,
    places: HashMap<TopicPartition, Place>,
    began: Instant,
}

#[derive(Clone, Copy, Default)]
struct Place {
    /// The offset after the newest record that was handed over.
    next: i64,
    /// The statistics at the time of its assignment; older ones say nothing of it.
    generation: u64,
}

impl EndWatch {
    pub(super) fn new() -> Self {
        Self { ends: Ends::default(), places: HashMap::new(), began: Instant::now() }
    }

    pub(super) fn assigned(&mut self, partitions: &[TopicPartition], generation: u64) {
        self.ends.assigned(partitions, self.began.elapsed());
        let place = |partition: &TopicPartition| (partition.clone(), Place { next: 0, generation });
        self.places.extend(partitions.iter().map(place));
    }

    pub(super) fn revoked(&mut self, partitions: &[TopicPartition]) {
        self.ends.revoked(partitions);
        self.places.retain(|partition, _| !partitions.contains(partition));
    }

    /// So far records were handed over.
    pub(super) fn read(&mut self, positions: &Positions) {
        let now = self.began.elapsed();
        for (topic, partition, next) in positions.iter() {
            let of = TopicPartition { topic: topic.clone(), partition };
            self.ends.read(&of, now);
            if let Some(place) = self.places.get_mut(&of) {
                place.next = next;
            }
        }
    }

    /// The partitions that were asked for their end now and had been handed over up to there, and
    /// that end. An end that cannot be had is asked for again later.
    pub(super) fn reached(&mut self, consumer: &BaseConsumer<Context>) -> Vec<(TopicPartition, i64)> {
        let due = self.ends.due(self.began.elapsed());
        if due.is_empty() {
            return Vec::new();
        }
        let mut asked = TopicPartitionList::with_capacity(due.len());
        for partition in &due {
            // Its time stamp, which for `End` is the partition's end.
            let added = asked.add_partition_offset(&partition.topic, partition.partition, Offset::End);
            added.expect("an end is an offset");
        }
        let ends = match consumer.offsets_for_times(asked, ANSWER_TIMEOUT) {
            Ok(ends) => ends.to_topic_map(),
            Err(error) => {
                debug!(%error, "the ends of partitions cannot be had at the moment");
                return Vec::new();
            }
        };
        let end_of = |of: &TopicPartition| match ends.get(&(of.topic.to_string(), of.partition)) {
            Some(Offset::Offset(end)) => Some(*end),
            _ => None,
        };
        due.into_iter()
            .filter_map(|of| end_of(&of).map(|end| (of, end)))
            .filter(|(of, end)| self.is_handed_over(of, *end, consumer))
            .collect()
    }

    /// Whether everything before an offset has been handed over. Transaction markers at the end are
    /// no records; the statistics count them as fetched.
    fn is_handed_over(&self, of: &TopicPartition, end: i64, consumer: &BaseConsumer<Context>) -> bool {
        let Some(place) = self.places.get(of) else { return false };
        let settled = || consumer.context().lag.settled_since(place.generation, of);
        place.next >= end || settled().is_some_and(|fetched| fetched >= end)
    }
}
