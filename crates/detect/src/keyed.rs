//! State by tenant and key, with a bound for each tenant and a timer for each key.
//!
//! Over its bound a tenant loses its own coldest keys, an eighth at a time; no tenant can push
//! out another's. Timers wake a key when event time has come far enough for it to do something.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{Hash, Hasher};

use event::{EventTime, Tenant};
use hashbrown::{Equivalent, HashMap};
use serde::{Deserialize, Serialize};

/// Whose state, and about what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) tenant: Tenant,
    pub(crate) name: Box<str>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        KeyRef { tenant: self.tenant.as_str(), name: &self.name }.hash(state);
    }
}

#[derive(Hash)]
struct KeyRef<'a> {
    tenant: &'a str,
    name: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.name == &*key.name && self.tenant == key.tenant.as_str()
    }
}

/// A place in a [`Keyed`]; valid until its key is removed.
pub(crate) type SlotId = u32;

/// What state must say about itself to be kept.
pub(crate) trait Kept {
    /// Whether it should go last when keys must be forgotten.
    fn is_precious(&self) -> bool;
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Slot<V> {
    pub(crate) key: Key,
    pub(crate) value: V,
    touched: EventTime,
    due: EventTime,
}

/// State by tenant and key.
pub(crate) struct Keyed<V> {
    index: HashMap<Key, SlotId>,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<SlotId>,
    timers: BinaryHeap<Reverse<(EventTime, SlotId)>>,
    keys_by_tenant: HashMap<Tenant, usize>,
    keys_per_tenant_max: usize,
    pub(crate) evicted_total: u64,
}

const NEVER: EventTime = EventTime(i64::MAX);

impl<V: Kept> Keyed<V> {
    pub(crate) fn new(keys_per_tenant_max: usize) -> Self {
        Self {
            index: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            keys_by_tenant: HashMap::new(),
            keys_per_tenant_max,
            evicted_total: 0,
        }
    }

    /// The place of a key that is there.
    pub(crate) fn find(&self, tenant: &str, name: &str) -> Option<SlotId> {
        self.index.get(&KeyRef { tenant, name }).copied()
    }

    /// The place of a key, made if it is not there; `None` for a tenant that is no tenant.
    pub(crate) fn find_or_insert(
        &mut self,
        tenant: &str,
        name: &str,
        new: impl FnOnce() -> V,
    ) -> Option<SlotId> {
        if let Some(id) = self.find(tenant, name) {
            return Some(id);
        }
        let key = Key { tenant: Tenant::parse(tenant).ok()?, name: name.into() };
        Some(self.insert(Slot { key, value: new(), touched: EventTime::MIN, due: NEVER }))
    }

    fn insert(&mut self, slot: Slot<V>) -> SlotId {
        *self.keys_by_tenant.entry(slot.key.tenant.clone()).or_default() += 1;
        let id = self.free.pop().unwrap_or(self.slots.len() as SlotId);
        self.index.insert(slot.key.clone(), id);
        if slot.due != NEVER {
            self.timers.push(Reverse((slot.due, id)));
        }
        match self.slots.get_mut(id as usize) {
            Some(place) => *place = Some(slot),
            None => self.slots.push(Some(slot)),
        }
        id
    }

    /// The key and its state, if it is still there.
    pub(crate) fn get_mut(&mut self, id: SlotId) -> Option<(&Key, &mut V)> {
        self.slots.get_mut(id as usize)?.as_mut().map(|slot| (&slot.key, &mut slot.value))
    }

    /// Notes that something happened to a key at this time: it is that much less cold.
    pub(crate) fn touch(&mut self, id: SlotId, time: EventTime) {
        if let Some(Some(slot)) = self.slots.get_mut(id as usize) {
            slot.touched = slot.touched.max(time);
        }
    }

    /// Asks to be woken at this time, or earlier if that was asked before.
    pub(crate) fn wake_at(&mut self, id: SlotId, time: EventTime) {
        if let Some(Some(slot)) = self.slots.get_mut(id as usize)
            && time < slot.due
        {
            slot.due = time;
            self.timers.push(Reverse((time, id)));
        }
    }

