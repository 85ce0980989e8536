//! What a clean stop came to.

use std::fmt;
use std::time::Duration;

/// What [`super::Broker::shutdown`] did; its text is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were open when it began.
    pub connections: usize,
    /// Partitions, all of whose records are on the disk; unless the broker was told not to wait
    /// for it.
    pub partitions: u64,
    /// Bytes of their logs.
    pub log_bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, partitions, log_bytes, took } = self;
        let mib = *log_bytes as f64 / f64::from(1 << 20);
        let seconds = took.as_secs_f64();
        write!(
            f,
            "{connections} connections answered and closed, {partitions} partitions with {mib:.1} MiB whole, \
             in {seconds:.1} s"
        )
    }
}
