//! What a client was promised, and whether it was kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::super::Broker;
use super::super::test_client::{Client, Place};

const PATIENCE: Duration = Duration::from_secs(10);
/// Commits plain offsets.
pub(super) const GROUP: &str = "g";
/// Commits offsets in transactions.
pub(super) const TRANSACTION_GROUP: &str = "tx-g";
pub(super) const TRANSACTIONAL_ID: &str = "tx";

/// Everything that was acknowledged, and what was asked for without an answer.
#[derive(Debug, Default)]
pub(super) struct Promises {
    pub(super) partitions: BTreeMap<Place, PartitionPromises>,
    pub(super) committed: BTreeMap<Place, Committed>,
    pub(super) transactions: Vec<Transaction>,
    /// Batches of the idempotent producer without an answer; it will send them again.
    pub(super) resend: Vec<Sent>,
    /// How many values, topics and offsets there were: each has its own.
    pub(super) count: usize,
}

#[derive(Debug, Default)]
pub(super) struct PartitionPromises {
    /// What is at these offsets.
    pub(super) acked: BTreeMap<i64, String>,
    pub(super) sent: BTreeSet<String>,
    /// Everything below was deleted, and that was acknowledged.
    pub(super) deleted_to: i64,
    /// How far the log's start had come before a cut, acknowledged or not.
    start: i64,
}

/// Offsets that a group committed.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) acked: i64,
    pub(super) asked: BTreeSet<i64>,
}

/// A batch that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) place: Place,
    pub(super) batch: bytes::Bytes,
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    Asked { commit: bool },
    Ended { commit: bool },
}

#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) fate: Fate,
    pub(super) values: Vec<(Place, String)>,
    pub(super) offset: Option<(Place, i64)>,
}

impl Promises {
    pub(super) fn next(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    pub(super) fn at(&mut self, place: &Place) -> &mut PartitionPromises {
        self.partitions.get_mut(place).unwrap()
    }

    pub(super) fn acknowledge(&mut self, sent: &Sent, base_offset: i64) {
        let promised = self.at(&sent.place);
        for (offset, value) in (base_offset..).zip(&sent.values) {
            let before = promised.acked.insert(offset, value.clone());
            assert!(before.is_none_or(|before| before == *value), "offset {offset} was given away twice");
        }
    }

    /// Records below a log's start may be gone or not: to delete them was asked for.
    pub(super) fn note_starts(&mut self, broker: &Broker) {
        for (place, promised) in &mut self.partitions {
            let partition = broker.node.topics.partition(&place.0, place.1).unwrap();
            promised.start = promised.start.max(partition.offsets().unwrap().log_start);
        }
    }

    /// Asks a broker that was started after a cut for everything. What had no answer before has
    /// one after this: either it is there or it is not.
    pub(super) fn check(&mut self, client: &mut Client) {
        client.take_over(TRANSACTIONAL_ID); // aborts what is still open
        let mut there = HashMap::new();
        let mut visible = BTreeSet::new();
        for (place, promised) in &mut self.partitions {
            client.wait_until_stable(place);
            let all = client.read_all(place, false);
            promised.check(place, client.offsets(place).0, &all);
            let unstable = self.transactions.iter().flat_map(|transaction| &transaction.values);
            let unstable: BTreeSet<_> = unstable.map(|(_, value)| value).collect();
            let committed = client.read_all(place, true);
            for (offset, value) in &all {
                let is_visible = committed.contains(&(*offset, value.clone()));
                assert!(
                    is_visible || unstable.contains(value),
                    "{value} at {place:?} {offset} cannot be read"
                );
            }
            visible.extend(committed.into_iter().map(|(_, value)| value));
            // What was deleted may be there again, without the end of its transaction.
            let kept = all.into_iter().filter(|(offset, _)| *offset >= promised.start);
            there.extend(kept.map(|(offset, value)| (value, offset)));
        }
        self.check_transactions(&there, &visible, client);
        for (place, committed) in &mut self.committed {
            committed.check(place, client.committed(GROUP, place));
        }
    }

    fn check_transactions(
        &mut self,
        there: &HashMap<String, i64>,
        visible: &BTreeSet<String>,
        client: &mut Client,
    ) {
        let mut offsets: BTreeMap<Place, i64> = BTreeMap::new();
        for transaction in &mut self.transactions {
            let there: Vec<_> =
                transaction.values.iter().filter(|(_, value)| there.contains_key(value)).collect();
            let seen = there.iter().filter(|(_, value)| visible.contains(value)).count();
            assert!(seen == 0 || seen == there.len(), "half a transaction is visible: {transaction:?}");
            let offset_is_committed = transaction
                .offset
                .as_ref()
                .map(|(place, offset)| client.committed(TRANSACTION_GROUP, place) >= *offset);
            let committed = match transaction.fate {
                Fate::Ended { commit } => commit,
                Fate::Open | Fate::Asked { commit: false } => false,
                Fate::Asked { commit: true } if there.is_empty() => offset_is_committed.unwrap_or(false),
                Fate::Asked { commit: true } => seen > 0,
            };
            assert!(there.is_empty() || committed == (seen > 0), "{transaction:?} was to be {committed}");
            if let (true, Some((place, offset))) = (committed, &transaction.offset) {
                offsets.insert(place.clone(), *offset);
            }
            transaction.fate = Fate::Ended { commit: committed };
        }
        for (place, offset) in offsets {
            assert_eq!(client.committed(TRANSACTION_GROUP, &place), offset, "{place:?}");
        }
    }
}

impl PartitionPromises {
    fn check(&mut self, place: &Place, start: i64, all: &[(i64, String)]) {
        assert!(start >= self.deleted_to, "{place:?}: deleted records are back");
        assert!(start <= self.start, "{place:?}: more was deleted than anyone asked for");
        let mut once = BTreeSet::new();
        for (offset, value) in all {
            assert!(self.sent.contains(value), "{place:?}: no one sent {value:?}, which is at {offset}");
            assert!(once.insert(value), "{place:?}: {value:?} is doubled");
        }
        let there: BTreeMap<_, _> = all.iter().cloned().collect();
        for (offset, value) in self.acked.range(self.start..) {
            assert_eq!(there.get(offset), Some(value), "{place:?}: lost what was acknowledged at {offset}");
        }
        // It was recovered, so it is durable now like everything else.
        self.acked = there;
    }
}

impl Default for Committed {
    fn default() -> Self {
        Self { acked: -1, asked: BTreeSet::new() }
    }
}

impl Committed {
    fn check(&mut self, place: &Place, known: i64) {
        let asked = self.asked.contains(&known);
        assert!(known == self.acked || asked, "{place:?}: group is at {known}, was promised {}", self.acked);
        self.acked = known;
        self.asked.clear();
    }
}

impl Client {
    /// Markers of transactions that were decided before the cut come at the start, but not at once.
    fn wait_until_stable(&mut self, place: &Place) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, stable, end) = self.offsets(place);
            if stable == end {
                return;
            }
            assert!(Instant::now() < deadline, "{place:?}: stable up to {stable} of {end} only");
            std::thread::yield_now();
        }
    }
}
