//! The log of one partition: segments on disk, and what must be known about the batches in them.

pub(crate) mod batch;
pub(crate) mod checkpoint;
mod codec;
mod index;
pub(crate) mod lookup;
pub(crate) mod marker;
mod open;
pub(crate) mod producers;
pub(crate) mod read;
pub(crate) mod records;
mod repair;
pub(crate) mod retention;
mod scan;
mod segment;
pub(crate) mod unstable;
pub(crate) mod varint;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;

use self::batch::BatchHeader;
use self::checkpoint::{Checkpoint, Snapshot};
use self::marker::{Outcome, Producer};
use self::producers::{Producers, Verdict};
use self::read::Slice;
use self::segment::Segment;
use self::unstable::Transactions;
use crate::disk::{DataFile, sync_directory};

/// The batches of one partition. Callers hold the partition's lock.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    /// By base offset; only the last one grows. Empty until something is appended.
    segments: Vec<Segment>,
    start_offset: i64,
    end_offset: i64,
    producers: Producers,
    transactions: Transactions,
    unsynced: Unsynced,
    checkpointed: Checkpoint,
    checkpointed_at: Instant,
}

/// What must reach the disk before the log's end may be called durable.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    files: Vec<Arc<DataFile>>,
    directory: Option<PathBuf>,
}

/// How far the log reaches.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) end_offset: i64,
    /// To be written once the log is synced up to there, if it is time for that.
    pub(crate) snapshot: Option<Snapshot>,
}

/// Where a batch is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) base_offset: i64,
    pub(crate) next_offset: i64,
    /// It was there before: a producer sent it again.
    pub(crate) repeated: bool,
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error("refused: {0}")]
    Refused(ResponseError),
    /// The log is as it was before; a later batch may find room.
    #[error("batch cannot be written")]
    NotWritten(#[source] io::Error),
    /// No one knows what the file holds.
    #[error("log cannot be written")]
    Storage(#[source] io::Error),
}

impl Log {
    /// Appends a checked batch, unless its producer repeats itself or is out of order.
    pub(crate) fn append(
        &mut self,
        mut header: BatchHeader,
        batch: &[u8],
        segment_bytes: u64,
    ) -> Result<Placed, AppendError> {
        if header.has_producer()
            && let Verdict::Repeat { base_offset, next_offset } =
                self.producers.check(&header).map_err(AppendError::Refused)?
        {
            return Ok(Placed { base_offset, next_offset, repeated: true });
        }
        header.base_offset = self.end_offset;
        self.write(&header, batch, segment_bytes)?;
        self.note(&header, None);
        Ok(Placed { base_offset: header.base_offset, next_offset: header.next_offset(), repeated: false })
    }

    /// Appends the end of a transaction; returns the offset after it.
    pub(crate) fn append_marker(
        &mut self,
        producer: Producer,
        outcome: Outcome,
        timestamp_ms: i64,
        segment_bytes: u64,
    ) -> Result<i64, AppendError> {
        let batch = marker::encode(producer, outcome, timestamp_ms);
        let mut header = BatchHeader::read(&batch).expect("an encoded marker is a batch");
        header.base_offset = self.end_offset;
        self.write(&header, &batch, segment_bytes)?;
        self.note(&header, Some(outcome));
        Ok(self.end_offset)
    }

    fn write(&mut self, header: &BatchHeader, batch: &[u8], segment_bytes: u64) -> Result<(), AppendError> {
        let full =
            |last: &Segment| last.bytes() > 0 && last.bytes() + header.total_bytes as u64 > segment_bytes;
        // Inside a segment offsets have no gaps, or recovery could not tell one from damage.
        let has_gap = |last: &Segment| last.next_offset() != self.end_offset;
        if self.segments.last().is_none_or(|last| full(last) || has_gap(last)) {
            self.sync_last().map_err(AppendError::Storage)?;
            // Without room, or file descriptors, the log goes on with the segments it has.
            self.roll().map_err(AppendError::NotWritten)?;
        }
        let active = self.segments.last_mut().expect("there is an active segment after a roll");
        active.append(header, batch)?;
        if self.unsynced.files.last().is_none_or(|last| !Arc::ptr_eq(last, active.file())) {
            self.unsynced.files.push(Arc::clone(active.file()));
        }
        Ok(())
    }

    /// After a power cut there must be no segment without all of the one before it: what comes
    /// behind lost records would be taken for what follows them. So it is durable before a roll.
    fn sync_last(&self) -> io::Result<()> {
        let Some(last) = self.segments.last() else { return Ok(()) };
        last.file().sync()?;
        sync_directory(&self.dir)
    }

    /// Begins a new segment, once the last one is durable.
    fn roll(&mut self) -> io::Result<()> {
        self.segments.push(Segment::create(&self.dir, self.end_offset)?);
        self.unsynced.directory = Some(self.dir.clone());
        Ok(())
    }

    /// Learns from a batch that is now in the last segment.
    fn note(&mut self, header: &BatchHeader, marker: Option<Outcome>) {
        self.end_offset = header.next_offset();
        if !header.has_producer() {
            return;
        }
        self.producers.note(header);
        match marker {
            Some(outcome) => self.transactions.note_marker(header, outcome),
            None if header.is_transactional() => self.transactions.note_records(header),
            None => {}
        }
    }

    /// What a reader at `from` may read below `until`; `None` when there is nothing (yet).
    pub(crate) fn slice(&self, from: i64, until: i64) -> Result<Option<Slice>, ResponseError> {
        if from < self.start_offset || from > self.end_offset {
            return Err(ResponseError::OffsetOutOfRange);
        }
        if from >= until {
            return Ok(None);
        }
        let holding = self.segments.partition_point(|segment| segment.next_offset() <= from);
        let Some(segment) = self.segments.get(holding) else { return Ok(None) };
        Ok(Some(Slice { stretch: segment.stretch(from, until), from, until }))
    }

    /// Hands over what must be synced for the log to be durable up to its present end.
    pub(crate) fn take_unsynced(&mut self, now: Instant) -> (Unsynced, Reached) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let snapshot = if self.is_checkpoint_due(now) { self.snapshot(now) } else { None };
        (unsynced, Reached { end_offset: self.end_offset, snapshot })
    }

    /// Whether creating or deleting segments has left something to sync.
    pub(crate) fn has_unsynced(&self) -> bool {
        !self.unsynced.is_empty()
    }

    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }

    pub(crate) fn segment_count(&self) -> usize {
        self.segments.len()
    }

    pub(crate) fn producers(&self) -> &Producers {
        &self.producers
    }

    pub(crate) fn transactions(&self) -> &Transactions {
        &self.transactions
    }
}

impl Unsynced {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directory.is_none()
    }

    /// Waits until the disk has it; returns how many syncs it took.
    pub(crate) fn sync(&self) -> io::Result<u64> {
        for file in &self.files {
            file.sync()?;
        }
        if let Some(directory) = &self.directory {
            sync_directory(directory)?;
        }
        Ok(self.files.len() as u64 + u64::from(self.directory.is_some()))
    }
}

#[cfg(test)]
pub(crate) mod tests;
