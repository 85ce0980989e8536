//! How a group gathers its members for a new generation.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;

use super::member::{Answer, Joined, JoinedMember, Joining, Member, Promise, kept};
use super::{Group, Phase};

/// Why a join is not waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotJoined {
    Refused(ResponseError),
    /// Join again, with this id.
    TakeId(String),
}

impl From<ResponseError> for NotJoined {
    fn from(refusal: ResponseError) -> Self {
        Self::Refused(refusal)
    }
}

impl Group {
    /// A client joins, or joins again. `fresh_id` is its id if it has none.
    pub(crate) fn join(
        &mut self,
        joining: &Joining,
        fresh_id: String,
        now: Instant,
    ) -> Result<Promise<Joined>, NotJoined> {
        self.check_protocols(joining)?;
        if joining.member_id.is_empty() {
            return self.join_without_id(joining, fresh_id, now);
        }
        if let Some(instance_id) = &joining.instance_id
            && self.instances.get(instance_id).is_some_and(|named| *named != joining.member_id)
        {
            return Err(ResponseError::FencedInstanceId.into());
        }
        if self.promised.remove(&joining.member_id).is_some() {
            return Ok(self.add(joining, joining.member_id.clone(), now));
        }
        Ok(self.rejoin(joining, now)?)
    }

    fn check_protocols(&self, joining: &Joining) -> Answer<()> {
        let others: Vec<_> = self.members.iter().filter(|(id, _)| **id != joining.member_id).collect();
        let is_shared = |name: &str| others.iter().all(|(_, member)| member.supports(name));
        let is_consistent = !joining.protocol_type.is_empty()
            && (others.is_empty() || joining.protocol_type == self.protocol_type)
            && joining.protocols.iter().any(|offered| is_shared(&offered.name));
        if is_consistent { Ok(()) } else { Err(ResponseError::InconsistentGroupProtocol) }
    }

    fn join_without_id(
        &mut self,
        joining: &Joining,
        fresh_id: String,
        now: Instant,
    ) -> Result<Promise<Joined>, NotJoined> {
        let is_known = joining.instance_id.as_ref().is_some_and(|id| self.instances.contains_key(id));
        if !is_known && self.members.len() + self.promised.len() >= self.members_max {
            return Err(ResponseError::GroupMaxSizeReached.into());
        }
        if let Some(instance_id) = &joining.instance_id {
            return Ok(match self.instances.get(instance_id).cloned() {
                Some(former_id) => self.replace(joining, &former_id, fresh_id, now),
                None => self.add(joining, fresh_id, now),
            });
        }
        if joining.asks_for_id {
            self.promised.insert(fresh_id.clone(), now + joining.timeouts.session);
            return Err(NotJoined::TakeId(fresh_id));
        }
        Ok(self.add(joining, fresh_id, now))
    }

    fn add(&mut self, joining: &Joining, member_id: String, now: Instant) -> Promise<Joined> {
        let mut member = Member::new(joining, now);
        let promise = member.await_join();
        if let Some(instance_id) = &joining.instance_id {
            self.instances.insert(instance_id.clone(), member_id.clone());
        }
        if self.members.is_empty() {
            self.protocol_type = joining.protocol_type.clone();
        }
        self.members.insert(member_id, member);
        self.rebalance(now);
        promise
    }

    fn rejoin(&mut self, joining: &Joining, now: Instant) -> Answer<Promise<Joined>> {
        let is_leader = joining.member_id == self.leader;
        let phase = self.phase;
        let member = self.member(&joining.member_id)?;
        let is_changed = member.protocols != joining.protocols;
        member.update(joining, now);
        let joins_as_before = match phase {
            Phase::Syncing { .. } => !is_changed,
            Phase::Stable => !is_changed && !is_leader,
            Phase::Empty | Phase::Joining { .. } => false,
        };
        if joins_as_before {
            return Ok(kept(Ok(self.joined(&joining.member_id))));
        }
        let promise = member.await_join();
        self.rebalance(now);
        Ok(promise)
    }

