//! Consumer groups: who owns what, and how far it has come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pipeline::TopicPartition;

use super::{Log, Member};

/// A member that is not heard of for longer is taken for dead.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

#[derive(Debug, Default)]
pub(super) struct Group {
    generation: u64,
    members: BTreeMap<u64, Seen>,
    owners: BTreeMap<TopicPartition, u64>,
    committed: BTreeMap<TopicPartition, i64>,
    /// How far its members have delivered what they read. For whoever keeps the offset beside its own
    /// data this is all that the log hears of it.
    delivered: BTreeMap<TopicPartition, i64>,
}

/// What is known of a member.
#[derive(Debug)]
struct Seen {
    heard: Duration,
    /// The generation that it has learnt of.
    generation: u64,
}

/// What a member learns when it asks.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    /// Taken for dead before: nothing that it had is its own any more.
    pub(crate) was_lost: bool,
    pub(crate) revoked: Vec<TopicPartition>,
    /// What it owns from now on, and the offsets that are committed there.
    pub(crate) assigned: Vec<(TopicPartition, Option<i64>)>,
}

impl Group {
    /// Whether what a member says counts: it is alive, and of this generation.
    pub(super) fn knows(&self, id: u64) -> bool {
        self.members.get(&id).is_some_and(|member| member.generation == self.generation)
    }

    pub(super) fn commit(&mut self, of: TopicPartition, next: i64) {
        self.committed.insert(of, next);
    }

    fn remove(&mut self, id: u64) {
        self.members.remove(&id);
        self.owners.retain(|_, owner| *owner != id);
        self.generation += 1;
    }

    /// Who is to own a partition: each member in turn.
    fn wanted(&self, place: usize) -> Option<u64> {
        let count = self.members.len();
        (count > 0).then(|| self.members.keys().nth(place % count).copied()).flatten()
    }
}

impl Log {
    /// A member asks what is its own. What another still holds is given only after that one has
    /// learnt of it; what a transaction may be about to commit, only after its end.
    pub(crate) fn poll(&mut self, member: &Member, all: &[TopicPartition], now: Duration) -> Polling {
        let pending: BTreeSet<_> =
            all.iter().filter(|of| self.is_pending(member.group, of)).cloned().collect();
        let group = self.groups.entry(member.group).or_default();
        let was_known = group.members.contains_key(&member.id);
        if !was_known {
            group.generation += 1;
        }
        let generation = group.generation;
        group.members.insert(member.id, Seen { heard: now, generation });
        let mut polling = Polling { was_lost: !was_known, ..Polling::default() };
        for (place, of) in all.iter().enumerate() {
            let (owner, wanted) = (group.owners.get(of).copied(), group.wanted(place));
            if owner == Some(member.id) && wanted != owner {
                group.owners.remove(of);
                polling.revoked.push(of.clone());
            } else if owner.is_none() && wanted == Some(member.id) && !pending.contains(of) {
                group.owners.insert(of.clone(), member.id);
                polling.assigned.push((of.clone(), group.committed.get(of).copied()));
            }
        }
        polling
    }

    /// A member says good-bye.
    pub(crate) fn leave(&mut self, member: &Member) {
        if let Some(group) = self.groups.get_mut(member.group)
            && group.members.contains_key(&member.id)
        {
            group.remove(member.id);
        }
    }

    /// Gives up members that are not heard of; says how many.
    pub(crate) fn expire_members(&mut self, now: Duration) -> usize {
        let mut expired = 0;
        for group in self.groups.values_mut() {
            let is_late = |seen: &Seen| now.saturating_sub(seen.heard) > SESSION_TIMEOUT;
            let late: Vec<u64> =
                group.members.iter().filter(|(_, seen)| is_late(seen)).map(|(id, _)| *id).collect();
            expired += late.len();
            late.into_iter().for_each(|id| group.remove(id));
        }
        expired
    }

    /// A member says how far it has delivered what it read.
    pub(crate) fn delivered(&mut self, member: &Member, of: &TopicPartition, next: i64) {
        let delivered = &mut self.groups.entry(member.group).or_default().delivered;
        let far = delivered.entry(of.clone()).or_default();
        *far = next.max(*far);
    }

    /// How far a group has come in a partition.
    fn far(&self, group: &str, of: &TopicPartition) -> i64 {
        let Some(group) = self.groups.get(group) else { return 0 };
        let of = |places: &BTreeMap<TopicPartition, i64>| places.get(of).copied().unwrap_or(0);
        of(&group.committed).max(of(&group.delivered))
    }

    /// Whether nothing that a reader would see lies beyond where the group has come.
    pub(crate) fn is_read(&self, group: &str, of: &TopicPartition) -> bool {
        let end = self.stable_end(of);
        self.is_closed(of) && (self.far(group, of)..end).all(|offset| self.read(of, offset).is_none())
    }
}
