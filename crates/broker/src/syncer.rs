//! The group commit: one thread syncs what was appended, then makes it readable.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::metrics::Counters;
use crate::partition::Partition;

/// Partitions with something to sync.
#[derive(Debug, Default)]
pub(crate) struct SyncQueue {
    pending: Mutex<Pending>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    partitions: VecDeque<Arc<Partition>>,
    closed: bool,
}

/// The thread that empties the queue.
#[derive(Debug)]
pub(crate) struct Syncer {
    queue: Arc<SyncQueue>,
    thread: JoinHandle<()>,
}

impl SyncQueue {
    pub(crate) fn push(&self, partition: Arc<Partition>) {
        self.locked().partitions.push_back(partition);
        self.arrived.notify_one();
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().expect("no one panics while holding the sync queue")
    }

    /// Waits for work; `None` once closed and empty.
    fn next(&self) -> Option<Arc<Partition>> {
        let idle = |pending: &mut Pending| pending.partitions.is_empty() && !pending.closed;
        let mut pending =
            self.arrived.wait_while(self.locked(), idle).expect("no one panics while holding the sync queue");
        pending.partitions.pop_front()
    }
}

impl Syncer {
    /// Starts the thread. Without `fsync`, what the operating system has counts as durable.
    pub(crate) fn start(queue: Arc<SyncQueue>, fsync: bool, counters: Arc<Counters>) -> io::Result<Self> {
        let work = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("broker-sync".into()).spawn(move || {
            while let Some(partition) = work.next() {
                sync(&partition, fsync, &counters);
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
    if fsync {
        partition.checkpoint(reached);
    }
}
