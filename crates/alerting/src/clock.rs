//! The clock: read from outside once, then carried on by the monotonic timer.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Wall clock and steady clock side by side.
///
/// Retries, pauses and expiry run on [`steady`](Clock::steady), so that a clock that is set back an
/// hour neither holds a page for that hour nor sends it twice. Only what others read, such as a
/// signature's time stamp, is taken from [`wall`](Clock::wall).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    now: fn() -> DateTime<Utc>,
    started: Instant,
    started_at: DateTime<Utc>,
}

impl Clock {
    /// Starts from what `now` says.
    pub fn new(now: fn() -> DateTime<Utc>) -> Self {
        Self { now, started: Instant::now(), started_at: now() }
    }

    /// What the wall clock says.
    pub fn wall(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// The wall clock as it was at the start plus the time that has really passed since.
    pub fn steady(&self) -> DateTime<Utc> {
        later(self.started_at, self.started.elapsed())
    }
}

/// `at` plus a duration; the far future where that would overflow.
pub(crate) fn later(at: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    chrono::TimeDelta::from_std(by)
        .ok()
        .and_then(|by| at.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A moment as the database keeps it.
pub(crate) fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

/// A moment from the database; out-of-range numbers become the epoch.
pub(crate) fn from_millis(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
