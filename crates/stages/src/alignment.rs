//! Holding back what runs ahead while a backlog is read.
//!
//! Detectors wait for a tenant's slowest source before they close a window. On a backlog the
//! partition that happens to be read first would carry hours of events past the others, and every
//! one of them would have to be remembered. So a partition that is further ahead in event time than
//! is allowed waits until its neighbours have caught up. Between instances nothing is aligned.

use std::collections::HashMap;

use event::{EventTime, LogTopic, SourceProgress};
use pipeline::TopicPartition;

/// How far the partitions of an instance have come in event time.
pub(crate) struct Alignment {
    reached: HashMap<TopicPartition, EventTime>,
    drift_max_ms: i64,
}

impl Alignment {
    pub(crate) fn new(drift_max_ms: i64) -> Self {
        Self { reached: HashMap::new(), drift_max_ms }
    }

    pub(crate) fn read(&mut self, progress: &[SourceProgress]) {
        for p in progress.iter().filter(|p| p.event_time_max > EventTime::MIN) {
            let Some((topic, partition)) = p.source.rsplit_once('/') else { continue };
            let Ok(partition) = partition.parse() else { continue };
            let reached = self.reached.entry(TopicPartition { topic: topic.into(), partition });
            // A clock that is wrong must not make its partition wait for ever.
            let event_time = p.event_time_max.min(p.broker_time);
            reached.and_modify(|reached| *reached = event_time.max(*reached)).or_insert(event_time);
        }
    }

    pub(crate) fn revoked(&mut self, partitions: &[TopicPartition]) {
        self.reached.retain(|partition, _| !partitions.contains(partition));
    }

    /// What is too far ahead of a tenant's slowest partition among those that have a backlog.
    pub(crate) fn ahead(&self, backlogged: &[TopicPartition]) -> Vec<TopicPartition> {
        let mut slowest: HashMap<&str, EventTime> = HashMap::new();
        for partition in backlogged {
            let Some(&reached) = self.reached.get(partition) else { continue };
            let slowest = slowest.entry(tenant(&partition.topic)).or_insert(reached);
            *slowest = reached.min(*slowest);
        }
        let is_ahead = |partition: &TopicPartition, reached: EventTime| {
            slowest
                .get(tenant(&partition.topic))
                .is_some_and(|slowest| reached - *slowest > self.drift_max_ms)
        };
        let ahead = self.reached.iter().filter(|(partition, reached)| is_ahead(partition, **reached));
        ahead.map(|(partition, _)| partition.clone()).collect()
    }
}

/// `prt_acme` of `logs.prt_acme.auth`.
fn tenant(topic: &str) -> &str {
    let rest = topic.strip_prefix(LogTopic::PREFIX).unwrap_or(topic);
    rest.split_once('.').map_or(rest, |(tenant, _)| tenant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn partition(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }

    fn read(alignment: &mut Alignment, source: &str, minute: i64) {
        let at = EventTime(minute * MINUTE);
        alignment.read(&[SourceProgress::read(source.into(), at, at)]);
    }

    #[test]
    fn what_runs_ahead_of_a_backlog_waits_and_only_within_its_tenant() {
        let mut alignment = Alignment::new(10 * MINUTE);
        read(&mut alignment, "logs.acme.auth/0", 0);
        read(&mut alignment, "logs.acme.edge/0", 10);
        read(&mut alignment, "logs.acme.edge/1", 11);
        read(&mut alignment, "logs.other.edge/0", 60);
        let behind = [partition("logs.acme.auth", 0)];
        assert_eq!(alignment.ahead(&[]), [], "nothing is left to be read");
        assert_eq!(alignment.ahead(&behind), [partition("logs.acme.edge", 1)]);
        read(&mut alignment, "logs.acme.auth/0", 1);
        assert_eq!(alignment.ahead(&behind), []);
        read(&mut alignment, "logs.acme.edge/1", 300);
        alignment.revoked(&behind);
        assert_eq!(alignment.ahead(&behind), [], "another instance reads it");
    }

    #[test]
    fn the_slowest_never_waits_and_a_wrong_clock_is_not_believed() {
        let mut alignment = Alignment::new(10 * MINUTE);
        read(&mut alignment, "logs.acme.auth/0", 0);
        let ahead = SourceProgress::read("logs.acme.edge/0".into(), EventTime(i64::MAX), EventTime(MINUTE));
        alignment.read(&[ahead]);
        let both = [partition("logs.acme.auth", 0), partition("logs.acme.edge", 0)];
        assert_eq!(alignment.ahead(&both), []);
        read(&mut alignment, "logs.acme.edge/0", 60);
        assert_eq!(alignment.ahead(&both), [partition("logs.acme.edge", 0)]);
    }
}
