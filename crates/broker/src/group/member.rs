//! A member of a consumer group.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot;

/// What a client says when it joins.
#[derive(Debug, Clone)]
pub(crate) struct Joining {
    /// Empty when the client has none yet.
    pub(crate) member_id: String,
    /// Set for static members, which keep their assignment through a restart.
    pub(crate) instance_id: Option<String>,
    pub(crate) client: Client,
    pub(crate) timeouts: Timeouts,
    pub(crate) protocol_type: String,
    /// In the order of the client's preference.
    pub(crate) protocols: Vec<Protocol>,
    /// The client expects to be told an id first, and to join again with it.
    pub(crate) asks_for_id: bool,
    /// The client understands that a returning leader need not assign.
    pub(crate) may_skip_assignment: bool,
}

/// Where a member comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) host: String,
}

/// How long to wait for a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// Without a heartbeat for so long, it is gone.
    pub(crate) session: Duration,
    /// So long it may take to join again.
    pub(crate) rebalance: Duration,
}

/// A way to assign partitions, and what the member says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: String,
    pub(crate) metadata: Bytes,
}

/// The answer to a join.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    pub(crate) skip_assignment: bool,
    /// Filled for the leader only.
    pub(crate) members: Vec<JoinedMember>,
}

/// A member as its group's leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) metadata: Bytes,
}

/// The answer to a sync.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) assignment: Bytes,
}

pub(crate) type Answer<T> = Result<T, ResponseError>;
pub(crate) type Promise<T> = oneshot::Receiver<Answer<T>>;
type Waiting<T> = Option<oneshot::Sender<Answer<T>>>;

/// A member, and what it waits for.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client: Client,
    pub(super) timeouts: Timeouts,
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// When its session ends.
    pub(super) deadline: Instant,
    joining: Waiting<Joined>,
    syncing: Waiting<Synced>,
}

impl Member {
    pub(super) fn new(joining: &Joining, now: Instant) -> Self {
        Self {
            instance_id: joining.instance_id.clone(),
            client: joining.client.clone(),
            timeouts: joining.timeouts,
            protocols: joining.protocols.clone(),
            assignment: Bytes::new(),
            deadline: now + joining.timeouts.session,
            joining: None,
            syncing: None,
        }
    }

    /// Takes over what the member says now.
    pub(super) fn update(&mut self, joining: &Joining, now: Instant) {
        self.client = joining.client.clone();
        self.timeouts = joining.timeouts;
        self.protocols = joining.protocols.clone();
        self.touch(now);
    }

    /// The member showed signs of life.
    pub(super) fn touch(&mut self, now: Instant) {
        self.deadline = now + self.timeouts.session;
    }

    pub(super) fn await_join(&mut self) -> Promise<Joined> {
        let (sender, receiver) = oneshot::channel();
        self.joining = Some(sender);
        receiver
    }

    pub(super) fn await_sync(&mut self) -> Promise<Synced> {
        let (sender, receiver) = oneshot::channel();
        self.syncing = Some(sender);
        receiver
    }

    /// It waits for the others to join, and is still connected.
    pub(super) fn is_joining(&self) -> bool {
        self.joining.as_ref().is_some_and(|sender| !sender.is_closed())
    }

    /// It waits for its assignment, and is still connected.
    pub(super) fn is_syncing(&self) -> bool {
        self.syncing.as_ref().is_some_and(|sender| !sender.is_closed())
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.deadline <= now && !self.is_joining() && !self.is_syncing()
    }

    pub(super) fn answer_join(&mut self, answer: Answer<Joined>) {
        answer_if_waiting(&mut self.joining, answer);
    }

    pub(super) fn answer_sync(&mut self, answer: Answer<Synced>) {
        answer_if_waiting(&mut self.syncing, answer);
    }

    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|offered| offered.name == protocol);
        found.map(|offered| offered.metadata.clone()).unwrap_or_default()
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|offered| offered.name == protocol)
    }
}

fn answer_if_waiting<T>(waiting: &mut Waiting<T>, answer: Answer<T>) {
    if let Some(sender) = waiting.take() {
        // Whoever waited may have gone; its session will end.
        drop(sender.send(answer));
    }
}

/// A promise that is kept already.
pub(super) fn kept<T>(answer: Answer<T>) -> Promise<T> {
    let (sender, receiver) = oneshot::channel();
    drop(sender.send(answer));
    receiver
}
