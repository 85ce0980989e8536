//! When to ask whether quiet partitions are still at their end.

use std::collections::HashMap;
use std::time::Duration;

use crate::TopicPartition;

/// Partitions are asked for first after so long without a record.
const FIRST_PAUSE_S: u64 = 1;
/// The longest pause between two questions, in seconds. Detectors count on an answer for 90 s.
const LONGEST_PAUSE_S: u64 = 32;

/// The partitions that a source owns, and how long each has been quiet.
///
/// That a partition is silent can be told from that it is not read only by asking for its end. The
/// pause between two questions grows with the silence. Pauses are powers of two on one grid, so that
/// what is due together is asked for, and passed on, together.
#[derive(Debug, Default)]
pub struct Ends(HashMap<TopicPartition, Quiet>);

#[derive(Debug)]
struct Quiet {
    since: Duration,
    asked: Duration,
}

impl Ends {
    /// These are ours from now on.
    pub fn assigned(&mut self, partitions: &[TopicPartition], now: Duration) {
        let quiet = |partition: &TopicPartition| (partition.clone(), Quiet { since: now, asked: now });
        self.0.extend(partitions.iter().map(quiet));
    }

    /// These are no longer ours.
    pub fn revoked(&mut self, partitions: &[TopicPartition]) {
        self.0.retain(|partition, _| !partitions.contains(partition));
    }

    /// Records of it have come.
    pub fn read(&mut self, partition: &TopicPartition, now: Duration) {
        if let Some(quiet) = self.0.get_mut(partition) {
            quiet.since = now;
        }
    }

    /// Those whose end is to be asked for now, in order; the next time they are due later.
    pub fn due(&mut self, now: Duration) -> Vec<TopicPartition> {
        let mut due = Vec::new();
        for (partition, quiet) in &mut self.0 {
            let pause = pause_s(now.saturating_sub(quiet.since));
            if pause > 0 && now.as_secs() / pause > quiet.asked.as_secs() / pause {
                quiet.asked = now;
                due.push(partition.clone());
            }
        }
        due.sort();
        due
    }
}

/// Seconds between two questions after such a silence; 0: none is asked yet.
fn pause_s(silence: Duration) -> u64 {
    if silence.as_secs() < FIRST_PAUSE_S {
        return 0;
    }
    let longest = (silence.as_secs() / 20).clamp(FIRST_PAUSE_S, LONGEST_PAUSE_S);
    1 << longest.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> TopicPartition {
        TopicPartition { topic: "logs.prt_acme.auth".into(), partition: number }
    }

    /// In which of so many seconds the partitions are asked for.
    fn asked(ends: &mut Ends, seconds: std::ops::Range<u64>) -> Vec<(u64, usize)> {
        let at = |second: u64| (second, ends.due(Duration::from_secs(second)).len());
        seconds.map(at).filter(|(_, asked)| *asked > 0).collect()
    }

    #[test]
    fn a_partition_is_asked_for_ever_more_seldom_and_never_less_than_every_32_seconds() {
        let mut ends = Ends::default();
        ends.assigned(&[partition(0)], Duration::ZERO);
        assert_eq!(asked(&mut ends, 0..4), [(1, 1), (2, 1), (3, 1)]);
        assert_eq!(asked(&mut ends, 60..70).len(), 5, "every two seconds after a minute or so");
        let day = asked(&mut ends, 70..86_400);
        let longest = day.windows(2).map(|pair| pair[1].0 - pair[0].0).max();
        assert_eq!(longest, Some(LONGEST_PAUSE_S));
    }

    #[test]
    fn what_is_quiet_for_different_times_is_asked_for_together() {
        let mut ends = Ends::default();
        ends.assigned(&[partition(0), partition(1)], Duration::ZERO);
        ends.read(&partition(1), Duration::from_secs(301));
        let together = asked(&mut ends, 1_000..1_100);
        assert!(together.iter().filter(|(_, asked)| *asked == 2).count() >= 3, "{together:?}");
    }

    #[test]
    fn a_partition_that_is_read_or_lost_is_not_asked_for() {
        let mut ends = Ends::default();
        ends.assigned(&[partition(0), partition(1)], Duration::ZERO);
        ends.revoked(&[partition(1)]);
        ends.read(&partition(0), Duration::from_secs(10));
        assert_eq!(asked(&mut ends, 10..11), []);
        assert_eq!(asked(&mut ends, 11..12), [(11, 1)]);
    }
}
