//! What is done to a partition beside reading and writing: old records go, and a checkpoint says
//! how far the rest is on the disk.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;

use super::Partition;
use crate::log::Log;
use crate::log::checkpoint::Snapshot;
use crate::log::retention::Retention;

impl Partition {
    /// Remembers on disk how far the log is synced, and what it amounts to.
    pub(crate) fn checkpoint(&self, synced: &Snapshot) {
        if let Err(error) = synced.write() {
            let (topic, partition) = (&self.topic, self.index);
            tracing::warn!(%topic, partition, %error, "cannot write a checkpoint; a restart looks through more of the log");
        }
    }

    /// The same, for the last time.
    pub(crate) fn close(&self) {
        let last = if self.has_failed() { None } else { self.log.lock().last_snapshot() };
        if let Some(snapshot) = last {
            self.checkpoint(&snapshot);
        }
    }

    /// Has the sync thread write a checkpoint if one is due, though nothing more is written.
    pub(crate) fn checkpoint_if_due(self: &Arc<Self>) {
        if self.log.lock().is_checkpoint_due(Instant::now()) {
            self.enqueue(0);
        }
    }

    /// Deletes the records before `offset`; -1 stands for the high watermark. Returns the new start.
    pub(crate) fn delete_before(self: &Arc<Self>, offset: i64) -> Result<i64, ResponseError> {
        self.refuse_if_ended()?;
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
        self.refuse_if_ended()?;
        let mut log = self.log.lock();
        let offsets = self.offsets_of(&log)?;
        let retained = log.retain(keep, now_ms, offsets.last_stable, offsets.high_watermark);
        self.enqueue_if_unsynced(&log);
        retained.map_err(|error| self.not_deleted("delete segments", &error))
    }

    fn enqueue_if_unsynced(self: &Arc<Self>, log: &Log) {
        if log.has_unsynced() {
            self.enqueue(0);
        }
    }

    /// Nothing is lost by it, and it is tried again.
    fn not_deleted(&self, attempt: &str, error: &io::Error) -> ResponseError {
        let (topic, partition) = (&self.topic, self.index);
        tracing::warn!(%topic, partition, %error, "cannot {attempt}");
        ResponseError::KafkaStorageError
    }
}
