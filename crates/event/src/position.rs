//! Where in a topic we are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One line's place in the log: topic, partition, offset, and which line of that record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Kafka topic.
    pub topic: Arc<str>,
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset.
    pub offset: i64,
    /// Zero-based line or array element within the record.
    pub line: i32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}:{}", self.topic, self.partition, self.offset, self.line)
    }
}

/// How far a batch has read: for each topic and partition the *next* offset to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    next: BTreeMap<(Arc<str>, i32), i64>,
}

impl Positions {
    /// Notes that `offset` of a partition was read. Offsets may come in any order; the highest counts.
    pub fn read(&mut self, topic: &Arc<str>, partition: i32, offset: i64) {
        match self.next.get_mut(&(Arc::clone(topic), partition)) {
            Some(next) => *next = (*next).max(offset + 1),
            None => {
                self.next.insert((Arc::clone(topic), partition), offset + 1);
            }
        }
    }

    /// `(topic, partition, next offset)` of every partition that was read, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i32, i64)> {
        self.next.iter().map(|((topic, partition), next)| (topic, *partition, *next))
    }

    /// The next offset to read of one partition, if any of it was read.
    pub fn next_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.iter().find(|(t, p, _)| &***t == topic && *p == partition).map(|(_, _, next)| next)
    }

    /// Takes in what another batch has read.
    pub fn merge(&mut self, other: &Positions) {
        for (topic, partition, next) in other.iter() {
            self.read(topic, partition, next - 1);
        }
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.next.is_empty()
    }
}
