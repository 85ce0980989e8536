//! Every topic there is, by name.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use kafka_protocol::error::ResponseError;

use crate::config::BrokerConfig;
use crate::disk::sync_directory;
use crate::journal::record::{PartitionName, TopicRecord};
use crate::journal::state::State;
use crate::partition::Partition;
use crate::syncer::SyncQueue;
use crate::topic_config::TopicConfig;

const NAME_BYTES_MAX: usize = 249;
const UNPOISONED: &str = "no one panics while holding a lock of the topics";

/// A topic and its partitions.
#[derive(Debug)]
pub(crate) struct Topic {
    record: TopicRecord,
    config: TopicConfig,
    partitions: Vec<Arc<Partition>>,
}

/// The topics. A change makes a new [`Topic`]; whoever holds the old one is not disturbed.
#[derive(Debug)]
pub(crate) struct Topics {
    dir: PathBuf,
    queue: Arc<SyncQueue>,
    by_name: RwLock<HashMap<String, Arc<Topic>>>,
}

impl Topic {
    pub(crate) fn record(&self) -> &TopicRecord {
        &self.record
    }

    pub(crate) fn config(&self) -> &TopicConfig {
        &self.config
    }

    pub(crate) fn partitions(&self) -> &[Arc<Partition>] {
        &self.partitions
    }

    pub(crate) fn partition(&self, index: i32) -> Result<&Arc<Partition>, ResponseError> {
        let index = usize::try_from(index).ok();
        index.and_then(|index| self.partitions.get(index)).ok_or(ResponseError::UnknownTopicOrPartition)
    }
}

impl Topics {
    /// Opens every topic that the journal knows, and removes what it does not.
    pub(crate) fn open(
        dir: PathBuf,
        queue: Arc<SyncQueue>,
        broker: &BrokerConfig,
        state: &State,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let topics = Self { dir, queue, by_name: RwLock::default() };
        for record in state.topics.values() {
            topics.put(record.clone(), broker, &state.log_starts)?;
        }
        topics.remove_strangers(state)?;
        Ok(topics)
    }

    /// Directories that a crash left between creating or deleting a topic and saying so.
    fn remove_strangers(&self, state: &State) -> io::Result<()> {
        let known: Vec<_> = state.topics.values().map(directory_name).collect();
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            if !known.iter().any(|name| entry.file_name() == name.as_str()) {
                tracing::warn!(path = %entry.path().display(), "removed what was left of a topic");
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Creates or extends a topic on disk and makes it visible.
    pub(crate) fn put(
        &self,
        record: TopicRecord,
        broker: &BrokerConfig,
        log_starts: &BTreeMap<PartitionName, i64>,
    ) -> io::Result<()> {
        let dir = self.dir.join(directory_name(&record));
        let mut partitions = match self.get(&record.name) {
            Some(topic) if topic.record.id == record.id => topic.partitions.clone(),
            _ => Vec::new(),
        };
        let name: Arc<str> = record.name.as_str().into();
        for index in partitions.len() as i32..record.partitions {
            let of = PartitionName { topic: record.name.clone(), partition: index };
            let log_start = log_starts.get(&of).copied().unwrap_or(0);
            let partition_dir = dir.join(index.to_string());
            let queue = Arc::clone(&self.queue);
            let partition = Partition::open(Arc::clone(&name), index, &partition_dir, log_start, queue)?;
            partitions.push(Arc::new(partition));
        }
        sync_directory(&dir)?;
        sync_directory(&self.dir)?;
        let config = TopicConfig::new(broker, &record.configs);
        let topic = Arc::new(Topic { config, partitions, record });
        self.by_name.write().expect(UNPOISONED).insert(topic.record.name.clone(), topic);
        Ok(())
    }

    /// Takes a topic away; its files are deleted.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let Some(topic) = self.by_name.write().expect(UNPOISONED).remove(name) else { return Ok(()) };
        for partition in &topic.partitions {
            partition.end(ResponseError::UnknownTopicOrPartition);
        }
        std::fs::remove_dir_all(self.dir.join(directory_name(&topic.record)))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.by_name.read().expect(UNPOISONED).get(name).cloned()
    }

    pub(crate) fn partition(&self, name: &str, index: i32) -> Result<Arc<Partition>, ResponseError> {
        let topic = self.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
        topic.partition(index).cloned()
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        let mut all: Vec<_> = self.by_name.read().expect(UNPOISONED).values().cloned().collect();
        all.sort_unstable_by(|one, other| one.record.name.cmp(&other.record.name));
        all
    }
}

/// `@` is not allowed in names, so no topic can take another's directory.
fn directory_name(record: &TopicRecord) -> String {
    format!("{}@{}", record.name, record.id)
}

/// Kafka's rules for names, which also make them safe as directory names.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name != "."
        && name != ".."
        && name.bytes().all(allowed)
}

/// The directory of topics inside the data directory.
pub(crate) fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("topics")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_directory_are_refused() {
        for name in ["", ".", "..", "a/b", "a@1", "ä", "a b", "x\0", &"x".repeat(250)] {
            assert!(!is_valid_name(name), "{name:?}");
        }
        for name in ["logs.partner-1.feed_2", "__consumer_offsets", &"x".repeat(249)] {
            assert!(is_valid_name(name), "{name:?}");
        }
    }
}