    /// A static member came back under its instance id; its former self is fenced.
    fn replace(
        &mut self,
        joining: &Joining,
        former_id: &str,
        member_id: String,
        now: Instant,
    ) -> Promise<Joined> {
        let Some(mut member) = self.members.remove(former_id) else {
            return self.add(joining, member_id, now);
        };
        member.answer_join(Err(ResponseError::FencedInstanceId));
        member.answer_sync(Err(ResponseError::FencedInstanceId));
        member.update(joining, now);
        if let Some(instance_id) = &joining.instance_id {
            self.instances.insert(instance_id.clone(), member_id.clone());
        }
        let was_leader = self.leader == former_id;
        if was_leader {
            self.leader.clone_from(&member_id);
        }
        self.members.insert(member_id.clone(), member);
        if self.phase == Phase::Stable && self.vote() == self.protocol {
            let mut joined = self.joined(&member_id);
            if was_leader && joining.may_skip_assignment {
                joined.skip_assignment = true;
            } else if was_leader {
                // An older client would assign anew if it read that it leads.
                former_id.clone_into(&mut joined.leader);
                joined.members.clear();
            }
            return kept(Ok(joined));
        }
        let promise = match self.members.get_mut(&member_id) {
            Some(member) => member.await_join(),
            None => kept(Err(ResponseError::UnknownMemberId)),
        };
        self.rebalance(now);
        promise
    }

    /// Asks everyone to join again, unless that is under way.
    pub(super) fn rebalance(&mut self, now: Instant) {
        match self.phase {
            Phase::Joining { .. } => {}
            Phase::Empty => {
                self.phase = Phase::Joining { deadline: now + self.initial_delay, initial: true };
            }
            Phase::Syncing { .. } | Phase::Stable => {
                for member in self.members.values_mut() {
                    member.answer_sync(Err(ResponseError::RebalanceInProgress));
                }
                self.phase = Phase::Joining { deadline: now + self.rebalance_timeout(), initial: false };
            }
        }
        self.complete_join_if_all_are_here(now);
    }

    pub(super) fn complete_join_if_all_are_here(&mut self, now: Instant) {
        let Phase::Joining { initial, .. } = self.phase else { return };
        let all_are_here = self.promised.is_empty() && self.members.values().all(Member::is_joining);
        if all_are_here && (!initial || self.members.is_empty()) {
            self.complete_join(now);
        }
    }

    /// Begins the next generation with those who are here.
    pub(super) fn complete_join(&mut self, now: Instant) {
        let is_late = |member: &Member| !member.is_joining() && member.instance_id.is_none();
        let late = self.members.iter().filter(|(_, member)| is_late(member));
        for member_id in late.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.remove(&member_id);
        }
        if self.members.is_empty() {
            self.generation += 1;
            self.phase = Phase::Empty;
            return;
        }
        let Some(first) = self.members.iter().find(|(_, member)| member.is_joining()) else {
            // Only static members, and none is here: they have until their sessions end.
            self.phase = Phase::Joining { deadline: now + self.rebalance_timeout(), initial: false };
            return;
        };
        if !self.members.get(&self.leader).is_some_and(Member::is_joining) {
            self.leader = first.0.clone();
        }
        self.generation += 1;
        self.protocol = self.vote();
        self.phase = Phase::Syncing { deadline: now + self.rebalance_timeout() };
        for member_id in self.members.keys().cloned().collect::<Vec<_>>() {
            let joined = self.joined(&member_id);
            if let Some(member) = self.members.get_mut(&member_id)
                && member.is_joining()
            {
                member.touch(now);
                member.answer_join(Ok(joined));
            }
        }
    }

    fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.timeouts.rebalance).max().unwrap_or_default()
    }

    /// The protocol that all support and most prefer.
    fn vote(&self) -> String {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let is_shared = |name: &str| self.members.values().all(|other| other.supports(name));
            if let Some(preferred) = member.protocols.iter().find(|offered| is_shared(&offered.name)) {
                *votes.entry(&preferred.name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|&(_, count)| count).map(|(name, _)| name.to_owned()).unwrap_or_default()
    }

    fn joined(&self, member_id: &str) -> Joined {
        let seen_by_leader = |(id, member): (&String, &Member)| JoinedMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(&self.protocol),
        };
        let is_leader = member_id == self.leader;
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: member_id.to_owned(),
            skip_assignment: false,
            members: if is_leader { self.members.iter().map(seen_by_leader).collect() } else { Vec::new() },
        }
    }
}
