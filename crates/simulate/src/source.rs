//! What a stage reads: as [`kafka`'s source](../../kafka/src/source.rs), over the simulated log.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::Positions;
use pipeline::{Ends, Polled, Reader, RecordView, Source, SourceError, StartAt, TopicPartition};
use rand::Rng;

use crate::log::Member;
use crate::world::World;

/// So many records that are not read yet are a backlog.
const BACKLOG: i64 = 20;

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
    records_max: i64,
    owned: BTreeMap<TopicPartition, Place>,
    ends: Ends,
}

/// Of a partition, at a time.
const RECORDS_MAX: i64 = 60;

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
        Self {
            world,
            worker,
            member,
            reads,
            start_at,
            announces,
            records_max: RECORDS_MAX,
            owned: BTreeMap::new(),
            ends: Ends::default(),
        }
    }

    /// Reads so many records of a partition at a time, instead of what the others read.
    pub(crate) fn at_a_time(mut self, records_max: i64) -> Self {
        self.records_max = records_max;
        self
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// Whoever asks for more has delivered what it was given.
    fn say_delivered(&self) {
        let mut shared = self.world.shared();
        for (of, place) in &self.owned {
            shared.log.delivered(&self.member, of, place.next);
        }
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
            self.ends.revoked(&lost);
            reader.revoked(&lost);
        }
        if !polling.revoked.is_empty() {
            self.owned.retain(|of, _| !polling.revoked.contains(of));
            self.ends.revoked(&polling.revoked);
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
            self.ends.assigned(std::slice::from_ref(&of), now);
            self.owned.insert(of, place);
        }
        Ok(())
    }
}

impl SimSource {
    /// What the reader wants to wait for the sake of what has a backlog.
    fn waiting(&self, reader: &dyn Reader) -> Vec<TopicPartition> {
        let shared = self.world.shared();
        let has_backlog =
            |of: &TopicPartition, place: &Place| shared.log.stable_end(of) - place.next >= BACKLOG;
        let backlogged = self.owned.iter().filter(|(of, place)| has_backlog(of, place));
        let backlogged: Vec<_> = backlogged.map(|(of, _)| of.clone()).collect();
        drop(shared);
        reader.ahead(&backlogged)
    }

    /// Asks for the ends of what is quiet, one step after it was read, as the client does over the
    /// network.
    fn tell_of_ends(&mut self, reader: &mut dyn Reader, positions: &mut Positions) {
        let now = self.world.now();
        for (topic, partition, _) in positions.iter() {
            self.ends.read(&TopicPartition { topic: Arc::clone(topic), partition }, now);
        }
        let due = if self.announces { self.ends.due(now) } else { Vec::new() };
        if due.is_empty() {
            return;
        }
        self.world.step(self.worker);
        let shared = self.world.shared();
        let end = |of: TopicPartition| (shared.log.stable_end(&of), of);
        let is_reached = |(end, of): &(i64, TopicPartition)| self.owned[of].next >= *end;
        let reached: Vec<_> = due.into_iter().map(end).filter(is_reached).collect();
        drop(shared);
        for (end, of) in &reached {
            positions.read(&of.topic, of.partition, end - 1);
        }
        let reached: Vec<_> = reached.into_iter().map(|(_, of)| of).collect();
        reader.at_end(&reached);
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
        self.say_delivered();
        self.world.step(self.worker);
        let mut shared = self.world.shared();
        let fails = shared.mishaps.poll_fails;
        if shared.happens(fails) {
            return Err(SourceError::Interrupted("poll failed".into()));
        }
        drop(shared);
        self.follow_group(reader)?;
        let mut polled = Polled { caught_up: !self.owned.is_empty(), ..Polled::default() };
        let waiting = self.waiting(reader);
        for (of, place) in &mut self.owned {
            if waiting.contains(of) {
                polled.caught_up = false;
                continue;
            }
            let mut entries = Vec::new();
            {
                let mut shared = self.world.shared();
                let end = shared.log.stable_end(of);
                let most = shared.dice.random_range(0..self.records_max);
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
        self.tell_of_ends(reader, &mut polled.positions);
        Ok(polled)
    }
}
