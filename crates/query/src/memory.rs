//! The memory that all queries share, what one query may take of it, and whether it ever asked for
//! more.
//!
//! Half of the memory is divided evenly between the places for queries, so that each finds its
//! share whatever the others do. The other half goes to whoever asks first: a query alone may hold
//! it all, besides its own share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// What all queries of an engine may hold together.
#[derive(Debug)]
pub(crate) struct SharedMemory {
    /// What each place has for itself.
    share: usize,
    /// What is for whoever asks first.
    common: usize,
    common_left: AtomicUsize,
}

impl SharedMemory {
    pub(crate) fn new(bytes: usize, places: usize) -> Arc<Self> {
        let share = bytes / 2 / places.max(1);
        let common = bytes - share * places.max(1);
        Arc::new(Self { share, common, common_left: AtomicUsize::new(common) })
    }

    /// The most that one query may hold.
    pub(crate) fn of_one(&self) -> usize {
        self.share + self.common
    }

    fn take(&self, bytes: usize) -> bool {
        let left = |left: usize| left.checked_sub(bytes);
        self.common_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.common_left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A bounded pool that remembers that it said no. An operator that is told so may spill, fail with
/// an error of its own, or panic; in the last two cases memory is still what the caller should hear of.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    pool: FairSpillPool,
    shared: Arc<SharedMemory>,
    held: Mutex<Held>,
    refused: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    /// How many of these are of the common half.
    common: usize,
}

impl QueryMemory {
    /// A query's part of the shared memory, and the mark that it leaves.
    pub(crate) fn new(shared: &Arc<SharedMemory>) -> (Self, Arc<AtomicBool>) {
        let refused = Arc::new(AtomicBool::new(false));
        let pool = FairSpillPool::new(shared.of_one());
        let shared = Arc::clone(shared);
        (Self { pool, shared, held: Mutex::default(), refused: Arc::clone(&refused) }, refused)
    }

    /// Counts what the query's own pool has granted against what all share. Says whether there is
    /// as much.
    fn hold(&self, additional: usize) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes = held.bytes.saturating_add(additional);
        let common = held.bytes.saturating_sub(self.shared.share).max(held.common);
        let granted = self.shared.take(common - held.common);
        if granted {
            held.common = common;
        }
        granted
    }

    fn release(&self, bytes: usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes = held.bytes.saturating_sub(bytes);
        let common = held.bytes.saturating_sub(self.shared.share).min(held.common);
        self.shared.give_back(held.common - common);
        held.common = common;
    }
}

impl Drop for QueryMemory {
    fn drop(&mut self) {
        self.release(usize::MAX);
    }
}

impl fmt::Display for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
        // Who grows without asking has the memory already. It is counted, and the next is refused.
        if !self.hold(additional) {
            self.refused.store(true, Ordering::Relaxed);
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
        self.release(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut answer = self.pool.try_grow(reservation, additional);
        if answer.is_ok() && !self.hold(additional) {
            self.shrink(reservation, additional);
            answer = Err(resources_datafusion_err!("other queries hold the memory that all share"));
        }
        if answer.is_err() {
            self.refused.store(true, Ordering::Relaxed);
        }
        answer
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    /// A query that holds nothing yet, and cannot spill.
    fn query(shared: &Arc<SharedMemory>) -> MemoryReservation {
        let pool: Arc<dyn MemoryPool> = Arc::new(QueryMemory::new(shared).0);
        MemoryConsumer::new("a query").register(&pool)
    }

    #[test]
    fn all_queries_together_hold_no_more_than_the_limit() {
        let shared = SharedMemory::new(256 * MIB, 4);
        let queries: Vec<_> = (0..4).map(|_| query(&shared)).collect();
        for _ in 0..256 {
            for query in &queries {
                query.try_grow(MIB).ok();
            }
        }
        let held: usize = queries.iter().map(MemoryReservation::size).sum();
        assert_eq!(held, 256 * MIB);
    }

    #[test]
    fn a_query_finds_its_share_whatever_the_others_hold() {
        let shared = SharedMemory::new(256 * MIB, 4);
        let (greedy, late) = (query(&shared), query(&shared));
        while greedy.try_grow(MIB).is_ok() {}
        assert_eq!(greedy.size(), 160 * MIB);
        assert!(late.try_grow(32 * MIB).is_ok());
        assert!(late.try_grow(MIB).is_err());
        greedy.free();
        assert!(late.try_grow(MIB).is_ok());
    }

    #[test]
    fn what_a_query_held_is_free_when_it_is_gone() {
        let shared = SharedMemory::new(256 * MIB, 4);
        for _ in 0..3 {
            let alone = query(&shared);
            assert!(alone.try_grow(160 * MIB).is_ok());
        }
        assert_eq!(shared.common_left.load(Ordering::Relaxed), shared.common);
    }
}
