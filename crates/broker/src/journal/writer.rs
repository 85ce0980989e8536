//! The thread that writes the journal: in order, as much at once as there is, and with patience.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::record::Record;
use super::{Inner, Shared, file};
use crate::disk::DataFile;
use crate::metrics::Counters;

/// The journal is rewritten when it has grown by this factor, and beyond this size.
const GROWTH_MAX: u64 = 4;
pub(super) const REWRITE_FROM_BYTES: u64 = 4 * 1024 * 1024;
/// How often a full disk is tried again, and how much may wait for it in memory.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
const UNWRITTEN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The thread's side: the file.
pub(super) struct Writer {
    shared: Arc<Shared>,
    path: PathBuf,
    file: DataFile,
    bytes: u64,
    /// So many of them are synced, and so many are said to be.
    synced_bytes: u64,
    said_bytes: u64,
    /// It is rewritten when it has grown beyond this.
    rewrite_at: u64,
    fsync: bool,
    counters: Arc<Counters>,
}

/// What the thread does next.
struct Work {
    bytes: Vec<u8>,
    /// Everything, instead of the bytes, if it is time to rewrite the journal.
    content: Option<Vec<u8>>,
    records: u64,
    must_sync: bool,
    is_last: bool,
}

impl Writer {
    /// A writer for a journal that holds so many bytes, all of them synced.
    pub(super) fn new(
        shared: Arc<Shared>,
        path: &Path,
        file: DataFile,
        bytes: u64,
        fsync: bool,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            shared,
            path: path.to_owned(),
            file,
            bytes,
            synced_bytes: bytes,
            said_bytes: bytes,
            rewrite_at: rewrite_at(bytes),
            fsync,
            counters,
        }
    }

    pub(super) fn run(mut self) {
        if let Err(error) = self.serve() {
            tracing::error!(path = %self.path.display(), %error, "journal cannot be written; the broker stops");
            self.shared.durable.send_modify(|durable| durable.failed = Some(Arc::new(error)));
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            let work = self.next_work();
            if !self.rewrite(work.content.as_deref())? {
                self.write(&work.bytes)?;
                if !work.must_sync {
                    continue;
                }
                self.sync()?;
            }
            self.published(work.records);
            if work.is_last {
                return Ok(());
            }
        }
    }

    fn next_work(&self) -> Work {
        let mut inner = self
            .shared
            .work
            .wait_while(self.shared.locked(), |inner| inner.is_idle())
            .expect("no one panics while holding the journal");
        let bytes = std::mem::take(&mut inner.unwritten);
        let is_large = self.bytes + bytes.len() as u64 > self.rewrite_at;
        Work {
            content: is_large.then(|| file::encode_state(&inner.state)),
            records: inner.appended,
            must_sync: inner.wanted > inner.synced || inner.closed,
            is_last: inner.closed && bytes.is_empty(),
            bytes,
        }
    }

    /// Appends, and before that how far the journal is synced, if that is news. Waits while the disk
    /// is full: retention may make room, or someone else.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut said = Vec::new();
        if self.said_bytes < self.synced_bytes {
            file::encode(&Record::Synced { bytes: self.synced_bytes }, &mut said);
        }
        let mut has_waited = false;
        while let Err(error) = self.file.append(&said, bytes) {
            self.file.cut_to(self.bytes)?;
            if !is_full(&error) || !self.wait_for_room() {
                return Err(error);
            }
            if !has_waited {
                tracing::error!(path = %self.path.display(), %error, "journal has no room; its clients wait for it");
                has_waited = true;
            }
        }
        self.bytes += (said.len() + bytes.len()) as u64;
        self.said_bytes = self.synced_bytes;
        Ok(())
    }

    /// False when waiting longer makes no sense.
    fn wait_for_room(&self) -> bool {
        let may_wait = |inner: &mut Inner| !inner.closed && inner.unwritten.len() < UNWRITTEN_BYTES_MAX;
        let (mut inner, _) = self
            .shared
            .work
            .wait_timeout_while(self.shared.locked(), TRY_AGAIN_AFTER, |inner| may_wait(inner))
            .expect("no one panics while holding the journal");
        may_wait(&mut inner)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.fsync {
            let began = Instant::now();
            self.file.sync()?;
            self.counters.count_syncs(1, began.elapsed());
            self.synced_bytes = self.bytes;
        }
        Ok(())
    }

    /// Puts a new journal in the old one's place, if there is one to be put. Without room for it
    /// the old one goes on.
    fn rewrite(&mut self, content: Option<&[u8]>) -> io::Result<bool> {
        let Some(content) = content else { return Ok(false) };
        match file::prepare(&self.path, content) {
            Ok(file) => self.file = file,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "cannot rewrite the journal; it grows on");
                self.rewrite_at *= 2;
                return Ok(false);
            }
        }
        file::replace(&self.path, &mut self.file)?;
        self.bytes = content.len() as u64;
        (self.synced_bytes, self.said_bytes) = (self.bytes, self.bytes);
        self.rewrite_at = rewrite_at(self.bytes);
        Ok(true)
    }

    fn published(&self, records: u64) {
        self.shared.locked().synced = records;
        self.shared.durable.send_modify(|durable| durable.records = records);
    }
}

fn rewrite_at(bytes: u64) -> u64 {
    REWRITE_FROM_BYTES.max(bytes * GROWTH_MAX)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
