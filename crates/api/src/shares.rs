//! So much of a thing for everybody together, and so much for each, so that nobody takes it all.
//!
//! Intake books the bytes it holds by partner, as they arrive: a client that sends slowly holds
//! only what it has sent, and a bomb stops where its partner's share ends. Live streams are
//! counted by caller.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};

/// What may be held, and is.
pub(crate) struct Shares<K: Hash + Eq> {
    total_max: usize,
    each_max: usize,
    held: Mutex<Held<K>>,
}

struct Held<K> {
    total: usize,
    by_holder: HashMap<K, usize>,
}

impl<K: Hash + Eq + Clone> Shares<K> {
    pub(crate) fn new(total_max: usize, each_max: usize) -> Arc<Self> {
        let held = Mutex::new(Held { total: 0, by_holder: HashMap::new() });
        Arc::new(Self { total_max, each_max, held })
    }

    /// An account that holds nothing yet; what it comes to hold is given back when it is dropped.
    pub(crate) fn open(self: &Arc<Self>, holder: K) -> Share<K> {
        Share { shares: Arc::clone(self), holder, amount: 0 }
    }
}

impl<K: Hash + Eq> Shares<K> {
    fn lock(&self) -> MutexGuard<'_, Held<K>> {
        self.held.lock().expect("no holder of this lock panics")
    }
}

/// What one request holds.
pub(crate) struct Share<K: Hash + Eq> {
    shares: Arc<Shares<K>>,
    holder: K,
    amount: usize,
}

impl<K: Hash + Eq + Clone> Share<K> {
    /// Takes so much more, or nothing. Says whether there was so much.
    #[must_use]
    pub(crate) fn grow(&mut self, amount: usize) -> bool {
        let mut held = self.shares.lock();
        let of_holder = held.by_holder.get(&self.holder).copied().unwrap_or(0);
        let (total, of_holder) = (held.total.saturating_add(amount), of_holder.saturating_add(amount));
        if total > self.shares.total_max || of_holder > self.shares.each_max {
            return false;
        }
        held.total = total;
        held.by_holder.insert(self.holder.clone(), of_holder);
        self.amount += amount;
        true
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut held = self.shares.lock();
        held.total -= self.amount;
        if let Some(of_holder) = held.by_holder.get_mut(&self.holder) {
            *of_holder -= self.amount;
            if *of_holder == 0 {
                held.by_holder.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_cannot_take_what_another_needs() {
        let shares = Shares::new(100, 60);
        let mut acme = shares.open("acme");
        assert!(acme.grow(60));
        assert!(!acme.grow(1), "its share is used up");
        let mut globex = shares.open("globex");
        assert!(globex.grow(40));
        assert!(!globex.grow(1), "the whole is used up");
        drop(acme);
        assert!(globex.grow(20));
    }

    #[test]
    fn what_is_dropped_leaves_nothing_behind() {
        let shares = Shares::new(100, 60);
        {
            let mut acme = shares.open("acme");
            assert!(acme.grow(10) && acme.grow(20));
        }
        let held = shares.lock();
        assert_eq!((held.total, held.by_holder.len()), (0, 0));
    }
}
