//! Every topic there is, by name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use kafka_protocol::error::ResponseError;

use crate::config::BrokerConfig;
use crate::disk::{create_directory, rename, sync_directory};
use crate::error::BrokerError;
use crate::journal::record::{PartitionName, TopicRecord};
use crate::journal::state::State;
use crate::partition::Partition;
use crate::set_aside;
use crate::syncer::SyncQueue;
use crate::topic_config::TopicConfig;

const NAME_BYTES_MAX: usize = 249;
/// Partitions that a start opens at a time.
const OPENED_AT_ONCE: usize = 8;
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
    fn new(record: TopicRecord, broker: &BrokerConfig, partitions: Vec<Arc<Partition>>) -> Self {
        Self { config: TopicConfig::new(broker, &record.configs), partitions, record }
    }

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
    /// Opens every topic that the journal knows. What it does not know is moved aside.
    pub(crate) fn open(
        dir: PathBuf,
        queue: Arc<SyncQueue>,
        broker: &BrokerConfig,
        state: &State,
    ) -> Result<Self, BrokerError> {
        create_directory(&dir).map_err(BrokerError::storage("create", &dir))?;
        let topics = Self { dir, queue, by_name: RwLock::default() };
        topics.set_strangers_aside(state)?;
        let mut partitions = topics.restore(state)?.into_iter();
        for record in state.topics.values() {
            let its_own = partitions.by_ref().take(record.partitions as usize).collect();
            topics.publish(Topic::new(record.clone(), broker, its_own));
        }
        Ok(topics)
    }

    /// Directories that a crash left between creating or deleting a topic and saying so; or all of
    /// them, if the journal is not the one that belongs to them. So they are kept.
    fn set_strangers_aside(&self, state: &State) -> Result<(), BrokerError> {
        let known: BTreeSet<_> = state.topics.values().map(directory_name).collect();
        let removed = self.dir.with_file_name("removed");
        let entries = std::fs::read_dir(&self.dir).map_err(BrokerError::storage("read", &self.dir))?;
        for entry in entries {
            let entry = entry.map_err(BrokerError::storage("read", &self.dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if known.contains(&name) {
                continue;
            }
            create_directory(&removed).map_err(BrokerError::storage("create", &removed))?;
            let to = free_name(&removed, &name);
            rename(&entry.path(), &to).map_err(BrokerError::storage("move", entry.path()))?;
            set_aside::mark(&to);
            tracing::warn!(path = %entry.path().display(), to = %to.display(),
                "moved aside a topic that the journal does not know; delete it if no one misses it");
        }
        Ok(())
    }

    /// Opens every partition that was there before, in order. Several at a time: after a crash each
    /// of them reads some of its records, and waits for the disk.
    fn restore(&self, state: &State) -> Result<Vec<Arc<Partition>>, BrokerError> {
        let each =
            state.topics.values().flat_map(|record| (0..record.partitions).map(move |at| (record, at)));
        let each: Vec<_> = each.collect();
        let share = each.len().div_ceil(OPENED_AT_ONCE).max(1);
        let open = |share: &[(&TopicRecord, i32)]| {
            let open = |&(record, index): &_| self.restore_partition(record, index, &state.log_starts);
            share.iter().map(open).collect::<Result<Vec<_>, _>>()
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = each.chunks(share).map(|share| scope.spawn(move || open(share))).collect();
            let joined =
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            Ok(joined.collect::<Result<Vec<_>, _>>()?.concat())
        })
    }

    fn restore_partition(
        &self,
        record: &TopicRecord,
        index: i32,
        log_starts: &BTreeMap<PartitionName, i64>,
    ) -> Result<Arc<Partition>, BrokerError> {
        let dir = self.dir.join(directory_name(record)).join(index.to_string());
        if !dir.is_dir() {
            return Err(missing(&dir));
        }
        let of = PartitionName { topic: record.name.clone(), partition: index };
        let log_start = log_starts.get(&of).copied().unwrap_or(0);
        self.open_partition(record, index, &dir, log_start).map_err(BrokerError::storage("open", dir))
    }

    fn open_partition(
        &self,
        record: &TopicRecord,
        index: i32,
        dir: &Path,
        log_start: i64,
    ) -> io::Result<Arc<Partition>> {
        let (name, queue) = (record.name.as_str().into(), Arc::clone(&self.queue));
        Ok(Arc::new(Partition::open(name, index, dir, log_start, queue)?))
    }

    /// Makes the files of a new topic, or of its new partitions. No one sees them yet.
    pub(crate) fn prepare(&self, record: TopicRecord, broker: &BrokerConfig) -> io::Result<Topic> {
        let dir = self.dir.join(directory_name(&record));
        let mut partitions = match self.get(&record.name) {
            Some(topic) if topic.record.id == record.id => topic.partitions.clone(),
            _ => Vec::new(),
        };
        for index in partitions.len() as i32..record.partitions {
            let partition_dir = dir.join(index.to_string());
            std::fs::create_dir_all(&partition_dir)?;
            partitions.push(self.open_partition(&record, index, &partition_dir, 0)?);
        }
        sync_directory(&dir)?;
        sync_directory(&self.dir)?;
        Ok(Topic::new(record, broker, partitions))
    }

    /// Makes a prepared topic visible; the journal has it by now.
    pub(crate) fn publish(&self, topic: Topic) {
        self.by_name.write().expect(UNPOISONED).insert(topic.record.name.clone(), Arc::new(topic));
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

fn missing(partition_dir: &Path) -> BrokerError {
    let dir = partition_dir.display();
    BrokerError::Damaged(format!(
        "{dir} is missing, though the journal knows its topic. Put a copy of it in its place; if there is \
         none, an empty directory there gives up its records"
    ))
}

/// `name`, or with a number behind it if that is taken.
fn free_name(dir: &Path, name: &str) -> PathBuf {
    let numbered =
        |count: u32| dir.join(if count == 0 { name.to_owned() } else { format!("{name}.{count}") });
    (0..).map(numbered).find(|path| !path.exists()).unwrap_or_else(|| dir.join(name))
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
