//! How far behind a consumer is, from librdkafka's own statistics.

use std::sync::Mutex;

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
pub(crate) struct LagBoard(Mutex<Lag>);

impl LagBoard {
    pub(crate) fn read(&self) -> Lag {
        *self.0.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn write(&self, statistics: &Statistics) {
        let (mut records, mut fetched, mut at_end) = (0, 0, true);
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        // Partition -1 is librdkafka's own, for messages without a home.
        for partition in
            partitions.filter(|partition| partition.partition >= 0 && partition.fetch_state == "active")
        {
            fetched += 1;
            // Transaction markers take offsets too: being past the last stable one is the end.
            let end = partition.ls_offset.max(0);
            if partition.next_offset >= end && partition.fetchq_cnt == 0 {
                continue;
            }
            at_end = false;
            records += (end - partition.app_offset.max(0)).max(1);
        }
        // Brokers without an id are bootstrap addresses and librdkafka's own.
        let connected = statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        let mut lag = self.0.lock().expect("no holder of this lock panics");
        *lag = Lag { records, at_end: at_end && fetched > 0, connected, generation: lag.generation + 1 };
    }
}
