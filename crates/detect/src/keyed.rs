//! State by tenant and key, with a bound for each tenant and a timer for each key.
//!
//! Over its bound a tenant loses its own coldest keys, an eighth at a time; no tenant can push
//! out another's. Timers wake a key when its tenant's event time has come far enough for it to do
//! something. A name longer than `NAME_BYTES_MAX` becomes its beginning and a hash, so that a
//! bound in keys is a bound in memory.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{Hash, Hasher};

use event::{EventTime, Tenant};
use hashbrown::{Equivalent, HashMap};
use serde::{Deserialize, Serialize};

use crate::{stable, text};

/// A longer name is cut.
const NAME_BYTES_MAX: usize = 256;
/// `~` and sixteen digits.
const HASH_BYTES: usize = 17;
/// Fewer timers than this are not worth clearing of stale ones.
const TIMERS_MIN: usize = 64;

/// Whose state, and about what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) tenant: Tenant,
    pub(crate) name: Box<str>,
}

impl Key {
    /// What the whole name begins with, where the name was cut.
    pub(crate) fn cut_prefix(&self) -> Option<&str> {
        let (prefix, hash) = self.name.rsplit_once('~')?;
        (self.name.len() + 4 > NAME_BYTES_MAX && hash.len() + 1 == HASH_BYTES).then_some(prefix)
    }
}

/// A name as it is kept.
fn bounded(name: &str) -> Cow<'_, str> {
    if name.len() <= NAME_BYTES_MAX {
        return Cow::Borrowed(name);
    }
    let prefix = text::prefix(name, NAME_BYTES_MAX - HASH_BYTES);
    Cow::Owned(format!("{prefix}~{:016x}", stable::hash(&[name])))
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
    /// When keys must be forgotten those of the lowest rank go first.
    fn rank(&self) -> u8;
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Slot<V> {
    pub(crate) key: Key,
    pub(crate) value: V,
    touched: EventTime,
    due: EventTime,
}

/// How many keys a tenant has, and when the next of them wants to be woken.
#[derive(Default)]
struct PerTenant {
    keys: usize,
    timers: BinaryHeap<Reverse<(EventTime, SlotId)>>,
}

/// State by tenant and key.
pub(crate) struct Keyed<V> {
    index: HashMap<Key, SlotId>,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<SlotId>,
    tenants: HashMap<Tenant, PerTenant>,
    keys_per_tenant_max: usize,
    pub(crate) evicted_total: u64,
}

const NEVER: EventTime = EventTime(i64::MAX);

/// Whether a timer is the one that its slot waits for, and not a stale one.
fn is_due<V>(slots: &[Option<Slot<V>>], of: &Tenant, time: EventTime, id: SlotId) -> bool {
    let slot = slots.get(id as usize).and_then(Option::as_ref);
    slot.is_some_and(|slot| slot.due == time && slot.key.tenant == *of)
}

impl<V: Kept> Keyed<V> {
    pub(crate) fn new(keys_per_tenant_max: usize) -> Self {
        Self {
            index: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            tenants: HashMap::new(),
            keys_per_tenant_max,
            evicted_total: 0,
        }
    }

    /// The place of a key that is there.
    pub(crate) fn find(&self, tenant: &str, name: &str) -> Option<SlotId> {
        self.index.get(&KeyRef { tenant, name: &bounded(name) }).copied()
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
        let key = Key { tenant: Tenant::parse(tenant).ok()?, name: bounded(name).into() };
        Some(self.insert(Slot { key, value: new(), touched: EventTime::MIN, due: NEVER }))
    }

    fn insert(&mut self, slot: Slot<V>) -> SlotId {
        let id = self.free.pop().unwrap_or(self.slots.len() as SlotId);
        let tenant = self.tenants.entry(slot.key.tenant.clone()).or_default();
        tenant.keys += 1;
        if slot.due != NEVER {
            tenant.timers.push(Reverse((slot.due, id)));
        }
        self.index.insert(slot.key.clone(), id);
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
            && let Some(tenant) = self.tenants.get_mut(&slot.key.tenant)
        {
            slot.due = time;
            tenant.timers.push(Reverse((time, id)));
            if tenant.timers.len() > 2 * tenant.keys.max(TIMERS_MIN) {
                let of = slot.key.tenant.clone();
                self.drop_stale_timers(&of);
            }
        }
    }

    /// Timers that were set again, or whose key is gone, stay in the heap until their time, which
    /// may be days away; where they are the greater part of it they are taken out.
    fn drop_stale_timers(&mut self, of: &Tenant) {
        let Some(tenant) = self.tenants.get_mut(of) else { return };
        let mut timers = std::mem::take(&mut tenant.timers).into_vec();
        timers.retain(|Reverse((time, id))| is_due(&self.slots, of, *time, *id));
        timers.sort_unstable();
        timers.dedup();
        tenant.timers = timers.into();
    }

