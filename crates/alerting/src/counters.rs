//! What the couriers count, for the metrics page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Destination;

/// Counts since the start, by destination. What waits is in [`outbox_stats`](crate::Control::outbox_stats).
#[derive(Debug, Default)]
pub struct OutboxCounters {
    by_destination: BTreeMap<Arc<str>, Arc<DestinationCounters>>,
}

#[derive(Debug, Default)]
pub(crate) struct DestinationCounters {
    delivered: AtomicU64,
    retried: AtomicU64,
    undelivered: AtomicU64,
    restarts: AtomicU64,
}

/// One destination's counts at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationCounts {
    /// Its name.
    pub destination: Arc<str>,
    /// Messages that arrived.
    pub delivered: u64,
    /// Attempts that failed and are made again.
    pub retried: u64,
    /// Messages that were given up.
    pub undelivered: u64,
    /// Times that its courier failed and was started again.
    pub restarts: u64,
}

impl OutboxCounters {
    /// All at zero, so that each metric exists before its first event.
    pub fn new(destinations: &[Destination]) -> Self {
        let by_destination =
            destinations.iter().map(|destination| (Arc::clone(&destination.name), Arc::default())).collect();
        Self { by_destination }
    }

    /// How they stand now, by name.
    pub fn counts(&self) -> Vec<DestinationCounts> {
        self.by_destination
            .iter()
            .map(|(name, counters)| DestinationCounts {
                destination: Arc::clone(name),
                delivered: counters.delivered.load(Ordering::Relaxed),
                retried: counters.retried.load(Ordering::Relaxed),
                undelivered: counters.undelivered.load(Ordering::Relaxed),
                restarts: counters.restarts.load(Ordering::Relaxed),
            })
            .collect()
    }

    /// Those of one destination; counts that nobody reads if it is not among ours.
    pub(crate) fn of(&self, destination: &Destination) -> Arc<DestinationCounters> {
        self.by_destination.get(&destination.name).map(Arc::clone).unwrap_or_default()
    }
}

impl DestinationCounters {
    pub(crate) fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn undelivered(&self, messages: u64) {
        self.undelivered.fetch_add(messages, Ordering::Relaxed);
    }

    /// Returns how often that was.
    pub(crate) fn restarted(&self) -> u64 {
        self.restarts.fetch_add(1, Ordering::Relaxed) + 1
    }
}
