//! One partition as connections see it: its log behind one lock, and how far that log is durable.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use tokio::sync::{Notify, watch};

use crate::guarded::Guarded;
use crate::log::batch::BatchHeader;
use crate::log::lookup::TimeSearch;
use crate::log::marker::{MARKER_BYTES, Outcome, Producer};
use crate::log::producers::Seen;
use crate::log::read::Slice;
use crate::log::unstable::{Aborted, OpenTransaction};
use crate::log::{AppendError, Log, Placed, Reached, Unsynced};
use crate::syncer::SyncQueue;

mod upkeep;

/// How far a partition is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watermark {
    /// Every record below is on disk, and may be read.
    pub(crate) high: i64,
    /// Why this will never advance again.
    pub(crate) ended: Option<ResponseError>,
}

impl Watermark {
    fn has_failed(&self) -> bool {
        self.ended == Some(ResponseError::KafkaStorageError)
    }
}

/// Which records a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

/// Offsets that readers ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offsets {
    pub(crate) log_start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable: i64,
}

/// What a fetch found in a partition.
#[derive(Debug)]
pub(crate) struct Readable {
    pub(crate) offsets: Offsets,
    pub(crate) slice: Option<Slice>,
    pub(crate) aborted: Vec<Aborted>,
}

/// A producer that has written to a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartitionProducer {
    pub(crate) seen: Seen,
    /// Where its open transaction begins.
    pub(crate) transaction_start: Option<i64>,
}

/// A partition of a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    topic: Arc<str>,
    index: i32,
    log: Guarded<Log>,
    watermark: watch::Sender<Watermark>,
    /// It waits in the sync queue.
    queued: AtomicBool,
    /// Fetches to wake when the watermark advances.
    waiting: Guarded<Vec<Arc<Notify>>>,
    queue: Arc<SyncQueue>,
}

impl Partition {
    /// Opens the partition's log; everything recovered is durable.
    pub(crate) fn open(
        topic: Arc<str>,
        index: i32,
        dir: &Path,
        log_start: i64,
        queue: Arc<SyncQueue>,
    ) -> io::Result<Self> {
        let log = Log::open(dir, log_start)?;
        let watermark = Watermark { high: log.end_offset(), ended: None };
        Ok(Self {
            topic,
            index,
            log: Guarded::new(log),
            watermark: watch::Sender::new(watermark),
            queued: AtomicBool::new(false),
            waiting: Guarded::default(),
            queue,
        })
    }

    /// Appends a checked batch; it is durable once [`Self::durable`] has passed its end.
    pub(crate) fn append(
        self: &Arc<Self>,
        header: BatchHeader,
        batch: &[u8],
        segment_bytes: u64,
    ) -> Result<Placed, ResponseError> {
        self.refuse_if_ended()?;
        let placed = match self.log.lock().append(header, batch, segment_bytes) {
            Ok(placed) => placed,
            Err(AppendError::Refused(refusal)) => return Err(refusal),
            Err(failed) => return Err(self.append_failed("append", failed)),
        };
        if !placed.repeated {
            self.enqueue(batch.len());
        }
        Ok(placed)
    }

    /// Appends the end of a transaction; returns the offset after it.
    pub(crate) fn append_marker(
        self: &Arc<Self>,
        producer: Producer,
        outcome: Outcome,
        now_ms: i64,
        segment_bytes: u64,
    ) -> Result<i64, ResponseError> {
        self.refuse_if_ended()?;
        let appended = self.log.lock().append_marker(producer, outcome, now_ms, segment_bytes);
        let end = appended.map_err(|failed| self.append_failed("append a marker", failed))?;
        self.enqueue(MARKER_BYTES);
        Ok(end)
    }

    /// Aborts the producer's open transaction here, and nowhere else; returns the offset after it.
    pub(crate) fn abort_open(
        self: &Arc<Self>,
        producer: Producer,
        now_ms: i64,
        segment_bytes: u64,
    ) -> Result<i64, ResponseError> {
        self.refuse_if_ended()?;
        let mut log = self.log.lock();
        let open = log.transactions().open().into_iter().find(|open| open.producer.id == producer.id);
        match open {
            None => return Err(ResponseError::InvalidTxnState),
            Some(open) if open.producer.epoch > producer.epoch => {
                return Err(ResponseError::InvalidProducerEpoch);
            }
            Some(_) => {}
        }
        let appended = log.append_marker(producer, Outcome::Abort, now_ms, segment_bytes);
        drop(log);
        let end = appended.map_err(|failed| self.append_failed("append a marker", failed))?;
        self.enqueue(MARKER_BYTES);
        Ok(end)
    }

    /// A batch that found no room is refused alone: readers go on, and so do later batches.
    fn append_failed(&self, attempt: &str, failed: AppendError) -> ResponseError {
        match failed {
            AppendError::Refused(refusal) => refusal,
            AppendError::Storage(error) => self.storage_failed(attempt, &error),
            AppendError::NotWritten(error) => {
                let (topic, partition) = (&self.topic, self.index);
                tracing::warn!(%topic, partition, %error, "cannot {attempt}; refused this batch only");
                ResponseError::KafkaStorageError
            }
        }
    }

    /// Neither written to nor cleaned up any more.
    fn refuse_if_ended(&self) -> Result<(), ResponseError> {
        self.watermark.borrow().ended.map_or(Ok(()), Err)
    }

