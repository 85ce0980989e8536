//! Which deliveries were counted already: at-least-once shippers send a line again.

use std::collections::VecDeque;

use hashbrown::HashSet;
use serde::{Deserialize, Serialize};

/// From here on a hash set is quicker than looking through the list.
const LIST_MAX: usize = 32;

/// The newest delivery ids of one key, as hashes, up to a bound.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "(VecDeque<u64>, bool)", into = "(VecDeque<u64>, bool)")]
pub(crate) struct Seen {
    order: VecDeque<u64>,
    set: HashSet<u64>,
    forgot: bool,
}

impl Seen {
    /// Notes an id; false if it was there. At `most` ids the oldest is forgotten.
    pub(crate) fn insert(&mut self, id: u64, most: usize) -> bool {
        if self.contains(id) {
            return false;
        }
        if self.order.len() >= most
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
            self.forgot = true;
        }
        self.order.push_back(id);
        if self.order.len() > LIST_MAX {
            if self.set.is_empty() {
                self.set.extend(&self.order);
            }
            self.set.insert(id);
        }
        true
    }

    /// How many ids there are.
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether ids were forgotten, so that an old delivery could no longer be told from a new one.
    pub(crate) fn is_partial(&self) -> bool {
        self.forgot
    }

    fn contains(&self, id: u64) -> bool {
        if self.set.is_empty() { self.order.contains(&id) } else { self.set.contains(&id) }
    }
}

impl From<(VecDeque<u64>, bool)> for Seen {
    fn from((order, forgot): (VecDeque<u64>, bool)) -> Self {
        let set = if order.len() > LIST_MAX { order.iter().copied().collect() } else { HashSet::new() };
        Self { order, set, forgot }
    }
}

impl From<Seen> for (VecDeque<u64>, bool) {
    fn from(seen: Seen) -> Self {
        (seen.order, seen.forgot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_counts_once_until_it_is_forgotten() {
        let mut seen = Seen::default();
        for id in 0..100 {
            assert!(seen.insert(id, 64));
            assert!(!seen.insert(id, 64));
        }
        assert!(!seen.insert(99, 64));
        assert!(seen.insert(0, 64), "the oldest was forgotten");
        assert!(seen.is_partial());
    }
}
