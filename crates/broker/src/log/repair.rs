//! What becomes of a segment in which something is not a batch. Nothing is thrown away: what is cut
//! off or skipped is kept beside it, in files that end in `.cut`, see [`crate::set_aside`].

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::batch::HEADER_BYTES;
use super::index;
use super::scan::{Found, find_batch};
use super::segment::{Segment, path_of};
use crate::disk::{DataFile, rename, sync_directory};
use crate::set_aside;

const COPY_BYTES: usize = 64 * 1024;

/// Cuts a segment after the batches noted so far. What a crash has torn was never acknowledged, so
/// it is cut even when there is no room to keep it.
pub(super) fn cut(segment: &Segment) -> io::Result<()> {
    let (from, until) = (segment.bytes(), segment.file().bytes()?);
    if from < until
        && let Err(error) = keep(segment, from, until)
    {
        tracing::warn!(path = %segment.path().display(), %error, "cannot keep what is cut off");
    }
    segment.truncate_to_noted()
}

/// Takes the bad bytes after the batches noted so far out of the log. The batches behind them, if
/// there are any, become a segment of their own: inside a segment, offsets have no gaps.
pub(super) fn take_out_bad(segment: &Segment, dir: &Path, end_offset: i64) -> io::Result<Option<Found>> {
    let (bad_at, file_bytes) = (segment.bytes(), segment.file().bytes()?);
    let stretch = segment.stretch_behind(file_bytes);
    let behind = find_batch(&stretch, segment.next_offset()..end_offset)?;
    keep(segment, bad_at, behind.map_or(file_bytes, |found| found.position))?;
    if let Some(found) = behind {
        let rest = path_of(dir, found.offset);
        // It may be there already: if a crash came between these steps the last time.
        if !rest.exists() {
            let next = rest.with_extension("next");
            copy(segment, found.position, file_bytes, &next)?;
            rename(&next, &rest)?;
            sync_directory(dir)?;
        }
    }
    segment.truncate_to_noted()?;
    Ok(behind)
}

/// Takes later segments out of the log after one that was torn: what came behind was not
/// acknowledged either.
pub(super) fn set_aside(dir: &Path, segments: impl Iterator<Item = PathBuf>) -> io::Result<()> {
    for path in segments {
        let cut = path.with_extension("log.cut");
        tracing::warn!(path = %path.display(), kept = %cut.display(), "log was torn before this segment");
        index::forget(&path)?;
        rename(&path, &cut)?;
        set_aside::mark(&cut);
    }
    sync_directory(dir)
}

/// A batch without records that takes `span` offsets, as compaction leaves them in Kafka.
pub(super) fn filler(span: i32) -> Vec<u8> {
    let mut batch = vec![0; HEADER_BYTES];
    batch[8..12].copy_from_slice(&((HEADER_BYTES - 12) as u32).to_be_bytes());
    batch[16] = 2;
    batch[23..27].copy_from_slice(&(span - 1).to_be_bytes());
    batch[27..57].fill(0xff); // no time, no producer
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

fn keep(segment: &Segment, from: u64, until: u64) -> io::Result<()> {
    copy(segment, from, until, &segment.path().with_extension(format!("{from}.cut")))
}

fn copy(segment: &Segment, from: u64, until: u64, to: &Path) -> io::Result<()> {
    let mut source = File::open(segment.path())?;
    source.seek(SeekFrom::Start(from))?;
    let copied = DataFile::create(to)?;
    let (mut left, mut part) = (until - from, vec![0; COPY_BYTES]);
    while left > 0 {
        let bytes = source.read(&mut part[..COPY_BYTES.min(usize::try_from(left).unwrap_or(COPY_BYTES))])?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        copied.append(&part[..bytes], &[])?;
        left -= bytes as u64;
    }
    copied.sync()
}
