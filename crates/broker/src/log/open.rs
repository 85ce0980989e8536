//! Opens a partition's log after a clean stop or a crash.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::batch::{BatchError, BatchHeader};
use super::checkpoint::{Checkpoint, Saved};
use super::producers::Producers;
use super::scan::scan;
use super::segment::{Segment, path_of};
use super::{Log, Unsynced, marker, repair};
use crate::disk::remove;

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
    /// checkpoint it is cut after its last whole, valid batch; below, the indexes are believed, and
    /// where there is none, bad batches are skipped.
    pub(crate) fn open(dir: &Path, start_offset: i64) -> io::Result<Self> {
        let Saved { checkpoint, state } = Saved::read(dir)?;
        let files = segment_files(dir)?;
        // The state is that of the checkpoint's end, so it is of use if the records go on from there.
        let state = state.filter(|_| goes_on(&files, checkpoint));
        let is_known = state.is_some();
        let (producers, transactions) = state.unwrap_or_default();
        let mut log = Self {
            dir: dir.to_owned(),
            segments: Vec::new(),
            start_offset,
            end_offset: start_offset,
            producers,
            transactions,
            unsynced: Unsynced::default(),
            checkpointed: if is_known { checkpoint } else { Checkpoint::default() },
            checkpointed_at: Instant::now(),
        };
        log.load_all(files, checkpoint, is_known)?;
        if let Some(first) = log.segments.first() {
            log.start_offset = log.start_offset.max(first.base_offset());
        }
        log.end_offset = log.end_offset.max(log.start_offset);
        log.transactions.forget_before(log.start_offset);
        log.fill_last_gap();
        log.fill_until(checkpoint.end_offset);
        std::mem::take(&mut log.unsynced).sync()?;
        log.checkpoint_anew();
        Ok(log)
    }

    fn load_all(&mut self, mut files: Files, mut checkpoint: Checkpoint, is_known: bool) -> io::Result<()> {
        while let Some((base_offset, path)) = files.pop_front() {
            let segment = Segment::open(&path, base_offset)?;
            let position_before = segment.file().bytes()?;
            match self.load(segment, &checkpoint, is_known)? {
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

    /// Notes a segment's batches; those before a checkpoint whose state is known, from the index.
    fn load(&mut self, mut segment: Segment, checkpoint: &Checkpoint, is_known: bool) -> io::Result<Loaded> {
        let file_bytes = segment.file().bytes()?;
        let synced_bytes = checkpoint.synced_bytes(segment.base_offset(), file_bytes);
        let known_bytes = if is_known { synced_bytes } else { 0 };
        let follows = self.segments.last().is_none_or(|last| last.next_offset() == segment.base_offset());
        if !follows && (!is_known || segment.base_offset() > checkpoint.end_offset) {
            // What lay between was deleted, so what was sent last is not known: no one is judged by it.
            self.producers = Producers::default();
        }
        segment.note_indexed(known_bytes)?;
        let problem = scan(&segment.stretch_behind(file_bytes), |header, bytes| {
            let is_new = segment.bytes() >= known_bytes;
            segment.note(header);
            if is_new {
                self.note(header, marker::decode(header, bytes));
            }
            true
        })?;
        self.end_offset = self.end_offset.max(segment.next_offset());
        let loaded = match problem {
            None => {
                if synced_bytes < file_bytes {
                    // What a crash left unsynced becomes durable before it is served.
                    segment.truncate_to_noted()?;
                    self.unsynced.directory = Some(self.dir.clone());
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

    /// When everything was deleted and the power went, some of it may be there again, with a gap
    /// before the empty segment that remembers the end. A reader must be able to come across it.
    fn fill_last_gap(&mut self) {
        let [.., before, last] = self.segments.as_mut_slice() else { return };
        let Some(span) = span_between(before.next_offset(), last.base_offset()) else { return };
        if last.bytes() > 0 {
            return; // its records take a reader on
        }
        let batch = repair::filler(span);
        let mut header = BatchHeader::read(&batch).expect("an encoded filler is a batch");
        header.base_offset = before.next_offset();
        match before.append(&header, &batch) {
            Ok(()) => self.unsynced.files.push(before.file().clone()),
            Err(error) => {
                tracing::warn!(dir = %self.dir.display(), %error, "cannot fill the place of deleted records");
            }
        }
    }

    /// Offsets that readers may have seen are not given away again, so an empty batch takes the
    /// place of what was lost at the end. Without it a reader would wait there for the next record.
    fn fill_until(&mut self, end_offset: i64) {
        if end_offset <= self.end_offset {
            return;
        }
        let Some(span) = span_between(self.end_offset, end_offset) else {
            self.end_offset = end_offset; // more than a batch can take: billions of records
            return;
        };
        let batch = repair::filler(span);
        let mut header = BatchHeader::read(&batch).expect("an encoded filler is a batch");
        header.base_offset = self.end_offset;
        if let Err(error) = self.write(&header, &batch, u64::MAX) {
            tracing::warn!(dir = %self.dir.display(), %error, "cannot fill the place of lost records");
            self.end_offset = end_offset;
            return;
        }
        self.note(&header, None);
    }

    /// Everything that was recovered has been synced.
    fn checkpoint_anew(&mut self) {
        if let Some(snapshot) = self.last_snapshot()
            && let Err(error) = snapshot.write()
        {
            tracing::warn!(dir = %self.dir.display(), %error, "cannot write a checkpoint");
        }
    }
}

/// How many offsets lie between, if any, and if one batch can take them.
fn span_between(from: i64, until: i64) -> Option<i32> {
    let span = until.checked_sub(from).filter(|&span| span > 0)?;
    i32::try_from(span).ok()
}

fn report_torn(segment: &Segment, file_bytes: u64, problem: BatchError) {
    let path = segment.path().display();
    let lost_bytes = file_bytes - segment.bytes();
    let end_offset = segment.next_offset();
    tracing::warn!(%path, lost_bytes, end_offset, %problem, "log was torn; cut after its last whole batch");
}

/// Segments by base offset.
type Files = VecDeque<(i64, PathBuf)>;

/// Whether no segment that went on from the checkpoint has been deleted since.
fn goes_on(files: &Files, checkpoint: Checkpoint) -> bool {
    let is_next = |base_offset| base_offset == checkpoint.segment || base_offset == checkpoint.end_offset;
    files.iter().any(|&(base_offset, _)| is_next(base_offset))
}

/// The segments in a directory. What a crash left half-done beside them is removed.
fn segment_files(dir: &Path) -> io::Result<Files> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => files.extend(base_offset(&path).map(|base_offset| (base_offset, path))),
            Some("next") => remove(&path)?,
            Some("index") if !path.with_extension("log").exists() => remove(&path)?,
            _ => {}
        }
    }
    files.sort_unstable_by_key(|&(base_offset, _)| base_offset);
    Ok(files.into())
}

fn base_offset(path: &Path) -> Option<i64> {
    path.file_stem()?.to_str()?.parse().ok()
}
