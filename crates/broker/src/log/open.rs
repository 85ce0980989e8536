//! Opens a partition's log after a clean stop or a crash.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::batch::{BatchError, BatchHeader};
use super::checkpoint::Checkpoint;
use super::scan::{Scan, scan};
use super::segment::{Segment, Stretch, path_of};
use super::{Log, Unsynced, marker, producers::Producers, repair, unstable::Transactions};

/// What was found in a segment.
enum Loaded {
    Whole,
    /// It was split at bad bytes; the rest is a segment of its own, and begins here.
    Split(i64),
    /// A crash has torn it; what comes behind is not part of the log.
    Torn,
}

impl Log {
    /// Opens the log in `dir`, whose records before `start_offset` were deleted. Above the
    /// checkpoint it is cut after its last whole, valid batch; below, bad batches are skipped.
    pub(crate) fn open(dir: &Path, start_offset: i64) -> io::Result<Self> {
        let mut log = Self {
            dir: dir.to_owned(),
            segments: Vec::new(),
            start_offset,
            end_offset: start_offset,
            producers: Producers::default(),
            transactions: Transactions::default(),
            unsynced: Unsynced::default(),
            checkpointed: Checkpoint::default(),
            checkpointed_at: Instant::now(),
        };
        let checkpoint = Checkpoint::read(dir)?;
        log.load_all(checkpoint)?;
        if let Some(first) = log.segments.first() {
            log.start_offset = log.start_offset.max(first.base_offset());
        }
        log.end_offset = log.end_offset.max(log.start_offset);
        log.transactions.forget_before(log.start_offset);
        log.fill_until(checkpoint.end_offset)?;
        log.checkpoint_anew(checkpoint);
        Ok(log)
    }

    fn load_all(&mut self, mut checkpoint: Checkpoint) -> io::Result<()> {
        let mut files = segment_files(&self.dir)?;
        while let Some((base_offset, path)) = files.pop_front() {
            let segment = Segment::open(&path, base_offset)?;
            let position_before = segment.file().bytes()?;
            match self.load(segment, &checkpoint, files.is_empty())? {
                Loaded::Whole => {}
                Loaded::Split(rest) => {
                    let path = path_of(&self.dir, rest);
                    if checkpoint.segment == base_offset {
                        // The same bytes as before, under another name.
                        let moved = position_before - std::fs::metadata(&path)?.len();
                        checkpoint.position = checkpoint.position.saturating_sub(moved);
                        checkpoint.segment = rest;
                    }
                    if files.front().is_none_or(|(next, _)| *next != rest) {
                        files.push_front((rest, path));
                    }
                }
                Loaded::Torn => repair::set_aside(&self.dir, files.drain(..).map(|(_, path)| path))?,
            }
        }
        Ok(())
    }

    fn load(&mut self, mut segment: Segment, checkpoint: &Checkpoint, is_last: bool) -> io::Result<Loaded> {
        self.end_offset = self.end_offset.max(segment.base_offset());
        let file_bytes = segment.file().bytes()?;
        let synced_bytes = checkpoint.synced_bytes(segment.base_offset(), file_bytes);
        let stretch = Stretch { file: segment.file().clone(), begin: 0, end: file_bytes };
        let first_offset = Some(segment.base_offset());
        // What was synced and sealed long ago is read by its headers alone, or every start would
        // take as long as the log is large. Clients check what they fetch.
        let is_sealed = segment.base_offset() < checkpoint.segment && !is_last;
        let may_skim = is_sealed && scan(&stretch, Scan::Headers, first_offset, |_, _| true)?.is_none();
        let how = if may_skim { Scan::Headers } else { Scan::Whole };
        let problem = scan(&stretch, how, first_offset, |header, bytes| {
            segment.note(header);
            self.note(header, marker::decode(header, bytes));
            true
        })?;
        let loaded = match problem {
            None => {
                if synced_bytes < file_bytes {
                    // What a crash left unsynced becomes durable before it is served.
                    segment.truncate_to_noted()?;
                }
                Loaded::Whole
            }
            Some(problem) if segment.bytes() < synced_bytes => {
                self.skip_bad(&segment, checkpoint, problem)?
            }
            Some(problem) => {
                report_torn(&segment, file_bytes, problem);
                repair::cut(&segment)?;
                Loaded::Torn
            }
        };
        self.segments.push(segment);
        Ok(loaded)
    }

    fn skip_bad(
        &self,
        segment: &Segment,
        checkpoint: &Checkpoint,
        problem: BatchError,
    ) -> io::Result<Loaded> {
        let (path, position, offset) = (segment.path().display(), segment.bytes(), segment.next_offset());
        let behind = repair::take_out_bad(segment, &self.dir, checkpoint.end_offset)?;
        let next_offset = behind.map(|found| found.offset);
        tracing::error!(%path, position, offset, next_offset, %problem,
            "log is damaged: records from this offset on are lost, what follows them is kept; \
             the bad bytes are beside the segment");
        Ok(next_offset.map_or(Loaded::Whole, Loaded::Split))
    }

    /// Offsets that readers may have seen are not given away again, so an empty batch takes the
    /// place of what was lost at the end. Without it a reader would wait there for the next record.
    fn fill_until(&mut self, end_offset: i64) -> io::Result<()> {
        let Some(span) = i32::try_from(end_offset - self.end_offset).ok().filter(|&span| span > 0) else {
            return Ok(());
        };
        let batch = repair::filler(span);
        let mut header = BatchHeader::read(&batch).expect("an encoded filler is a batch");
        header.base_offset = self.end_offset;
        if let Err(error) = self.write(&header, &batch, u64::MAX) {
            tracing::warn!(dir = %self.dir.display(), %error, "cannot fill the place of lost records");
            self.end_offset = end_offset;
            return Ok(());
        }
        self.note(&header, None);
        self.take_unsynced().0.sync()?;
        Ok(())
    }

    /// Everything that was recovered has been synced.
    fn checkpoint_anew(&mut self, before: Checkpoint) {
        let now = self.reached();
        self.checkpointed = now;
        if now != before
            && !self.segments.is_empty()
            && let Err(error) = now.write(&self.dir)
        {
            tracing::warn!(dir = %self.dir.display(), %error, "cannot write a checkpoint");
        }
    }
}

fn report_torn(segment: &Segment, file_bytes: u64, problem: BatchError) {
    let path = segment.path().display();
    let lost_bytes = file_bytes - segment.bytes();
    let end_offset = segment.next_offset();
    tracing::warn!(%path, lost_bytes, end_offset, %problem, "log was torn; cut after its last whole batch");
}

/// The segments in a directory, by base offset.
fn segment_files(dir: &Path) -> io::Result<VecDeque<(i64, PathBuf)>> {
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
    Ok(files.into())
}
