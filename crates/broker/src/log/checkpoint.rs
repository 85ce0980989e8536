//! How far a partition's log is known to be on the disk, and what it amounts to up to there.
//!
//! What is bad below is damage, of which as little as possible is given up; what is bad above was
//! torn by a crash, and never acknowledged. A start reads the records above only: everything that
//! must be known of those below is here and in the segments' indexes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Log;
use super::index::Frame;
use super::producers::Producers;
use super::segment::Segment;
use super::unstable::Transactions;
use crate::disk::{DataFile, sync_directory};

/// A checkpoint is written after so many bytes, or so much time, and whenever a segment is full.
const CHECKPOINT_EVERY_BYTES: u64 = 16 * 1024 * 1024;
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
const NAME: &str = "checkpoint";
const POSITION_BYTES: usize = 24;
const CRC_BYTES: usize = 4;

/// A position up to which everything was synced; as small as can be when nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checkpoint {
    /// The segment that begins at this offset,
    pub(crate) segment: i64,
    /// is synced up to this position, as is every earlier one.
    pub(crate) position: u64,
    /// The offset that comes after what was synced.
    pub(crate) end_offset: i64,
}

/// What must be known of the batches before a checkpoint.
pub(super) type State = (Producers, Transactions);

/// A checkpoint as it is found.
#[derive(Debug, Default)]
pub(super) struct Saved {
    pub(super) checkpoint: Checkpoint,
    /// Without it the whole log must be looked through.
    pub(super) state: Option<State>,
}

/// A checkpoint to be written once everything before it is synced.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) dir: PathBuf,
    pub(super) checkpoint: Checkpoint,
    pub(super) state: Vec<u8>,
    /// What the segments' indexes do not have yet.
    pub(super) frames: Vec<(PathBuf, Frame)>,
}

impl Log {
    fn position(&self) -> Checkpoint {
        let last = self.segments.last();
        Checkpoint {
            segment: last.map_or(0, Segment::base_offset),
            position: last.map_or(0, Segment::bytes),
            end_offset: self.end_offset,
        }
    }

    /// Whether enough has happened since the last checkpoint.
    pub(crate) fn is_checkpoint_due(&self, now: Instant) -> bool {
        let (position, last) = (self.position(), self.checkpointed);
        position != last
            && (position.segment != last.segment
                || position.position >= last.position + CHECKPOINT_EVERY_BYTES
                || now.duration_since(self.checkpointed_at) >= CHECKPOINT_EVERY)
    }

    /// Everything that a start needs to know of the log as it is, unless it was told.
    pub(super) fn snapshot(&mut self, now: Instant) -> Option<Snapshot> {
        let checkpoint = self.position();
        let is_told = checkpoint == self.checkpointed && self.segments.iter().all(Segment::is_indexed);
        if is_told || self.segments.is_empty() {
            return None;
        }
        let state = postcard::to_stdvec(&(&self.producers, &self.transactions)).ok()?;
        let unindexed = |segment: &mut Segment| Some((segment.path().to_owned(), segment.take_unindexed()?));
        let frames = self.segments.iter_mut().filter_map(unindexed).collect();
        (self.checkpointed, self.checkpointed_at) = (checkpoint, now);
        Some(Snapshot { dir: self.dir.clone(), checkpoint, state, frames })
    }

    /// The last checkpoint, of a log that is wholly synced.
    pub(crate) fn last_snapshot(&mut self) -> Option<Snapshot> {
        if self.unsynced.is_empty() { self.snapshot(Instant::now()) } else { None }
    }
}

impl Snapshot {
    /// Replaces the checkpoint and brings the indexes up to date, durably. An index may be gone with
    /// its segment, or because that is damaged; a start does without it.
    pub(crate) fn write(&self) -> io::Result<()> {
        for (segment, frame) in self.frames.iter().filter(|(segment, _)| segment.exists()) {
            if let Err(error) = frame.append_to(segment) {
                tracing::warn!(segment = %segment.display(), %error, "cannot write to the index of this segment");
            }
        }
        let mut file = DataFile::create(&self.dir.join("checkpoint.next"))?;
        file.append(&self.encode(), &[])?;
        file.sync()?;
        file.rename(&self.dir.join(NAME))?;
        sync_directory(&self.dir)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(POSITION_BYTES + self.state.len() + CRC_BYTES);
        bytes.extend_from_slice(&self.checkpoint.segment.to_be_bytes());
        bytes.extend_from_slice(&self.checkpoint.position.to_be_bytes());
        bytes.extend_from_slice(&self.checkpoint.end_offset.to_be_bytes());
        bytes.extend_from_slice(&self.state);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }
}

impl Saved {
    /// Reads the checkpoint of the partition in `dir`.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        Ok(Self::decode(&bytes).unwrap_or_else(|| {
            tracing::warn!(path = %path.display(), "checkpoint cannot be read; looking through the whole log");
            Self::default()
        }))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
        if crc32c::crc32c(content).to_be_bytes() != *crc {
            return None;
        }
        let (position, state) = content.split_at_checked(POSITION_BYTES)?;
        let field = |at: usize| <[u8; 8]>::try_from(&position[at..at + 8]).ok();
        let checkpoint = Checkpoint {
            segment: i64::from_be_bytes(field(0)?),
            position: u64::from_be_bytes(field(8)?),
            end_offset: i64::from_be_bytes(field(16)?),
        };
        // The first version wrote no state.
        Some(Self { checkpoint, state: postcard::from_bytes(state).ok() })
    }
}

impl Checkpoint {
    /// How many bytes of a segment are known to be on the disk.
    pub(crate) fn synced_bytes(&self, segment: i64, file_bytes: u64) -> u64 {
        match segment.cmp(&self.segment) {
            std::cmp::Ordering::Less => file_bytes,
            std::cmp::Ordering::Equal => self.position.min(file_bytes),
            std::cmp::Ordering::Greater => 0,
        }
    }
}

#[cfg(test)]
impl Checkpoint {
    /// The checkpoint of the partition in `dir`.
    pub(crate) fn read(dir: &Path) -> Self {
        Saved::read(dir).unwrap().checkpoint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_written_or_not_at_all() {
        let dir = tempfile::TempDir::new().unwrap();
        let read = || Saved::read(dir.path()).unwrap();
        assert_eq!(read().checkpoint, Checkpoint::default());
        let checkpoint = Checkpoint { segment: 7, position: 1234, end_offset: 99 };
        let state = postcard::to_stdvec(&State::default()).unwrap();
        Snapshot { dir: dir.path().to_owned(), checkpoint, state, frames: Vec::new() }.write().unwrap();
        assert_eq!(read().checkpoint, checkpoint);
        assert!(read().state.is_some());
        let path = dir.path().join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read().checkpoint, Checkpoint::default());
    }

    #[test]
    fn a_checkpoint_without_a_state_says_how_far_the_log_is_synced() {
        let mut bytes: Vec<u8> = [7_u64, 1234, 99].iter().flat_map(|field| field.to_be_bytes()).collect();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        let saved = Saved::decode(&bytes).unwrap();
        assert_eq!(saved.checkpoint, Checkpoint { segment: 7, position: 1234, end_offset: 99 });
        assert!(saved.state.is_none());
    }
}
