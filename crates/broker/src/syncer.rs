//! The group commit: one thread syncs what was appended, then makes it readable.
//!
//! What is appended while the thread syncs waits for its next round, so batches share syncs as
//! soon as they come faster than the disk. With an interval they also wait for company when the
//! disk is idle: fewer syncs, and each acknowledgement that much later.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::config::BrokerConfig;
use crate::metrics::Counters;
use crate::partition::Partition;

/// Partitions that are synced at once.
const AT_ONCE_MAX: usize = 4;
const UNPOISONED: &str = "no one panics while holding the sync queue";

/// How long appended batches wait for others to share their sync.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    /// Counted from the first batch; zero waits for no one.
    pub(crate) interval: Duration,
    /// So many bytes need not wait longer.
    pub(crate) bytes: u64,
}

/// Partitions with something to sync.
#[derive(Debug, Default)]
pub(crate) struct SyncQueue {
    pace: Pace,
    pending: Mutex<Pending>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    partitions: Vec<Arc<Partition>>,
    /// When the first of them came.
    since: Option<Instant>,
    bytes: u64,
    closed: bool,
}

/// The thread that empties the queue.
#[derive(Debug)]
pub(crate) struct Syncer {
    queue: Arc<SyncQueue>,
    thread: JoinHandle<()>,
}

impl Pace {
    pub(crate) fn of(config: &BrokerConfig) -> Self {
        Self { interval: Duration::from_millis(config.sync_interval_ms), bytes: config.sync_bytes }
    }
}

impl SyncQueue {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// Adds a partition that is not in the queue.
    pub(crate) fn push(&self, partition: Arc<Partition>) {
        let mut pending = self.locked();
        pending.partitions.push(partition);
        pending.since.get_or_insert_with(Instant::now);
        self.arrived.notify_one();
    }

    /// Counts what was appended to partitions of the queue: enough of it ends the wait.
    pub(crate) fn count(&self, bytes: usize) {
        if self.pace.interval.is_zero() {
            return;
        }
        let mut pending = self.locked();
        pending.bytes += bytes as u64;
        if pending.bytes >= self.pace.bytes {
            self.arrived.notify_one();
        }
    }

    fn locked(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().expect(UNPOISONED)
    }

    /// Waits for work and, with an interval, for more of it; `None` once closed and empty.
    fn next_round(&self) -> Option<Vec<Arc<Partition>>> {
        let idle = |pending: &mut Pending| pending.partitions.is_empty() && !pending.closed;
        let mut pending = self.arrived.wait_while(self.locked(), idle).expect(UNPOISONED);
        let waited = pending.since.map_or(Duration::ZERO, |since| since.elapsed());
        if let Some(left) = self.pace.interval.checked_sub(waited) {
            let may_wait = |pending: &mut Pending| pending.bytes < self.pace.bytes && !pending.closed;
            (pending, _) = self.arrived.wait_timeout_while(pending, left, may_wait).expect(UNPOISONED);
        }
        (pending.since, pending.bytes) = (None, 0);
        let partitions = std::mem::take(&mut pending.partitions);
        (!partitions.is_empty()).then_some(partitions)
    }
}

impl Syncer {
    /// Starts the thread. Without `fsync`, what the operating system has counts as durable.
    pub(crate) fn start(queue: Arc<SyncQueue>, fsync: bool, counters: Arc<Counters>) -> io::Result<Self> {
        let work = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("broker-sync".into()).spawn(move || {
            while let Some(partitions) = work.next_round() {
                sync_all(partitions, fsync, &counters);
            }
        })?;
        Ok(Self { queue, thread })
    }

    /// Syncs what is left, and ends the thread.
    pub(crate) fn stop(self) {
        self.queue.locked().closed = true;
        self.queue.arrived.notify_all();
        if self.thread.join().is_err() {
            tracing::error!("sync thread panicked");
        }
    }
}

/// Makes the partitions of a round durable, some of them at once: a file system writes what several
/// threads wait for in one commit, so a round takes about as long as one of its syncs.
fn sync_all(partitions: Vec<Arc<Partition>>, fsync: bool, counters: &Counters) {
    let helpers = if fsync { partitions.len().min(AT_ONCE_MAX) - 1 } else { 0 };
    let left = Mutex::new(partitions.into_iter());
    let next = || left.lock().expect(UNPOISONED).next();
    let work = || {
        while let Some(partition) = next() {
            sync(&partition, fsync, counters);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            // Without another thread this one does it all.
            if let Err(error) =
                std::thread::Builder::new().name("broker-sync".into()).spawn_scoped(scope, work)
            {
                tracing::debug!(%error, "cannot sync in another thread");
            }
        }
        work();
    });
}

/// Makes one partition durable up to its present end, and readable up to there.
pub(crate) fn sync(partition: &Partition, fsync: bool, counters: &Counters) {
    let (unsynced, reached) = partition.take_unsynced();
    if partition.has_failed() {
        return; // what an earlier sync lost, no later one brings back
    }
    if fsync && !unsynced.is_empty() {
        let began = Instant::now();
        match unsynced.sync() {
            Ok(count) => counters.count_syncs(count, began.elapsed()),
            Err(error) => {
                partition.storage_failed("sync", &error);
                return;
            }
        }
    }
    partition.publish(reached.end_offset);
    if let Some(snapshot) = reached.snapshot.filter(|_| fsync) {
        partition.checkpoint(&snapshot);
    }
}

#[cfg(test)]
mod tests;
