//! Counts by group: a batch's rows folded into few, in the order in which the groups turned up.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Groups that are found by the hash of their key and a comparison.
pub(crate) struct Groups<G> {
    hasher: DefaultHashBuilder,
    index: HashTable<usize>,
    groups: Vec<(u64, G)>,
    /// The group that was asked for last: often the next one, too.
    recent: usize,
}

impl<G> Default for Groups<G> {
    fn default() -> Self {
        Self { hasher: DefaultHashBuilder::default(), index: HashTable::new(), groups: Vec::new(), recent: 0 }
    }
}

impl<G> Groups<G> {
    /// The group of this key.
    pub(crate) fn of(
        &mut self,
        key: impl Hash,
        is_it: impl Fn(&G) -> bool,
        make: impl FnOnce() -> G,
    ) -> &mut G {
        if self.groups.get(self.recent).is_some_and(|(_, group)| is_it(group)) {
            return &mut self.groups[self.recent].1;
        }
        let hash = self.hasher.hash_one(key);
        let found = self.index.find(hash, |&at| is_it(&self.groups[at].1)).copied();
        let at = found.unwrap_or_else(|| {
            self.groups.push((hash, make()));
            let at = self.groups.len() - 1;
            self.index.insert_unique(hash, at, |&at| self.groups[at].0);
            at
        });
        self.recent = at;
        &mut self.groups[at].1
    }

    /// Hands out every group and forgets them.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(&G)) {
        self.groups.iter().for_each(|(_, group)| each(group));
        self.groups.clear();
        self.index.clear();
    }
}
