//! One file of checksummed records is the truth about topics, offsets, producers and transactions.
//!
//! [`Journal::append`] changes the state at once and leaves the writing to a thread;
//! [`Journal::durable`] waits for the disk. Records become durable in the order of their appends.

mod file;
pub(crate) mod record;
pub(crate) mod state;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use tokio::sync::watch;

use self::record::Record;
use self::state::State;
use crate::metrics::Counters;

/// The journal is rewritten when it has grown by this factor, and beyond this size.
const GROWTH_MAX: u64 = 4;
const REWRITE_FROM_BYTES: u64 = 4 * 1024 * 1024;

/// The journal, shared by all who change something.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    work: Condvar,
    durable: watch::Sender<Durable>,
}

/// Records are counted; this many are on disk.
#[derive(Debug, Clone, Copy)]
struct Durable {
    records: u64,
    failed: bool,
}

#[derive(Debug)]
struct Inner {
    state: State,
    unwritten: Vec<u8>,
    appended: u64,
    /// Someone waits for so many records.
    wanted: u64,
    synced: u64,
    closed: bool,
}

/// The thread's side: the file.
struct Writer {
    shared: Arc<Shared>,
    path: PathBuf,
    file: File,
    bytes: u64,
    rewritten_bytes: u64,
    fsync: bool,
    counters: Arc<Counters>,
}

impl Journal {
    /// Reads the journal, rewrites it compactly and starts its thread.
    pub(crate) fn open(path: &Path, fsync: bool, counters: Arc<Counters>) -> io::Result<Self> {
        let state = file::load(path)?;
        let content = file::encode_all(&state.to_records());
        let file = file::replace(path, &content)?;
        let inner = Inner { state, unwritten: Vec::new(), appended: 0, wanted: 0, synced: 0, closed: false };
        let durable = watch::Sender::new(Durable { records: 0, failed: false });
        let shared = Arc::new(Shared { inner: Mutex::new(inner), work: Condvar::new(), durable });
        let bytes = content.len() as u64;
        let writer = Writer {
            shared: Arc::clone(&shared),
            path: path.to_owned(),
            file,
            bytes,
            rewritten_bytes: bytes,
            fsync,
            counters,
        };
        let thread = std::thread::Builder::new().name("broker-journal".into()).spawn(move || writer.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.locked().state)
    }

    /// Changes the state and hands the records to the writing thread; returns the number to
    /// wait for with [`Self::durable`].
    pub(crate) fn append(&self, records: &[Record]) -> u64 {
        let bytes = file::encode_all(records);
        let mut inner = self.shared.locked();
        for record in records {
            inner.state.apply(record);
        }
        inner.unwritten.extend_from_slice(&bytes);
        inner.appended += records.len() as u64;
        self.shared.work.notify_one();
        inner.appended
    }

    /// Waits until so many records are durable.
    pub(crate) async fn durable(&self, records: u64) -> Result<(), ResponseError> {
        let mut durable = self.shared.durable.subscribe();
        {
            let mut inner = self.shared.locked();
            inner.wanted = inner.wanted.max(records);
            self.shared.work.notify_one();
        }
        let reached = durable.wait_for(|now| now.records >= records || now.failed).await;
        match reached {
            Ok(now) if now.records >= records => Ok(()),
            _ => Err(ResponseError::KafkaStorageError),
        }
    }

    /// Appends records and waits for them.
    pub(crate) async fn commit(&self, records: &[Record]) -> Result<(), ResponseError> {
        let number = self.append(records);
        self.durable(number).await
    }

    /// Waits until everything appended so far is durable.
    pub(crate) async fn durable_so_far(&self) -> Result<(), ResponseError> {
        let appended = self.shared.locked().appended;
        self.durable(appended).await
    }

    /// Writes and syncs what is left, and ends the thread.
    pub(crate) fn close(&self) {
        self.shared.locked().closed = true;
        self.shared.work.notify_all();
        let thread = self.thread.lock().expect("no one panics while taking the thread").take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("journal thread panicked");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no one panics while holding the journal")
    }
}

impl Inner {
    fn is_idle(&self) -> bool {
        self.unwritten.is_empty() && self.wanted <= self.synced && !self.closed
    }
}

impl Writer {
    fn run(mut self) {
        if let Err(error) = self.serve() {
            tracing::error!(path = %self.path.display(), %error, "journal cannot be written; the broker takes no more changes");
            self.shared.durable.send_modify(|durable| durable.failed = true);
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        loop {
            let shared = Arc::clone(&self.shared);
            let mut inner = shared
                .work
                .wait_while(shared.locked(), |inner| inner.is_idle())
                .expect("no one panics while holding the journal");
            let closing = inner.closed && inner.unwritten.is_empty();
            let records = inner.appended;
            let sync = inner.wanted > inner.synced || inner.closed;
            if self.bytes + inner.unwritten.len() as u64 > self.rewrite_at() {
                let content = file::encode_all(&inner.state.to_records());
                inner.unwritten.clear();
                drop(inner);
                self.rewrite(&content)?;
                self.published(records);
            } else {
                let bytes = std::mem::take(&mut inner.unwritten);
                drop(inner);
                self.write(&bytes, sync)?;
                if sync {
                    self.published(records);
                }
            }
            if closing {
                return Ok(());
            }
        }
    }

    fn rewrite_at(&self) -> u64 {
        REWRITE_FROM_BYTES.max(self.rewritten_bytes * GROWTH_MAX)
    }

    fn write(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        if sync && self.fsync {
            let began = Instant::now();
            self.file.sync_data()?;
            self.counters.count_syncs(1, began.elapsed());
        }
        Ok(())
    }

    fn rewrite(&mut self, content: &[u8]) -> io::Result<()> {
        self.file = file::replace(&self.path, content)?;
        self.bytes = content.len() as u64;
        self.rewritten_bytes = self.bytes;
        Ok(())
    }

    fn published(&self, records: u64) {
        self.shared.locked().synced = records;
        self.shared.durable.send_modify(|durable| durable.records = records);
    }
}

#[cfg(test)]
mod tests;
