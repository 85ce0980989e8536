//! All consumer groups with members, and the watch over their deadlines.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use tokio::sync::Notify;

use crate::config::BrokerConfig;
use crate::group::Group;
use crate::guarded::Guarded;

const UNPOISONED: &str = "no one panics while holding the groups";

/// Groups by id. Offsets are the journal's; members live in memory and join again after a restart.
#[derive(Debug)]
pub(crate) struct Groups {
    by_id: RwLock<HashMap<String, Arc<Guarded<Group>>>>,
    initial_delay: Duration,
    groups_max: usize,
    members_max: usize,
    /// A deadline may have come closer.
    changed: Notify,
}

impl Groups {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self {
            by_id: RwLock::default(),
            initial_delay: Duration::from_millis(config.group_initial_delay_ms),
            groups_max: config.groups_max,
            members_max: config.group_members_max,
            changed: Notify::new(),
        }
    }

    /// Does something with a group, if it has members.
    pub(crate) fn with<T>(&self, id: &str, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let group = self.by_id.read().expect(UNPOISONED).get(id).cloned()?;
        let done = work(&mut group.lock());
        self.changed.notify_one();
        Some(done)
    }

    /// Does something with a group, which is created if need be and there may be one more.
    pub(crate) fn with_or_create<T>(
        &self,
        id: &str,
        work: impl FnOnce(&mut Group) -> T,
    ) -> Result<T, ResponseError> {
        let found = self.by_id.read().expect(UNPOISONED).get(id).cloned();
        let group = match found {
            Some(group) => group,
            None => self.create(id)?,
        };
        let done = work(&mut group.lock());
        self.changed.notify_one();
        Ok(done)
    }

    fn create(&self, id: &str) -> Result<Arc<Guarded<Group>>, ResponseError> {
        let mut by_id = self.by_id.write().expect(UNPOISONED);
        if by_id.len() >= self.groups_max && !by_id.contains_key(id) {
            return Err(ResponseError::PolicyViolation);
        }
        let create = || Arc::new(Guarded::new(Group::new(self.initial_delay, self.members_max)));
        Ok(Arc::clone(by_id.entry(id.to_owned()).or_insert_with(create)))
    }

    /// Like [`Self::with`], for what only puts deadlines off.
    pub(crate) fn with_quietly<T>(&self, id: &str, work: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let group = self.by_id.read().expect(UNPOISONED).get(id).cloned()?;
        let done = work(&mut group.lock());
        Some(done)
    }

    /// The ids of groups that have members.
    pub(crate) fn ids(&self) -> HashSet<String> {
        self.by_id.read().expect(UNPOISONED).keys().cloned().collect()
    }

    /// Watches until the task is aborted. Sleeps while nothing is due.
    pub(crate) async fn watch_deadlines(&self) {
        loop {
            let next = self.tick(Instant::now());
            let sleep = async {
                match next {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Lets every group do what is due; returns when something next is.
    fn tick(&self, now: Instant) -> Option<Instant> {
        let groups: Vec<_> = self.by_id.read().expect(UNPOISONED).values().cloned().collect();
        let mut next: Option<Instant> = None;
        let mut anyone_vacant = false;
        for group in groups {
            let mut group = group.lock();
            group.tick(now);
            next = next.into_iter().chain(group.next_deadline()).min();
            anyone_vacant |= group.is_vacant();
        }
        if anyone_vacant {
            self.forget_vacant();
        }
        next
    }

    fn forget_vacant(&self) {
        let mut by_id = self.by_id.write().expect(UNPOISONED);
        // Whoever is about to use a group holds it, and took it under this lock.
        by_id.retain(|_, group| Arc::strong_count(group) > 1 || !group.lock().is_vacant());
    }
}

/// Something that no one has had before: the standard library's hash keys are random.
pub(crate) fn fresh_id() -> String {
    let draw = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", draw(), draw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_groups_than_there_may_be() {
        let mut config = BrokerConfig::new("unused");
        config.groups_max = 1;
        let groups = Groups::new(&config);
        assert_eq!(groups.with_or_create("a", |_| ()), Ok(()));
        assert_eq!(groups.with_or_create("b", |_| ()), Err(ResponseError::PolicyViolation));
        assert_eq!(groups.with_or_create("a", |_| ()), Ok(()));
    }
}
