//! One file of checksummed records is the truth about topics, offsets, producers and transactions.
//!
//! [`Journal::append`] changes the state at once and leaves the writing to a thread;
//! [`Journal::durable`] waits for the disk. Records become durable in the order of their appends.

mod file;
pub(crate) mod record;
pub(crate) mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use tokio::sync::watch;

use self::record::Record;
use self::state::State;
use crate::disk::DataFile;
use crate::error::BrokerError;
use crate::groups::fresh_id;
use crate::metrics::Counters;

/// The journal is rewritten when it has grown by this factor, and beyond this size.
const GROWTH_MAX: u64 = 4;
const REWRITE_FROM_BYTES: u64 = 4 * 1024 * 1024;
/// How often a full disk is tried again, and how much may wait for it in memory.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
const UNWRITTEN_BYTES_MAX: usize = 64 * 1024 * 1024;

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
#[derive(Debug, Default)]
struct Durable {
    records: u64,
    /// Why there will be no more.
    failed: Option<Arc<io::Error>>,
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
    file: DataFile,
    bytes: u64,
    /// It is rewritten when it has grown beyond this.
    rewrite_at: u64,
    fsync: bool,
    counters: Arc<Counters>,
}

impl Journal {
    /// Reads the journal and starts it.
    #[cfg(test)]
    pub(crate) fn open(path: &Path, fsync: bool, counters: Arc<Counters>) -> Result<Self, BrokerError> {
        Self::start(path, Self::load(path)?, fsync, counters)
    }

    /// What the journal says; nothing if there is none yet.
    pub(crate) fn load(path: &Path) -> Result<State, BrokerError> {
        file::load(path)
    }

    /// Rewrites the journal compactly and starts its thread. A new one gives the cluster its name.
    pub(crate) fn start(
        path: &Path,
        mut state: State,
        fsync: bool,
        counters: Arc<Counters>,
    ) -> Result<Self, BrokerError> {
        state.cluster_id.get_or_insert_with(|| fresh_id()[..22].to_owned());
        let content = file::encode_all(&state.to_records());
        let mut file = file::prepare(path, &content).map_err(BrokerError::storage("rewrite", path))?;
        file::replace(path, &mut file).map_err(BrokerError::storage("replace", path))?;
        let inner = Inner { state, unwritten: Vec::new(), appended: 0, wanted: 0, synced: 0, closed: false };
        let durable = watch::Sender::new(Durable::default());
        let shared = Arc::new(Shared { inner: Mutex::new(inner), work: Condvar::new(), durable });
        let bytes = content.len() as u64;
        let writer = Writer {
            shared: Arc::clone(&shared),
            path: path.to_owned(),
            file,
            bytes,
            rewrite_at: rewrite_at(bytes),
            fsync,
            counters,
        };
        let thread = std::thread::Builder::new().name("broker-journal".into()).spawn(move || writer.run());
        let thread = thread.map_err(BrokerError::storage("start writing", path))?;
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
        let reached = durable.wait_for(|now| now.records >= records || now.failed.is_some()).await;
        match reached {
            Ok(now) if now.records >= records => Ok(()),
            _ => Err(ResponseError::KafkaStorageError),
        }
    }

    /// Whether the disk failed; then nothing that is appended will ever be durable.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure().is_some()
    }

    /// How the disk failed, if it did.
    pub(crate) fn failure(&self) -> Option<Arc<io::Error>> {
        self.shared.durable.borrow().failed.clone()
    }

    /// Waits until the disk fails, and says how.
    pub(crate) async fn failed(&self) -> Arc<io::Error> {
        let mut durable = self.shared.durable.subscribe();
        loop {
            if let Ok(now) = durable.wait_for(|now| now.failed.is_some()).await
                && let Some(error) = &now.failed
            {
                return Arc::clone(error);
            }
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
    fn run(mut self) {
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
            content: is_large.then(|| file::encode_all(&inner.state.to_records())),
            records: inner.appended,
            must_sync: inner.wanted > inner.synced || inner.closed,
            is_last: inner.closed && bytes.is_empty(),
            bytes,
        }
    }

    /// Appends; waits while the disk is full. Retention may make room, or someone else.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut has_waited = false;
        while let Err(error) = self.file.append(bytes, &[]) {
            self.file.cut_to(self.bytes)?;
            if !is_full(&error) || !self.wait_for_room() {
                return Err(error);
            }
            if !has_waited {
                tracing::error!(path = %self.path.display(), %error, "journal has no room; its clients wait for it");
                has_waited = true;
            }
        }
        self.bytes += bytes.len() as u64;
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

    fn sync(&self) -> io::Result<()> {
        if self.fsync {
            let began = Instant::now();
            self.file.sync()?;
            self.counters.count_syncs(1, began.elapsed());
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

#[cfg(test)]
mod tests;