    /// The tenant's keys whose time has come, each once, earliest first.
    pub(crate) fn take_due(&mut self, of: &Tenant, up_to: EventTime) -> Vec<SlotId> {
        let mut due = Vec::new();
        let Some(tenant) = self.tenants.get_mut(of) else { return due };
        while let Some(&Reverse((time, id))) = tenant.timers.peek() {
            if time > up_to {
                break;
            }
            tenant.timers.pop();
            if is_due(&self.slots, of, time, id)
                && let Some(Some(slot)) = self.slots.get_mut(id as usize)
            {
                slot.due = NEVER;
                due.push(id);
            }
        }
        due
    }

    /// When the next key of any tenant wants to be woken, at the earliest.
    pub(crate) fn next_due(&self) -> Option<EventTime> {
        self.tenants.values().filter_map(|tenant| tenant.timers.peek()).map(|Reverse((time, _))| *time).min()
    }

    /// The tenants of which a key may want to be woken, in order.
    pub(crate) fn tenants_due(&self, up_to: EventTime) -> Vec<Tenant> {
        let is_due =
            |tenant: &PerTenant| tenant.timers.peek().is_some_and(|Reverse((time, _))| *time <= up_to);
        let mut due: Vec<_> =
            self.tenants.iter().filter(|(_, of)| is_due(of)).map(|(name, _)| name.clone()).collect();
        due.sort();
        due
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, id: SlotId) -> Option<Slot<V>> {
        let slot = self.slots.get_mut(id as usize)?.take()?;
        self.index.remove(&slot.key);
        self.free.push(id);
        if let Some(tenant) = self.tenants.get_mut(&slot.key.tenant) {
            tenant.keys -= 1;
            if tenant.keys == 0 {
                self.tenants.remove(&slot.key.tenant);
            }
        }
        Some(slot)
    }

    /// Forgets the coldest keys of every tenant that is over its bound, and returns them.
    pub(crate) fn evict(&mut self) -> Vec<Slot<V>> {
        let over = self.tenants.iter().filter(|(_, tenant)| tenant.keys > self.keys_per_tenant_max);
        let mut tenants: Vec<Tenant> = over.map(|(tenant, _)| tenant.clone()).collect();
        tenants.sort();
        let mut evicted = Vec::new();
        for tenant in tenants {
            let mut keys: Vec<_> = (0..)
                .zip(&self.slots)
                .filter_map(|(id, slot)| slot.as_ref().map(|slot| (id, slot)))
                .filter(|(_, slot)| slot.key.tenant == tenant)
                .map(|(id, slot)| (slot.value.rank(), slot.touched, &slot.key.name, id))
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
        fn rank(&self) -> u8 {
            u8::from(*self == 7)
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

    fn tenant(name: &str) -> Tenant {
        Tenant::parse(name).unwrap()
    }

    #[test]
    fn a_timer_fires_once_at_its_earliest_time_and_by_its_own_tenants_watermark() {
        let mut keyed = filled(2);
        keyed.wake_at(0, EventTime(50));
        keyed.wake_at(0, EventTime(20));
        keyed.wake_at(1, EventTime(30));
        keyed.wake_at(2, EventTime(30));
        assert!(keyed.take_due(&tenant("noisy"), EventTime(10)).is_empty());
        assert_eq!(keyed.take_due(&tenant("noisy"), EventTime(40)), [0, 1]);
        assert!(keyed.take_due(&tenant("noisy"), EventTime(90)).is_empty());
        assert_eq!(keyed.take_due(&tenant("quiet"), EventTime(90)), [2]);
    }

    #[test]
    fn timers_of_forgotten_keys_do_not_pile_up() {
        let mut keyed = filled(16);
        for n in 0..10_000 {
            let id = keyed.find_or_insert("noisy", &format!("x{n}"), || n).unwrap();
            keyed.touch(id, EventTime(1_000 + i64::from(n)));
            keyed.wake_at(id, EventTime(1_000_000 + i64::from(n % 3)));
            keyed.evict();
        }
        let timers = keyed.tenants[&tenant("noisy")].timers.len();
        assert!(timers <= 2 * TIMERS_MIN + 1, "{timers} timers for {} keys", keyed.len());
    }

    #[test]
    fn a_long_name_is_cut_and_still_tells_keys_apart() {
        let mut keyed: Keyed<u32> = Keyed::new(16);
        let (a, b) = ("ü".repeat(4_000) + "a", "ü".repeat(4_000) + "b");
        let id = keyed.find_or_insert("noisy", &a, || 1).unwrap();
        assert_eq!((keyed.find("noisy", &a), keyed.find("noisy", &b)), (Some(id), None));
        let (key, _) = keyed.get_mut(id).unwrap();
        assert!(key.name.len() <= NAME_BYTES_MAX && a.starts_with(key.cut_prefix().unwrap()));
    }
}
