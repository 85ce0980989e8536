//! Event time: when a thing happened, in milliseconds since the Unix epoch, UTC.

use std::fmt;
use std::ops::{Add, Sub};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment in event time: milliseconds since 1970-01-01T00:00:00Z.
///
/// A newtype, so that event time and broker time in one call cannot be swapped for a count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(pub i64);

impl EventTime {
    /// Before every event: what a watermark is before anything was read.
    pub const MIN: EventTime = EventTime(i64::MIN);

    /// From whole milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Microseconds since the epoch, the unit of our Arrow columns.
    pub const fn micros(self) -> i64 {
        self.0.saturating_mul(1_000)
    }

    /// The start of the `width_ms` wide bucket that holds this moment; buckets are aligned to the epoch.
    pub const fn floor(self, width_ms: i64) -> Self {
        Self(self.0.div_euclid(width_ms) * width_ms)
    }

    /// RFC 3339 in UTC with milliseconds; out-of-range values print as their number.
    pub fn to_rfc3339(self) -> String {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
            None => self.0.to_string(),
        }
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// Later by so many milliseconds; saturates.
impl Add<i64> for EventTime {
    type Output = EventTime;
    fn add(self, millis: i64) -> EventTime {
        EventTime(self.0.saturating_add(millis))
    }
}

/// Earlier by so many milliseconds; saturates.
impl Sub<i64> for EventTime {
    type Output = EventTime;
    fn sub(self, millis: i64) -> EventTime {
        EventTime(self.0.saturating_sub(millis))
    }
}

/// The distance between two moments in milliseconds; saturates.
impl Sub<EventTime> for EventTime {
    type Output = i64;
    fn sub(self, other: EventTime) -> i64 {
        self.0.saturating_sub(other.0)
    }
}
