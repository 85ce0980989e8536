//! The sparse index of a segment as a file beside it, so that a start need not read the records.
//!
//! It grows with the segment, a frame at each checkpoint. It only repeats what the segment says: one
//! that is missing, torn or damaged is made again from the records.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{DataFile, remove};

const FRAME_HEADER_BYTES: usize = 8;

/// A batch that a reader can begin at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(super) offset: i64,
    pub(super) position: u64,
    /// The largest timestamp of all batches before this one.
    pub(super) max_timestamp_before: i64,
}

/// What the index says of one stretch of its segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(super) from: u64,
    pub(super) until: u64,
    /// As it is at the stretch's end.
    pub(super) next_offset: i64,
    pub(super) max_timestamp: i64,
    pub(super) entries: Vec<Entry>,
}

impl Frame {
    /// Puts the frame behind those that the index of `segment` has; the first begins a new file.
    /// The caller makes the directory durable.
    pub(crate) fn append_to(&self, segment: &Path) -> io::Result<()> {
        let path = path_of(segment);
        let file = if self.from == 0 { DataFile::create(&path)? } else { DataFile::open(&path)? };
        let body = postcard::to_stdvec(self).map_err(io::Error::other)?;
        let mut header = [0; FRAME_HEADER_BYTES];
        header[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
        header[4..].copy_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        file.append(&header, &body)?;
        file.sync()
    }

    /// The frame at the start of `bytes`, and what comes behind it.
    fn take(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        Some((postcard::from_bytes(body).ok()?, rest))
    }
}

/// What the index of a segment says from its beginning on, up to the first thing that is wrong or
/// does not follow, and whether there was none.
pub(super) fn read(segment: &Path) -> io::Result<(Vec<Frame>, bool)> {
    let bytes = match std::fs::read(path_of(segment)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), false)),
        Err(error) => return Err(error),
    };
    let (mut frames, mut left) = (Vec::<Frame>::new(), bytes.as_slice());
    while let Some((frame, rest)) = Frame::take(left) {
        if frame.from != frames.last().map_or(0, |last| last.until) || frame.until <= frame.from {
            break;
        }
        frames.push(frame);
        left = rest;
    }
    Ok((frames, left.is_empty()))
}

/// Takes the index away: the next start makes it again, and looks at every record for it.
pub(super) fn forget(segment: &Path) -> io::Result<()> {
    match remove(&path_of(segment)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The index that belongs to a segment's file.
pub(super) fn path_of(segment: &Path) -> PathBuf {
    segment.with_extension("index")
}
