//! How far behind a consumer is, from librdkafka's own statistics.

use std::collections::HashMap;
use std::sync::Mutex;

use pipeline::TopicPartition;
use rdkafka::Statistics;

/// What the newest statistics said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    /// Records not read yet, over all partitions.
    pub(crate) records: i64,
    /// Whether every partition that is fetched is at its end.
    pub(crate) at_end: bool,
    /// Whether a broker is connected.
    pub(crate) connected: bool,
    /// Counts the statistics that have come.
    pub(crate) generation: u64,
}

/// Filled by the statistics callback, read by the source.
#[derive(Debug, Default)]
pub(crate) struct LagBoard(Mutex<Board>);

#[derive(Debug, Default)]
struct Board {
    lag: Lag,
    fetched: HashMap<TopicPartition, Fetched>,
}

/// How far a partition was fetched, and in how many statistics in a row it was that.
#[derive(Clone, Copy, Debug)]
struct Fetched {
    next_offset: i64,
    times: u64,
    /// Records that are not handed over yet.
    unread: i64,
}

/// So many records that are not read yet are more than what comes and goes from second to second.
const BACKLOG: i64 = 1_000;
/// A backlog that nothing was fetched of for so many seconds cannot be waited for.
const STUCK_S: u64 = 30;

impl LagBoard {
    pub(crate) fn read(&self) -> Lag {
        self.board().lag
    }

    /// Up to where a partition has been handed over for certain, transaction markers included: as
    /// the statistics have said twice in a row, the first time after `generation`.
    pub(crate) fn settled_since(&self, generation: u64, partition: &TopicPartition) -> Option<i64> {
        let board = self.board();
        let fetched = board.fetched.get(partition)?;
        let is_newer = board.lag.generation + 1 - fetched.times > generation;
        (fetched.times > 1 && fetched.unread == 0 && is_newer).then_some(fetched.next_offset)
    }

    /// The partitions that have a backlog which is being read.
    pub(crate) fn backlogged(&self) -> Vec<TopicPartition> {
        let board = self.board();
        let has_backlog = |fetched: &Fetched| fetched.unread >= BACKLOG && fetched.times < STUCK_S;
        let backlogged = board.fetched.iter().filter(|(_, fetched)| has_backlog(fetched));
        backlogged.map(|(partition, _)| partition.clone()).collect()
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.0.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn write(&self, statistics: &Statistics) {
        let (mut records, mut fetched, mut at_end) = (0, 0, true);
        let mut board = self.board();
        let before = std::mem::take(&mut board.fetched);
        let partitions = statistics.topics.iter().flat_map(|(name, topic)| {
            topic.partitions.values().map(move |partition| (name.as_str(), partition))
        });
        // Partition -1 is librdkafka's own, for messages without a home.
        for (topic, partition) in
            partitions.filter(|(_, partition)| partition.partition >= 0 && partition.fetch_state == "active")
        {
            fetched += 1;
            // Transaction markers take offsets too: being past the last stable one is the end.
            let end = partition.ls_offset.max(0);
            let is_at_end = partition.next_offset >= end && partition.fetchq_cnt == 0;
            let unread = if is_at_end { 0 } else { (end - partition.app_offset.max(0)).max(1) };
            at_end &= is_at_end;
            records += unread;
            let of = TopicPartition { topic: topic.into(), partition: partition.partition };
            let next_offset = partition.next_offset;
            let same = before.get(&of).filter(|before| before.next_offset == next_offset);
            let times = same.map_or(0, |before| before.times) + 1;
            board.fetched.insert(of, Fetched { next_offset, times, unread });
        }
        // Brokers without an id are bootstrap addresses and librdkafka's own.
        let connected = statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        let generation = board.lag.generation + 1;
        board.lag = Lag { records, at_end: at_end && fetched > 0, connected, generation };
    }
}
