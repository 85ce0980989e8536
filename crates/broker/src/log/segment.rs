//! One file of a partition's log: whole batches one after another, and a sparse index of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::AppendError;
use super::batch::{BatchError, BatchHeader, HEADER_BYTES, stored_prefix};
use super::index::{self, Entry, Frame};
use crate::disk::{DataFile, remove};

/// One index entry for about so many bytes: what a reader may have to skip.
pub(crate) const INDEX_INTERVAL_BYTES: u64 = 16 * 1024;

/// A file of batches.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    file: Arc<DataFile>,
    bytes: u64,
    next_offset: i64,
    max_timestamp: i64,
    index: Vec<Entry>,
    indexed: Indexed,
}

/// How much of the index is in its file, as entries and as bytes of the segment.
#[derive(Debug, Clone, Copy, Default)]
struct Indexed {
    entries: usize,
    bytes: u64,
}

/// A stretch of a segment to look through.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub(crate) file: Arc<DataFile>,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    /// Of the batch at its beginning.
    pub(crate) first_offset: i64,
}

impl Stretch {
    /// What a reader is told who meets something that is not the batch that belongs there. The next
    /// start is to look at every record of this segment, so its index goes.
    pub(crate) fn damaged(&self, position: u64, offset: i64, problem: BatchError) -> io::Error {
        let path = self.file.path();
        if let Err(error) = index::forget(path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove the index of a damaged segment");
        }
        let message = format!(
            "{} is damaged at byte {position}, offset {offset}: {problem}; it is not served, and the next \
             start takes it out of the log",
            path.display()
        );
        io::Error::new(io::ErrorKind::InvalidData, message)
    }
}

impl Segment {
    /// Creates an empty segment; the caller makes the directory durable.
    pub(crate) fn create(dir: &Path, base_offset: i64) -> io::Result<Self> {
        let path = path_of(dir, base_offset);
        let file = DataFile::create(&path)?;
        index::forget(&path)?; // of an earlier segment of this name, which a crash took away
        Ok(Self::of_file(file, base_offset))
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
            indexed: Indexed::default(),
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
            self.index.push(Entry {
                offset: header.base_offset,
                position: self.bytes,
                max_timestamp_before: self.max_timestamp,
            });
        }
        self.bytes += header.total_bytes as u64;
        self.next_offset = header.next_offset();
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
    }

    /// Notes what the index file says of the first `known_bytes`, instead of reading them. An index
    /// that is not as it should be is forgotten, to be written anew.
    pub(super) fn note_indexed(&mut self, known_bytes: u64) -> io::Result<()> {
        let (frames, mut is_right) = index::read(self.path())?;
        for frame in frames {
            if frame.until > known_bytes || !self.begins_batches(&frame)? {
                is_right = false;
                break;
            }
            self.bytes = frame.until;
            (self.next_offset, self.max_timestamp) = (frame.next_offset, frame.max_timestamp);
            self.index.extend(frame.entries);
        }
        if self.bytes < known_bytes {
            let (path, indexed_bytes) = (self.path().display(), self.bytes);
            tracing::info!(%path, indexed_bytes, known_bytes, "index is missing or not whole; made again");
        }
        if is_right {
            self.indexed = Indexed { entries: self.index.len(), bytes: self.bytes };
            return Ok(());
        }
        index::forget(self.path())
    }

    /// Whether the last entry is of a batch that is there: an index may be another segment's.
    fn begins_batches(&self, frame: &Frame) -> io::Result<bool> {
        let Some(last) = frame.entries.last() else { return Ok(true) };
        if last.position + HEADER_BYTES as u64 > frame.until {
            return Ok(false);
        }
        let mut header = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut header, last.position)?;
        Ok(BatchHeader::read(&header).is_ok_and(|header| header.base_offset == last.offset))
    }

    /// What the index file does not have yet.
    pub(super) fn take_unindexed(&mut self) -> Option<Frame> {
        if self.indexed.bytes == self.bytes {
            return None;
        }
        let frame = Frame {
            from: self.indexed.bytes,
            until: self.bytes,
            next_offset: self.next_offset,
            max_timestamp: self.max_timestamp,
            entries: self.index[self.indexed.entries..].to_vec(),
        };
        self.indexed = Indexed { entries: self.index.len(), bytes: self.bytes };
        Some(frame)
    }

    pub(super) fn is_indexed(&self) -> bool {
        self.indexed.bytes == self.bytes
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
        self.stretch_between(begin, self.index.get(end).map_or(self.bytes, |entry| entry.position))
    }

    /// Where the first batch with a timestamp of at least `timestamp` is, beginning a little earlier.
    pub(crate) fn stretch_since(&self, timestamp: i64) -> Stretch {
        let begin = self.index.partition_point(|entry| entry.max_timestamp_before < timestamp);
        self.stretch_between(begin.saturating_sub(1), self.bytes)
    }

    /// From an entry of the index up to a position.
    fn stretch_between(&self, entry: usize, end: u64) -> Stretch {
        let entry = self.index.get(entry);
        Stretch {
            file: Arc::clone(&self.file),
            begin: entry.map_or(0, |entry| entry.position),
            end,
            first_offset: entry.map_or(self.base_offset, |entry| entry.offset),
        }
    }

    /// What was not noted yet, up to the end of the file.
    pub(super) fn stretch_behind(&self, file_bytes: u64) -> Stretch {
        let (begin, first_offset) = (self.bytes, self.next_offset);
        Stretch { file: Arc::clone(&self.file), begin, end: file_bytes, first_offset }
    }

    /// Deletes the file. Readers that hold it open finish undisturbed.
    pub(crate) fn delete(self) -> io::Result<()> {
        index::forget(self.file.path())?;
        remove(self.file.path())
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
