//! Puts a snapshot together from the parts of the broker.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::{BrokerMetrics, GroupLag, LISTED_MAX, PartitionMetrics};
use crate::journal::record::{Committed, PartitionName};
use crate::journal::state::State;
use crate::node::Node;

/// Where a partition begins and ends, by topic and then by number.
type Ends = HashMap<String, Vec<Option<(i64, i64)>>>;

impl Node {
    /// Counters and sizes now.
    pub(crate) fn metrics(&self) -> BrokerMetrics {
        let mut metrics = self.counters.snapshot();
        let ends = self.gather_logs(&mut metrics);
        let mut groups = self.groups.ids();
        // The partitions were asked before: no lock is taken while the journal's is held.
        metrics.group_lags = self.journal.read(|state| {
            groups.extend(state.groups.keys().cloned());
            lags(state, &ends)
        });
        metrics.groups = groups.len() as u64;
        metrics.open_transactions = self.transactions.open_count() as u64;
        metrics
    }

    /// Fills in what there is to say of logs, and tells where each begins and ends.
    fn gather_logs(&self, metrics: &mut BrokerMetrics) -> Ends {
        let mut ends = Ends::new();
        let mut listed = Vec::new();
        for topic in self.topics.all() {
            metrics.topics += 1;
            let mut ends_of_topic = Vec::with_capacity(topic.partitions().len());
            for partition in topic.partitions() {
                let log_bytes = partition.bytes();
                metrics.partitions += 1;
                metrics.segments += partition.segment_count() as u64;
                metrics.log_bytes += log_bytes;
                let offsets = partition.offsets().ok();
                ends_of_topic.push(offsets.map(|offsets| (offsets.log_start, offsets.high_watermark)));
                listed.extend(offsets.map(|offsets| PartitionMetrics {
                    topic: partition.topic().to_string(),
                    partition: partition.index(),
                    log_bytes,
                    log_start: offsets.log_start,
                    high_watermark: offsets.high_watermark,
                }));
            }
            ends.insert(topic.record().name.clone(), ends_of_topic);
        }
        metrics.largest_partitions = first(listed, |partition| Reverse(partition.log_bytes));
        ends
    }
}

/// How far each group is behind in each topic, the furthest first.
fn lags(state: &State, ends: &Ends) -> Vec<GroupLag> {
    let lags = state.groups.iter().flat_map(|(group, offsets)| {
        let by_topic = lag_by_topic(offsets, ends).into_iter();
        by_topic.map(|(topic, lag)| GroupLag { group: group.clone(), topic: topic.to_owned(), lag })
    });
    first(lags.collect(), |lag| Reverse(lag.lag))
}

fn lag_by_topic<'a>(offsets: &'a BTreeMap<PartitionName, Committed>, ends: &Ends) -> BTreeMap<&'a str, u64> {
    let mut by_topic = BTreeMap::new();
    for (of, committed) in offsets {
        let known = ends.get(&of.topic).zip(usize::try_from(of.partition).ok());
        let Some((log_start, end)) = known.and_then(|(ends, index)| *ends.get(index)?) else { continue };
        // What retention has deleted, no one can read any more.
        let lag = end.saturating_sub(committed.offset.max(log_start));
        *by_topic.entry(of.topic.as_str()).or_default() += u64::try_from(lag).unwrap_or(0);
    }
    by_topic
}

/// The first so many as are listed; in their order where the key is the same.
fn first<T, K: Ord>(mut all: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    all.sort_by_key(key);
    all.truncate(LISTED_MAX);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::record::{OffsetRecord, Record};

    fn commit(state: &mut State, group: &str, topic: &str, partition: i32, offset: i64) {
        let of = PartitionName { topic: topic.into(), partition };
        let committed = Committed { offset, leader_epoch: -1, metadata: None };
        let offsets = vec![OffsetRecord { of, committed }];
        state.apply(&Record::Offsets { group: group.into(), offsets });
    }

    fn ends(topic: &str, partitions: &[(i64, i64)]) -> Ends {
        Ends::from([(topic.to_owned(), partitions.iter().copied().map(Some).collect())])
    }

    #[test]
    fn a_groups_lag_in_a_topic_is_that_of_all_partitions_in_which_it_has_committed() {
        let mut state = State::default();
        commit(&mut state, "g", "t", 0, 40);
        commit(&mut state, "g", "t", 1, 0);
        commit(&mut state, "g", "t", 7, 0);
        commit(&mut state, "g", "gone", 0, 5);
        let lags = lags(&state, &ends("t", &[(0, 100), (20, 50), (0, 1000)]));
        assert_eq!(lags, [GroupLag { group: "g".into(), topic: "t".into(), lag: 60 + 30 }]);
    }

    #[test]
    fn the_furthest_behind_are_listed_and_no_more_than_so_many() {
        let mut state = State::default();
        for group in 0..LISTED_MAX as i64 + 10 {
            commit(&mut state, &format!("group-{group}"), "t", 0, group);
        }
        let lags = lags(&state, &ends("t", &[(0, 10_000)]));
        assert_eq!(lags.len(), LISTED_MAX);
        assert_eq!((lags[0].group.as_str(), lags[0].lag), ("group-0", 10_000));
        assert!(lags.is_sorted_by_key(|lag| Reverse(lag.lag)));
    }
}
