//! What a stage reads: as [`kafka`'s source](../../kafka/src/source.rs), over the simulated log.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline::{Polled, Reader, RecordView, Source, SourceError, StartAt, TopicPartition};
use rand::Rng;

use crate::log::Member;
use crate::world::World;

/// How far a partition is read.
struct Place {
    next: i64,
    /// What lies before is read again to rebuild state, and is not new.
    committed: i64,
}

pub(crate) struct SimSource {
    world: Arc<World>,
    worker: usize,
    member: Member,
    reads: fn(&str) -> bool,
    start_at: StartAt,
    announces: bool,
    owned: BTreeMap<TopicPartition, Place>,
}

impl SimSource {
    pub(crate) fn join(
        world: &Arc<World>,
        worker: usize,
        group: &'static str,
        reads: fn(&str) -> bool,
        start_at: StartAt,
        announces: bool,
    ) -> Self {
        let mut shared = world.shared();
        shared.next_member += 1;
        let member = Member { group, id: shared.next_member };
        drop(shared);
        let world = Arc::clone(world);
        Self { world, worker, member, reads, start_at, announces, owned: BTreeMap::new() }
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// Learns what is ours, and passes it on.
    fn follow_group(&mut self, reader: &mut dyn Reader) -> Result<(), SourceError> {
        let now = self.world.now();
        let mut shared = self.world.shared();
        let all = shared.log.partitions(self.reads);
        let polling = shared.log.poll(&self.member, &all, now);
        drop(shared);
        if polling.was_lost && !self.owned.is_empty() {
            let lost: Vec<_> = std::mem::take(&mut self.owned).into_keys().collect();
            reader.revoked(&lost);
        }
        if !polling.revoked.is_empty() {
            self.owned.retain(|of, _| !polling.revoked.contains(of));
            reader.revoked(&polling.revoked);
        }
        if self.announces && !polling.assigned.is_empty() {
            reader.announced(&all);
        }
        for (of, committed) in polling.assigned {
            let start = match &self.start_at {
                StartAt::Committed => committed,
                StartAt::Owner(owner) => owner(&of, committed).map_err(SourceError::Interrupted)?,
            };
            let place = Place { next: start.unwrap_or(0), committed: committed.unwrap_or(0) };
            reader.assigned(std::slice::from_ref(&of))?;
            self.owned.insert(of, place);
        }
        Ok(())
    }
}

/// A process that stops says good-bye; one that is killed does not.
impl Drop for SimSource {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.shared().log.leave(&self.member);
        }
    }
}

impl Source for SimSource {
    fn next_batch(&mut self, reader: &mut dyn Reader) -> Result<Polled, SourceError> {
        self.world.step(self.worker);
        let mut shared = self.world.shared();
        let fails = shared.mishaps.poll_fails;
        if shared.happens(fails) {
            return Err(SourceError::Interrupted("poll failed".into()));
        }
        drop(shared);
        self.follow_group(reader)?;
        let mut polled = Polled { caught_up: !self.owned.is_empty(), ..Polled::default() };
        for (of, place) in &mut self.owned {
            let mut entries = Vec::new();
            {
                let mut shared = self.world.shared();
                let end = shared.log.stable_end(of);
                let most = shared.dice.random_range(0..60);
                let until = end.min(place.next + most);
                entries.extend((place.next..until).map(|offset| (offset, shared.log.read(of, offset))));
                place.next = place.next.max(until);
                polled.caught_up &= place.next >= end;
            }
            for (offset, entry) in entries {
                let Some(entry) = entry else { continue };
                if offset >= place.committed {
                    polled.positions.read(&of.topic, of.partition, offset);
                }
                polled.records += 1;
                reader.record(RecordView {
                    topic: &of.topic,
                    partition: of.partition,
                    offset,
                    broker_time: entry.broker_time,
                    payload: &entry.payload,
                    headers: Vec::new(),
                });
            }
        }
        Ok(polled)
    }
}
