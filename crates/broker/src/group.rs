//! One consumer group of the classic protocol, as a state machine: no I/O, and time held in the hand.
//!
//! Members join, the leader assigns, all fetch their assignment; whoever comes, goes or falls
//! silent begins it again. How partitions are assigned is the clients' business.

pub(crate) mod joining;
pub(crate) mod member;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use self::member::{Answer, Client, Member, Promise, Synced, kept};

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Instance ids of static members, and who answers to them.
    instances: HashMap<String, String>,
    /// Ids that were given to clients who have not joined with them yet, and until when they may.
    promised: HashMap<String, Instant>,
    initial_delay: Duration,
    members_max: usize,
}

/// Where a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No members.
    Empty,
    /// Waiting for members to join, until a deadline. The first members of an empty group wait
    /// the whole time, for more to come.
    Joining { deadline: Instant, initial: bool },
    /// Waiting for the leader's assignment, until a deadline.
    Syncing { deadline: Instant },
    /// Everyone has an assignment.
    Stable,
}

/// Who speaks, as commits, heartbeats and syncs say it.
#[derive(Debug, Clone)]
pub(crate) struct Speaker {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) generation: i32,
}

/// A member, for those who look at the group from outside.
#[derive(Debug, Clone)]
pub(crate) struct MemberView {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client: Client,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

impl Group {
    /// A group without members. The first that joins waits `initial_delay` for others.
    pub(crate) fn new(initial_delay: Duration, members_max: usize) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: String::new(),
            leader: String::new(),
            members: BTreeMap::new(),
            instances: HashMap::new(),
            promised: HashMap::new(),
            initial_delay,
            members_max,
        }
    }

    /// A member asks for its assignment; the leader brings everyone's.
    pub(crate) fn sync(
        &mut self,
        speaker: &Speaker,
        assignments: Vec<(String, Bytes)>,
        now: Instant,
    ) -> Answer<Promise<Synced>> {
        self.check(speaker)?;
        let synced = self.synced_with(&speaker.member_id);
        let is_leader = speaker.member_id == self.leader;
        let phase = self.phase;
        let member = self.member(&speaker.member_id)?;
        member.touch(now);
        match phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::Joining { .. } => Err(ResponseError::RebalanceInProgress),
            Phase::Stable => Ok(kept(Ok(synced))),
            Phase::Syncing { .. } => {
                let promise = member.await_sync();
                if is_leader {
                    self.assign(assignments, now);
                }
                Ok(promise)
            }
        }
    }

    fn assign(&mut self, assignments: Vec<(String, Bytes)>, now: Instant) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for (member_id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&member_id) {
                member.assignment = assignment;
            }
        }
        self.phase = Phase::Stable;
        let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
        for member in self.members.values_mut() {
            if member.is_syncing() {
                member.touch(now);
            }
            let assignment = member.assignment.clone();
            let synced =
                Synced { protocol_type: protocol_type.clone(), protocol: protocol.clone(), assignment };
            member.answer_sync(Ok(synced));
        }
    }

    fn synced_with(&self, member_id: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self
                .members
                .get(member_id)
                .map(|member| member.assignment.clone())
                .unwrap_or_default(),
        }
    }

    /// A member shows that it lives.
    pub(crate) fn heartbeat(&mut self, speaker: &Speaker, now: Instant) -> Answer<()> {
        self.check(speaker)?;
        self.member(&speaker.member_id)?.touch(now);
        match self.phase {
            Phase::Joining { .. } => Err(ResponseError::RebalanceInProgress),
            Phase::Empty | Phase::Syncing { .. } | Phase::Stable => Ok(()),
        }
    }

    /// Whether the speaker may commit offsets now. In a transaction it may while the others wait
    /// for their assignment: what it commits it has read before, and its generation says that no
    /// one else has.
    pub(crate) fn check_commit(
        &mut self,
        speaker: &Speaker,
        in_transaction: bool,
        now: Instant,
    ) -> Answer<()> {
        if speaker.generation < 0 && speaker.member_id.is_empty() && self.members.is_empty() {
            return Ok(()); // a consumer that assigns itself, and only keeps its offsets here
        }
        self.check(speaker)?;
        self.member(&speaker.member_id)?.touch(now);
        match self.phase {
            Phase::Syncing { .. } if !in_transaction => Err(ResponseError::RebalanceInProgress),
            Phase::Empty | Phase::Joining { .. } | Phase::Syncing { .. } | Phase::Stable => Ok(()),
        }
    }

    /// A member says good-bye; static members are named by their instance.
    pub(crate) fn leave(&mut self, member_id: &str, instance_id: Option<&str>, now: Instant) -> Answer<()> {
        let named = instance_id.and_then(|instance_id| self.instances.get(instance_id)).cloned();
        let leaving = match named {
            Some(named) if !member_id.is_empty() && named != member_id => {
                return Err(ResponseError::FencedInstanceId);
            }
            Some(named) => named,
            None => member_id.to_owned(),
        };
        if self.promised.remove(&leaving).is_some() {
            self.complete_join_if_all_are_here(now);
            return Ok(());
        }
        if !self.remove(&leaving) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.rebalance(now);
        Ok(())
    }

    /// Removes who fell silent and ends what has waited long enough.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.promised.retain(|_, deadline| *deadline > now);
        let expired = |(id, member): (&String, &Member)| member.is_expired(now).then(|| id.clone());
        let mut gone: Vec<String> = self.members.iter().filter_map(expired).collect();
        if let Phase::Syncing { deadline } = self.phase
            && deadline <= now
        {
            let silent = self.members.iter().filter(|(_, member)| !member.is_syncing());
            gone.extend(silent.map(|(id, _)| id.clone()));
        }
        let mut anyone_left = matches!(self.phase, Phase::Syncing { deadline } if deadline <= now);
        for member_id in gone {
            anyone_left |= self.remove(&member_id);
        }
        if anyone_left {
            self.rebalance(now);
        } else {
            self.complete_join_if_all_are_here(now);
        }
        if let Phase::Joining { deadline, .. } = self.phase
            && deadline <= now
        {
            self.complete_join(now);
        }
    }

    /// When [`Self::tick`] next has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let silent = self.members.values().filter(|member| !member.is_joining() && !member.is_syncing());
        let sessions = silent.map(|member| member.deadline);
        let phase = match self.phase {
            Phase::Joining { deadline, .. } | Phase::Syncing { deadline } => Some(deadline),
            Phase::Empty | Phase::Stable => None,
        };
        sessions.chain(self.promised.values().copied()).chain(phase).min()
    }

    /// Nobody is in the group, or about to join.
    pub(crate) fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.promised.is_empty() && self.phase == Phase::Empty
    }

    /// Refuses speakers that are not members, or speak of another generation.
    fn check(&self, speaker: &Speaker) -> Answer<()> {
        if let Some(instance_id) = &speaker.instance_id
            && let Some(named) = self.instances.get(instance_id)
            && *named != speaker.member_id
        {
            return Err(ResponseError::FencedInstanceId);
        }
        if !self.members.contains_key(&speaker.member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if speaker.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }

    fn member(&mut self, member_id: &str) -> Answer<&mut Member> {
        self.members.get_mut(member_id).ok_or(ResponseError::UnknownMemberId)
    }

    fn remove(&mut self, member_id: &str) -> bool {
        let Some(mut member) = self.members.remove(member_id) else { return false };
        member.answer_join(Err(ResponseError::UnknownMemberId));
        member.answer_sync(Err(ResponseError::UnknownMemberId));
        if let Some(instance_id) = &member.instance_id {
            self.instances.remove(instance_id);
        }
        if self.leader == member_id {
            self.leader.clear();
        }
        true
    }

    /// Members, for those who look from outside.
    pub(crate) fn members(&self) -> Vec<MemberView> {
        let view = |(id, member): (&String, &Member)| MemberView {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            client: member.client.clone(),
            metadata: member.metadata(&self.protocol),
            assignment: member.assignment.clone(),
        };
        self.members.iter().map(view).collect()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn protocol_type(&self) -> &str {
        &self.protocol_type
    }

    pub(crate) fn protocol(&self) -> &str {
        &self.protocol
    }
}

impl Phase {
    /// The name that Kafka's tools know.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Joining { .. } => "PreparingRebalance",
            Self::Syncing { .. } => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

#[cfg(test)]
mod tests;
