//! Finds offsets by time.

use std::io;

use super::Log;
use super::batch::{BatchHeader, HEADER_BYTES};
use super::scan::scan;
use super::segment::Stretch;
use super::varint;

/// An offset and the time of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
}

/// Where to look for a time; read without holding the partition's lock.
#[derive(Debug)]
pub(crate) struct TimeSearch {
    stretches: Vec<Stretch>,
    timestamp: i64,
    from: i64,
}

impl Log {
    /// Prepares a search for the first record at `timestamp` or later.
    pub(crate) fn search_since(&self, timestamp: i64) -> TimeSearch {
        let late_enough = self.segments.iter().filter(|segment| segment.max_timestamp() >= timestamp);
        TimeSearch {
            stretches: late_enough.map(|segment| segment.stretch_since(timestamp)).collect(),
            timestamp,
            from: self.start_offset,
        }
    }

    /// Prepares a search for the record with the largest timestamp.
    pub(crate) fn search_latest(&self) -> Option<TimeSearch> {
        let latest = self.segments.iter().map(|segment| segment.max_timestamp()).max()?;
        Some(self.search_since(latest))
    }
}

impl TimeSearch {
    /// The first such record below `until`. In a compressed batch, which stays closed, it is
    /// the batch's first record: a reader may see a few earlier records, never miss one.
    pub(crate) fn run(&self, until: i64) -> io::Result<Option<Found>> {
        for stretch in &self.stretches {
            let (mut found, mut next) = (None, (stretch.begin, stretch.first_offset));
            let problem = scan(stretch, |header, batch| {
                if header.base_offset >= until {
                    return false;
                }
                next = (next.0 + header.total_bytes as u64, header.next_offset());
                if header.max_timestamp >= self.timestamp
                    && header.next_offset() > self.from
                    && !header.is_control()
                {
                    found = Some(within(header, batch, self.timestamp));
                }
                found.is_none()
            })?;
            if let Some(problem) = problem {
                return Err(stretch.damaged(next.0, next.1, problem));
            }
            if let Some(found) = found {
                return Ok(Some(Found { offset: found.offset.max(self.from), ..found }));
            }
        }
        Ok(None)
    }
}

fn within(header: &BatchHeader, batch: &[u8], timestamp: i64) -> Found {
    let whole = Found { offset: header.base_offset, timestamp: header.base_timestamp.max(timestamp) };
    if header.codec() != 0 {
        return whole;
    }
    let mut records = batch.get(HEADER_BYTES..).unwrap_or_default();
    while let Some(Some(record)) = varint::take_bytes(&mut records) {
        let Some(found) = placed(header, record) else { break };
        if found.timestamp >= timestamp {
            return found;
        }
    }
    whole
}

fn placed(header: &BatchHeader, record: &[u8]) -> Option<Found> {
    let mut fields = record.get(1..)?; // after the attributes
    let timestamp = header.base_timestamp.checked_add(varint::take(&mut fields)?)?;
    let offset = header.base_offset.checked_add(varint::take(&mut fields)?)?;
    Some(Found { offset, timestamp })
}
