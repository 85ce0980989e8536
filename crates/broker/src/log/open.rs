//! Opens a partition's log after a clean stop or a crash.

use std::io;
use std::path::{Path, PathBuf};

use super::batch::BatchError;
use super::scan::{Scan, scan};
use super::segment::{Segment, Stretch};
use super::{Log, Unsynced, marker, producers::Producers, unstable::Transactions};

impl Log {
    /// Opens the log in `dir`, whose records before `start_offset` were deleted. The last
    /// segment is cut after its last whole, valid batch.
    pub(crate) fn open(dir: &Path, start_offset: i64) -> io::Result<Self> {
        let mut log = Self {
            dir: dir.to_owned(),
            segments: Vec::new(),
            start_offset,
            end_offset: start_offset,
            producers: Producers::default(),
            transactions: Transactions::default(),
            unsynced: Unsynced::default(),
        };
        let files = segment_files(dir)?;
        let count = files.len();
        for (index, (base_offset, path)) in files.into_iter().enumerate() {
            log.load(Segment::open(&path, base_offset)?, index + 1 == count)?;
        }
        if let Some(first) = log.segments.first() {
            log.start_offset = log.start_offset.max(first.base_offset());
        }
        log.end_offset = log.end_offset.max(log.start_offset);
        log.transactions.forget_before(log.start_offset);
        Ok(log)
    }

    fn load(&mut self, mut segment: Segment, is_last: bool) -> io::Result<()> {
        self.end_offset = self.end_offset.max(segment.base_offset());
        let file_bytes = segment.file().bytes()?;
        let stretch = Stretch { file: segment.file().clone(), begin: 0, end: file_bytes };
        let how = if is_last { Scan::Whole } else { Scan::Headers };
        let problem = scan(&stretch, how, Some(segment.base_offset()), |header, bytes| {
            segment.note(header);
            self.note(header, marker::decode(header, bytes));
            true
        })?;
        if let Some(problem) = problem {
            report(&segment, file_bytes, problem, is_last);
        }
        if is_last {
            // Also when all is well: what a crash left unsynced becomes durable before it is served.
            segment.truncate_to_noted()?;
        }
        self.segments.push(segment);
        Ok(())
    }
}

fn report(segment: &Segment, file_bytes: u64, problem: BatchError, is_last: bool) {
    let path = segment.path().display();
    let lost_bytes = file_bytes - segment.bytes();
    let end_offset = segment.next_offset();
    if is_last {
        tracing::warn!(%path, lost_bytes, end_offset, %problem, "log was torn; cut after its last whole batch");
    } else {
        tracing::error!(%path, lost_bytes, end_offset, %problem, "log is damaged; the rest of this segment is skipped");
    }
}

/// The segments in a directory, by base offset.
fn segment_files(dir: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let base_offset = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(base_offset) = base_offset {
            files.push((base_offset, path));
        }
    }
    files.sort_unstable_by_key(|&(base_offset, _)| base_offset);
    Ok(files)
}