    /// The keys whose time has come, each once, earliest first.
    pub(crate) fn take_due(&mut self, up_to: EventTime) -> Vec<SlotId> {
        let mut due = Vec::new();
        while let Some(&Reverse((time, id))) = self.timers.peek() {
            if time > up_to {
                break;
            }
            self.timers.pop();
            // A timer that was set again, or whose key is gone, is stale.
            if let Some(Some(slot)) = self.slots.get_mut(id as usize)
                && slot.due == time
            {
                slot.due = NEVER;
                due.push(id);
            }
        }
        due
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, id: SlotId) -> Option<Slot<V>> {
        let slot = self.slots.get_mut(id as usize)?.take()?;
        self.index.remove(&slot.key);
        self.free.push(id);
        if let Some(keys) = self.keys_by_tenant.get_mut(&slot.key.tenant) {
            *keys -= 1;
            if *keys == 0 {
                self.keys_by_tenant.remove(&slot.key.tenant);
            }
        }
        Some(slot)
    }

    /// Forgets the coldest keys of every tenant that is over its bound, and returns them.
    pub(crate) fn evict(&mut self) -> Vec<Slot<V>> {
        let over = |keys: &usize| *keys > self.keys_per_tenant_max;
        let mut tenants: Vec<Tenant> =
            self.keys_by_tenant.iter().filter(|(_, keys)| over(keys)).map(|(t, _)| t.clone()).collect();
        tenants.sort();
        let mut evicted = Vec::new();
        for tenant in tenants {
            let mut keys: Vec<_> = (0..)
                .zip(&self.slots)
                .filter_map(|(id, slot)| slot.as_ref().map(|slot| (id, slot)))
                .filter(|(_, slot)| slot.key.tenant == tenant)
                .map(|(id, slot)| (slot.value.is_precious(), slot.touched, &slot.key.name, id))
                .collect();
            keys.sort();
            let surplus = keys.len() - self.keys_per_tenant_max * 7 / 8;
            let coldest: Vec<SlotId> = keys[..surplus].iter().map(|(.., id)| *id).collect();
            evicted.extend(coldest.into_iter().filter_map(|id| self.remove(id)));
        }
        self.evicted_total += evicted.len() as u64;
        evicted
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Every state, in no particular order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().flatten().map(|slot| &slot.value)
    }

    /// Every slot, sorted by key: what a snapshot holds.
    pub(crate) fn slots(&self) -> Vec<&Slot<V>> {
        let mut slots: Vec<_> = self.slots.iter().flatten().collect();
        slots.sort_by(|a, b| a.key.cmp(&b.key));
        slots
    }

    /// Takes over the slots of a snapshot.
    pub(crate) fn restore(&mut self, slots: Vec<Slot<V>>, evicted_total: u64) {
        *self = Self::new(self.keys_per_tenant_max);
        self.evicted_total = evicted_total;
        for slot in slots {
            self.insert(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Kept for u32 {
        fn is_precious(&self) -> bool {
            *self == 7
        }
    }

    fn filled(keys: usize) -> Keyed<u32> {
        let mut keyed = Keyed::new(16);
        for n in 0..keys {
            let id = keyed.find_or_insert("noisy", &format!("k{n:03}"), || n as u32).unwrap();
            keyed.touch(id, EventTime(n as i64));
        }
        keyed.find_or_insert("quiet", "k", || 0);
        keyed
    }

    #[test]
    fn over_its_bound_a_tenant_loses_its_own_coldest_keys() {
        let mut keyed = filled(17);
        let names: Vec<_> = keyed.evict().into_iter().map(|slot| slot.key.name).collect();
        assert_eq!(names, ["k000".into(), "k001".into(), Box::from("k002")]);
        assert!(keyed.find("quiet", "k").is_some());
        assert_eq!((keyed.len(), keyed.evicted_total), (15, 3));
    }

    #[test]
    fn what_is_precious_goes_last() {
        let mut keyed = filled(20);
        keyed.evict();
        assert!(keyed.find("noisy", "k007").is_some());
        assert!(keyed.find("noisy", "k000").is_none());
    }

    #[test]
    fn a_timer_fires_once_at_its_earliest_time() {
        let mut keyed = filled(2);
        keyed.wake_at(0, EventTime(50));
        keyed.wake_at(0, EventTime(20));
        keyed.wake_at(1, EventTime(30));
        assert!(keyed.take_due(EventTime(10)).is_empty());
        assert_eq!(keyed.take_due(EventTime(40)), [0, 1]);
        assert!(keyed.take_due(EventTime(90)).is_empty());
    }
}
