//! One file of checksummed records is the truth about topics, offsets, producers and transactions.
//!
//! [`Journal::append`] changes the state at once and leaves the writing to a thread;
//! [`Journal::durable`] waits for the disk. Records become durable in the order of their appends.

mod file;
pub(crate) mod record;
pub(crate) mod state;
mod writer;

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use kafka_protocol::error::ResponseError;
use tokio::sync::watch;

use self::record::Record;
use self::state::State;
use self::writer::Writer;
use crate::error::BrokerError;
use crate::groups::fresh_id;
use crate::metrics::Counters;

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
        let content = file::encode_state(&state);
        let mut file = file::prepare(path, &content).map_err(BrokerError::storage("rewrite", path))?;
        file::replace(path, &mut file).map_err(BrokerError::storage("replace", path))?;
        let inner = Inner { state, unwritten: Vec::new(), appended: 0, wanted: 0, synced: 0, closed: false };
        let durable = watch::Sender::new(Durable::default());
        let shared = Arc::new(Shared { inner: Mutex::new(inner), work: Condvar::new(), durable });
        let writer = Writer::new(Arc::clone(&shared), path, file, content.len() as u64, fsync, counters);
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

#[cfg(test)]
pub(crate) use self::file::encode_all as encode_records;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::file::encode_state;

#[cfg(test)]
pub(crate) mod tests;
