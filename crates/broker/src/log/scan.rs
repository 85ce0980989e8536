//! Walks a segment's file batch by batch, up to the first thing that is not one.

use std::io;
use std::ops::Range;

use super::batch::{BatchError, BatchHeader, HEADER_BYTES};
use super::segment::Stretch;
use crate::disk::DataFile;

const WINDOW_BYTES: usize = 64 * 1024;
/// A file read through a buffer, at any position.
struct Window<'a> {
    file: &'a DataFile,
    file_bytes: u64,
    begin: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Up to `wanted` bytes from `position`; fewer at the end of the file.
    fn at(&mut self, position: u64, wanted: usize) -> io::Result<&[u8]> {
        let available = self.file_bytes.saturating_sub(position);
        let wanted = usize::try_from(available).unwrap_or(usize::MAX).min(wanted);
        let held_until = self.begin + self.bytes.len() as u64;
        if position < self.begin || position + wanted as u64 > held_until {
            let ahead = usize::try_from(available).unwrap_or(usize::MAX).min(WINDOW_BYTES.max(wanted));
            self.bytes.resize(ahead, 0);
            self.file.read_exact_at(&mut self.bytes, position)?;
            self.begin = position;
        }
        let from = (position - self.begin) as usize;
        Ok(&self.bytes[from..from + wanted])
    }
}

/// Where a batch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: i64,
    pub(crate) position: u64,
}

impl Window<'_> {
    /// The base offset of the whole, valid batch at `position`, if there is one.
    fn batch_at(&mut self, position: u64, offsets: &Range<i64>) -> io::Result<Option<i64>> {
        let Ok(header) = BatchHeader::read(self.at(position, HEADER_BYTES)?) else { return Ok(None) };
        if !offsets.contains(&header.base_offset) {
            return Ok(None);
        }
        let is_whole = BatchHeader::read_whole(self.at(position, header.total_bytes)?).is_ok();
        Ok(is_whole.then_some(header.base_offset))
    }
}

/// Looks for the first batch with one of these offsets behind the bad bytes that a stretch begins with.
pub(crate) fn find_batch(stretch: &Stretch, offsets: Range<i64>) -> io::Result<Option<Found>> {
    let mut window =
        Window { file: &stretch.file, file_bytes: stretch.end, begin: stretch.begin, bytes: Vec::new() };
    let bad = BatchHeader::read(window.at(stretch.begin, HEADER_BYTES)?);
    // A record may hold what looks like a batch, so first where the bad one says that it ends.
    let behind_bad = bad.ok().map(|header| stretch.begin + header.total_bytes as u64);
    for position in behind_bad.into_iter().chain(stretch.begin + 1..stretch.end) {
        if let Some(offset) = window.batch_at(position, &offsets)? {
            return Ok(Some(Found { offset, position }));
        }
    }
    Ok(None)
}

/// Calls `visit` with each batch until it answers false. Offsets must follow on each other: they lie
/// outside the checksum. Returns why the walk ended early, if it met something that is not a batch.
pub(crate) fn scan(
    stretch: &Stretch,
    mut visit: impl FnMut(&BatchHeader, &[u8]) -> bool,
) -> io::Result<Option<BatchError>> {
    let mut window =
        Window { file: &stretch.file, file_bytes: stretch.end, begin: stretch.begin, bytes: Vec::new() };
    let mut position = stretch.begin;
    let mut next_offset = stretch.first_offset;
    while position < stretch.end {
        let header = match BatchHeader::read(window.at(position, HEADER_BYTES)?) {
            Ok(header) => header,
            Err(error) => return Ok(Some(error)),
        };
        if header.total_bytes as u64 > stretch.end - position {
            return Ok(Some(BatchError::Short));
        }
        if header.base_offset != next_offset {
            return Ok(Some(BatchError::Count));
        }
        let batch = window.at(position, header.total_bytes)?;
        if let Err(error) = BatchHeader::read_whole(batch) {
            return Ok(Some(error));
        }
        if !visit(&header, batch) {
            return Ok(None);
        }
        next_offset = header.next_offset();
        position += header.total_bytes as u64;
    }
    Ok(None)
}
