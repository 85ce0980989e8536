//! What is done to a partition beside reading and writing: old records go, and a checkpoint says
//! how far the rest is on the disk.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;

use super::Partition;
use crate::log::Log;
use crate::log::checkpoint::Checkpoint;
use crate::log::retention::Retention;

impl Partition {
    /// Remembers on disk how far the log is synced, if it is time for that.
    pub(crate) fn checkpoint(&self, synced: Checkpoint) {
        let due = self.log.lock().checkpoint_due(synced, Instant::now());
        if let Some(dir) = due {
            self.write_checkpoint(&dir, synced);
        }
    }

    /// The same, for the last time.
    pub(crate) fn close(&self) {
        let due = if self.has_failed() { None } else { self.log.lock().last_checkpoint_due() };
        if let Some((dir, synced)) = due {
            self.write_checkpoint(&dir, synced);
        }
    }

    fn write_checkpoint(&self, dir: &Path, synced: Checkpoint) {
        if let Err(error) = synced.write(dir) {
            let (topic, partition) = (&self.topic, self.index);
            tracing::warn!(%topic, partition, %error, "cannot write a checkpoint; a restart looks through more of the log");
        }
    }

    /// Deletes the records before `offset`; -1 stands for the high watermark. Returns the new start.
    pub(crate) fn delete_before(self: &Arc<Self>, offset: i64) -> Result<i64, ResponseError> {
        let mut log = self.log.lock();
        let high_watermark = self.offsets_of(&log)?.high_watermark;
        let offset = if offset == -1 { high_watermark } else { offset };
        if offset < 0 || offset > high_watermark {
            return Err(ResponseError::OffsetOutOfRange);
        }
        let deleted = log.delete_before(offset);
        self.enqueue_if_unsynced(&log);
        deleted.map_err(|error| self.not_deleted("delete records", &error))?;
        Ok(log.start_offset())
    }

    /// Deletes what is older or more than the topic keeps.
    pub(crate) fn retain(self: &Arc<Self>, keep: Retention, now_ms: i64) -> Result<usize, ResponseError> {
        let mut log = self.log.lock();
        let stable_until = self.offsets_of(&log)?.last_stable;
        let retained = log.retain(keep, now_ms, stable_until);
        self.enqueue_if_unsynced(&log);
        retained.map_err(|error| self.not_deleted("delete segments", &error))
    }

    fn enqueue_if_unsynced(self: &Arc<Self>, log: &Log) {
        if log.has_unsynced() {
            self.enqueue();
        }
    }

    /// Nothing is lost by it, and it is tried again.
    fn not_deleted(&self, attempt: &str, error: &io::Error) -> ResponseError {
        let (topic, partition) = (&self.topic, self.index);
        tracing::warn!(%topic, partition, %error, "cannot {attempt}");
        ResponseError::KafkaStorageError
    }
}
