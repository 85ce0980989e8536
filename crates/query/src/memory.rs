//! The memory of one query, and whether it ever asked for more.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// A bounded pool that remembers that it said no. An operator that is told so may spill, fail with
/// an error of its own, or panic; in the last two cases memory is still what the caller should hear of.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    pool: FairSpillPool,
    refused: Arc<AtomicBool>,
}

impl QueryMemory {
    /// A pool of so many bytes, and the mark that it leaves.
    pub(crate) fn new(bytes: usize) -> (Self, Arc<AtomicBool>) {
        let refused = Arc::new(AtomicBool::new(false));
        (Self { pool: FairSpillPool::new(bytes), refused: Arc::clone(&refused) }, refused)
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
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let answer = self.pool.try_grow(reservation, additional);
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