    /// Has what was appended synced.
    fn enqueue(self: &Arc<Self>, bytes: usize) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.queue.push(Arc::clone(self));
        }
        self.queue.count(bytes);
    }

    /// Takes what is to be synced; the partition may be queued again from here on.
    pub(crate) fn take_unsynced(&self) -> (Unsynced, Reached) {
        self.queued.store(false, Ordering::Release);
        self.log.lock().take_unsynced(Instant::now())
    }

    /// Whether a write or sync failed. A later sync may succeed all the same, and means nothing.
    pub(crate) fn has_failed(&self) -> bool {
        self.watermark.borrow().has_failed()
    }

    /// Makes everything below `end` readable, and wakes who waits for it; after a failure, nothing.
    pub(crate) fn publish(&self, end: i64) {
        let advanced = self.watermark.send_if_modified(|watermark| {
            if end <= watermark.high || watermark.has_failed() {
                return false;
            }
            watermark.high = end;
            true
        });
        if advanced {
            self.wake_readers();
        }
    }

    /// Ends the partition: deleted, or its disk failed. Whoever waits gets `reason`.
    pub(crate) fn end(&self, reason: ResponseError) {
        self.watermark.send_modify(|watermark| {
            watermark.ended.get_or_insert(reason);
        });
        self.wake_readers();
    }

    /// After a failed write or sync no one knows what the disk holds: nothing more is promised.
    pub(crate) fn storage_failed(&self, attempt: &str, error: &io::Error) -> ResponseError {
        let (topic, partition) = (&self.topic, self.index);
        tracing::error!(%topic, partition, %error, "cannot {attempt}; this partition takes no more until a restart");
        self.end(ResponseError::KafkaStorageError);
        ResponseError::KafkaStorageError
    }

    /// Waits until everything below `end` is durable.
    pub(crate) async fn durable(&self, end: i64) -> Result<(), ResponseError> {
        let mut watermark = self.watermark.subscribe();
        let reached = watermark.wait_for(|now| now.high >= end || now.ended.is_some()).await;
        let now = reached.map_err(|_| ResponseError::UnknownServerError)?;
        if now.high >= end && !now.has_failed() {
            Ok(())
        } else {
            Err(now.ended.unwrap_or(ResponseError::UnknownServerError))
        }
    }

    /// Has `reader` woken when the watermark next advances.
    pub(crate) fn wake_on_advance(&self, reader: &Arc<Notify>) {
        self.waiting.lock().push(Arc::clone(reader));
    }

    /// Takes back [`Self::wake_on_advance`].
    pub(crate) fn forget_reader(&self, reader: &Arc<Notify>) {
        self.waiting.lock().retain(|waiting| !Arc::ptr_eq(waiting, reader));
    }

    fn wake_readers(&self) {
        for reader in self.waiting.lock().drain(..) {
            reader.notify_one();
        }
    }

    pub(crate) fn offsets(&self) -> Result<Offsets, ResponseError> {
        self.offsets_of(&self.log.lock())
    }

    /// A failed disk takes nothing from readers: what is below the high watermark was synced before.
    fn offsets_of(&self, log: &Log) -> Result<Offsets, ResponseError> {
        let watermark = *self.watermark.borrow();
        if let Some(reason) = watermark.ended
            && !watermark.has_failed()
        {
            return Err(reason);
        }
        let unstable = log.transactions().first_unstable();
        Ok(Offsets {
            log_start: log.start_offset(),
            high_watermark: watermark.high,
            // A transaction whose records were deleted holds no one back.
            last_stable: unstable.unwrap_or(i64::MAX).min(watermark.high).max(log.start_offset()),
        })
    }

    /// What a reader at `from` may have.
    pub(crate) fn readable(&self, from: i64, isolation: Isolation) -> Result<Readable, ResponseError> {
        let log = self.log.lock();
        let offsets = self.offsets_of(&log)?;
        let committed_only = isolation == Isolation::ReadCommitted;
        let until = if committed_only { offsets.last_stable } else { offsets.high_watermark };
        let slice = log.slice(from, until)?;
        let aborted =
            if committed_only { log.transactions().aborted_between(from, until) } else { Vec::new() };
        Ok(Readable { offsets, slice, aborted })
    }

    /// Prepares a search for a time.
    pub(crate) fn search_since(&self, timestamp: i64) -> TimeSearch {
        self.log.lock().search_since(timestamp)
    }

    /// Prepares a search for the latest time.
    pub(crate) fn search_latest(&self) -> Option<TimeSearch> {
        self.log.lock().search_latest()
    }

    /// Transactions without an end.
    pub(crate) fn open_transactions(&self) -> Vec<OpenTransaction> {
        self.log.lock().transactions().open()
    }

    /// Producers that have written to this partition, by id.
    pub(crate) fn producers(&self) -> Vec<PartitionProducer> {
        let log = self.log.lock();
        let mut producers: Vec<_> = log
            .producers()
            .seen()
            .into_iter()
            .map(|seen| {
                let transaction_start = log.transactions().first_offset_of(seen.producer.id);
                PartitionProducer { seen, transaction_start }
            })
            .collect();
        producers.sort_unstable_by_key(|producer| producer.seen.producer.id);
        producers
    }

    /// Where the producer's open transaction begins in this partition.
    pub(crate) fn transaction_start(&self, producer_id: i64) -> Option<i64> {
        self.log.lock().transactions().first_offset_of(producer_id)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.log.lock().bytes()
    }

    /// How many files hold the log.
    pub(crate) fn segment_count(&self) -> usize {
        self.log.lock().segment_count()
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(crate) fn index(&self) -> i32 {
        self.index
    }
}

#[cfg(test)]
mod tests;
