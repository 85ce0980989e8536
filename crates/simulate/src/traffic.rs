//! What the partners send: some minutes of generated traffic with attacks in it.

use event::{EventTime, LogTopic};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::traffic::{Attacks, Traffic, TrafficConfig};

/// A line, and when the broker gets it.
pub(crate) struct Arrival {
    pub(crate) topic: LogTopic,
    pub(crate) partition: i32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) broker_time: EventTime,
}

/// Two partitions of each feed.
pub(crate) const PARTITIONS: i32 = 2;

/// The same lines for the same seed, in the order in which they arrive.
pub(crate) fn arrivals(seed: u64, lines: usize) -> Vec<Arrival> {
    let mut dice = StdRng::seed_from_u64(seed ^ 0x7261_6666_6963);
    let config = TrafficConfig {
        seed,
        partners: dice.random_range(1..=3),
        // From a busy minute to a quiet hour: partitions that are read at different speeds then lie
        // seconds or many minutes apart.
        events_per_second: [0.3, 2.0, 16.0][dice.random_range(0..3)],
        attacks: Attacks::Some {
            every_ms: [2_000, 10_000, 60_000][dice.random_range(0..3)],
            warmup_ms: 1_000,
        },
        ..TrafficConfig::default()
    };
    Traffic::new(config)
        .take(lines)
        .map(|line| Arrival {
            partition: dice.random_range(0..PARTITIONS),
            broker_time: line.time + dice.random_range(0..200),
            topic: line.topic,
            bytes: line.bytes,
        })
        .collect()
}
