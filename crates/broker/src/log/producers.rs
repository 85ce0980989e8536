//! What a partition remembers of its producers, to recognise repeats, gaps and zombies.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::error::ResponseError;
use serde::{Deserialize, Serialize};

use super::batch::{BatchHeader, sequence_after};
use super::marker::Producer;

/// Kafka's promise to producers: so many batches in flight are recognised when repeated.
const REMEMBERED_BATCHES: usize = 5;
/// Beyond this many producers, those that wrote longest ago are forgotten.
const PRODUCERS_MAX: usize = 50_000;

/// What to do with a batch of an idempotent producer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is in the log already, at this offset and up to that one.
    Repeat {
        base_offset: i64,
        next_offset: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    base_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    next_offset: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ProducerState {
    epoch: i16,
    batches: VecDeque<Written>,
    last_offset: i64,
    last_timestamp: i64,
}

/// A producer, for those who look at the partition from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) producer: Producer,
    /// -1 when it has only ended transactions in its present epoch.
    pub(crate) last_sequence: i32,
    pub(crate) last_timestamp: i64,
}

/// The producers of one partition.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Producers {
    by_id: HashMap<i64, ProducerState>,
}

impl Producers {
    /// Judges a batch before it is appended.
    pub(crate) fn check(&self, batch: &BatchHeader) -> Result<Verdict, ResponseError> {
        let Some(state) = self.by_id.get(&batch.producer_id) else {
            // Nothing known (a new producer, or its records were deleted): any sequence begins.
            return Ok(Verdict::Append);
        };
        if batch.producer_epoch < state.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if batch.producer_epoch > state.epoch {
            return if batch.base_sequence == 0 {
                Ok(Verdict::Append)
            } else {
                Err(ResponseError::OutOfOrderSequenceNumber)
            };
        }
        if let Some(written) = state.find(batch) {
            return Ok(Verdict::Repeat {
                base_offset: written.base_offset,
                next_offset: written.next_offset,
            });
        }
        match state.batches.back() {
            Some(last) if sequence_after(last.last_sequence, 1) != batch.base_sequence => {
                Err(ResponseError::OutOfOrderSequenceNumber)
            }
            _ => Ok(Verdict::Append),
        }
    }

    /// Remembers a batch that is in the log.
    pub(crate) fn note(&mut self, batch: &BatchHeader) {
        self.make_room(batch.producer_id);
        let state = self.by_id.entry(batch.producer_id).or_insert_with(|| ProducerState {
            epoch: batch.producer_epoch,
            batches: VecDeque::with_capacity(REMEMBERED_BATCHES),
            last_offset: batch.last_offset(),
            last_timestamp: batch.max_timestamp,
        });
        if batch.producer_epoch != state.epoch {
            state.epoch = batch.producer_epoch;
            state.batches.clear();
        }
        state.last_offset = batch.last_offset();
        state.last_timestamp = batch.max_timestamp;
        if batch.is_control() {
            return;
        }
        if state.batches.len() == REMEMBERED_BATCHES {
            state.batches.pop_front();
        }
        state.batches.push_back(Written {
            base_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset: batch.base_offset,
            next_offset: batch.next_offset(),
        });
    }

    /// Every producer that is remembered.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = |(&id, state): (&i64, &ProducerState)| Seen {
            producer: Producer { id, epoch: state.epoch },
            last_sequence: state.batches.back().map_or(-1, |last| last.last_sequence),
            last_timestamp: state.last_timestamp,
        };
        self.by_id.iter().map(seen).collect()
    }

    fn make_room(&mut self, for_producer: i64) {
        if self.by_id.len() < PRODUCERS_MAX || self.by_id.contains_key(&for_producer) {
            return;
        }
        let mut offsets: Vec<i64> = self.by_id.values().map(|state| state.last_offset).collect();
        offsets.sort_unstable();
        let oldest_kept = offsets[offsets.len() / 4];
        self.by_id.retain(|_, state| state.last_offset >= oldest_kept);
    }
}

impl ProducerState {
    fn find(&self, batch: &BatchHeader) -> Option<&Written> {
        self.batches.iter().find(|written| {
            written.base_sequence == batch.base_sequence && written.last_sequence == batch.last_sequence()
        })
    }
}

#[cfg(test)]
mod tests;
