//! One file of a partition's log: whole batches one after another, and a sparse index in memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::AppendError;
use super::batch::{BatchHeader, stored_prefix};
use crate::disk::DataFile;

/// One index entry for about so many bytes: what a reader may have to skip.
pub(crate) const INDEX_INTERVAL_BYTES: u64 = 16 * 1024;

#[derive(Debug, Clone, Copy)]
struct IndexEntry {
    offset: i64,
    position: u64,
    /// The largest timestamp of all batches before this one.
    max_timestamp_before: i64,
}

/// A file of batches.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    file: Arc<DataFile>,
    bytes: u64,
    next_offset: i64,
    max_timestamp: i64,
    index: Vec<IndexEntry>,
}

/// A stretch of a segment to look through.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub(crate) file: Arc<DataFile>,
    pub(crate) begin: u64,
    pub(crate) end: u64,
}

impl Segment {
    /// Creates an empty segment; the caller makes the directory durable.
    pub(crate) fn create(dir: &Path, base_offset: i64) -> io::Result<Self> {
        Ok(Self::of_file(DataFile::create(&path_of(dir, base_offset))?, base_offset))
    }

    /// Opens a segment's file; its batches are noted by whoever scans it.
    pub(crate) fn open(path: &Path, base_offset: i64) -> io::Result<Self> {
        Ok(Self::of_file(DataFile::open(path)?, base_offset))
    }

    fn of_file(file: DataFile, base_offset: i64) -> Self {
        Self {
            base_offset,
            file: Arc::new(file),
            bytes: 0,
            next_offset: base_offset,
            max_timestamp: -1,
            index: Vec::new(),
        }
    }

    /// Writes a batch at the end, under the offset in `header`. After [`AppendError::NotWritten`]
    /// the file is as it was before.
    pub(crate) fn append(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<(), AppendError> {
        let prefix = stored_prefix(header, header.base_offset);
        let rest = &batch[prefix.len()..];
        if let Err(error) = self.file.append(&prefix, rest) {
            self.file.cut_to(self.bytes).map_err(AppendError::Storage)?;
            return Err(AppendError::NotWritten(error));
        }
        self.note(header);
        Ok(())
    }

    /// Counts a batch that is in the file.
    pub(crate) fn note(&mut self, header: &BatchHeader) {
        let due = self.index.last().is_none_or(|last| self.bytes - last.position >= INDEX_INTERVAL_BYTES);
        if due {
            self.index.push(IndexEntry {
                offset: header.base_offset,
                position: self.bytes,
                max_timestamp_before: self.max_timestamp,
            });
        }
        self.bytes += header.total_bytes as u64;
        self.next_offset = header.next_offset();
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
    }

    /// Cuts off what follows the batches noted so far.
    pub(crate) fn truncate_to_noted(&self) -> io::Result<()> {
        self.file.cut_to(self.bytes)?;
        self.file.sync()
    }

    /// Where batches with offsets in `from..until` are, beginning a little earlier.
    pub(crate) fn stretch(&self, from: i64, until: i64) -> Stretch {
        let begin = self.index.partition_point(|entry| entry.offset <= from).saturating_sub(1);
        let end = self.index.partition_point(|entry| entry.offset < until);
        Stretch {
            file: Arc::clone(&self.file),
            begin: self.index.get(begin).map_or(0, |entry| entry.position),
            end: self.index.get(end).map_or(self.bytes, |entry| entry.position),
        }
    }

    /// Where the first batch with a timestamp of at least `timestamp` is, beginning a little earlier.
    pub(crate) fn stretch_since(&self, timestamp: i64) -> Stretch {
        let begin = self.index.partition_point(|entry| entry.max_timestamp_before < timestamp);
        let begin = self.index.get(begin.saturating_sub(1)).map_or(0, |entry| entry.position);
        Stretch { file: Arc::clone(&self.file), begin, end: self.bytes }
    }

    /// Deletes the file. Readers that hold it open finish undisturbed.
    pub(crate) fn delete(self) -> io::Result<()> {
        std::fs::remove_file(self.file.path())
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    pub(crate) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    pub(crate) fn file(&self) -> &Arc<DataFile> {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }
}

/// The file of the segment that begins at `base_offset`.
pub(crate) fn path_of(dir: &Path, base_offset: i64) -> PathBuf {
    dir.join(format!("{base_offset:020}.log"))
}
