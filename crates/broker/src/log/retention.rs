//! Forgets old records: by age, by size, or because a client asked.

use std::io;

use super::Log;
use super::segment::Segment;
use crate::disk::sync_directory;

/// A segment takes no more records after so long, however few it has.
const SEGMENT_AGE_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1000;

/// How much a topic keeps; a negative number keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) age_ms: i64,
    pub(crate) bytes: i64,
}

impl Log {
    /// Deletes the oldest segments that are too old, or too many, and hold nothing from
    /// `stable_until` on; the log is durable up to `durable_until`. Returns how many.
    pub(crate) fn retain(
        &mut self,
        keep: Retention,
        now_ms: i64,
        stable_until: i64,
        durable_until: i64,
    ) -> io::Result<usize> {
        if self.end_offset <= durable_until {
            self.roll_if_old(keep, now_ms)?;
        }
        let expired_before = if keep.age_ms < 0 { i64::MIN } else { now_ms.saturating_sub(keep.age_ms) };
        let mut surplus = if keep.bytes < 0 { 0 } else { self.bytes().saturating_sub(keep.bytes as u64) };
        let mut doomed = 0;
        for segment in &self.segments {
            let expired = keep.age_ms >= 0 && segment.bytes() > 0 && newest_ms(segment)? < expired_before;
            let too_many = segment.bytes() > 0 && segment.bytes() <= surplus;
            if segment.next_offset() > stable_until || !(expired || too_many) {
                break;
            }
            surplus = surplus.saturating_sub(segment.bytes());
            doomed += 1;
        }
        if doomed == 0 {
            return Ok(0);
        }
        if doomed == self.segments.len() {
            self.roll()?; // an empty segment remembers where the log ends
        }
        self.delete_segments(doomed)?;
        Ok(doomed)
    }

    /// Moves the log's start up to `offset`; whole segments before it are deleted.
    pub(crate) fn delete_before(&mut self, offset: i64) -> io::Result<()> {
        if offset <= self.start_offset {
            return Ok(());
        }
        let mut doomed = self.segments.partition_point(|segment| segment.next_offset() <= offset);
        if doomed > 0 && doomed == self.segments.len() {
            if self.segments.last().is_some_and(|last| last.bytes() > 0) {
                self.roll()?;
            } else {
                doomed -= 1;
            }
        }
        self.delete_segments(doomed)?;
        self.start_offset = self.start_offset.max(offset);
        self.transactions.forget_before(self.start_offset);
        Ok(())
    }

    fn delete_segments(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        // A new segment, which remembers where the log ends, before those that it replaces go.
        sync_directory(&self.dir)?;
        let doomed: Vec<_> = self.segments.drain(..count).collect();
        if let Some(first) = self.segments.first() {
            self.start_offset = self.start_offset.max(first.base_offset());
        }
        self.transactions.forget_before(self.start_offset);
        for segment in doomed {
            segment.delete()?;
        }
        sync_directory(&self.dir)
    }

    /// A segment is deleted as a whole, so one that fills slowly would keep its records for ever.
    fn roll_if_old(&mut self, keep: Retention, now_ms: i64) -> io::Result<()> {
        let Some(active) = self.segments.last().filter(|active| active.bytes() > 0) else { return Ok(()) };
        let age_max = if keep.age_ms < 0 { SEGMENT_AGE_MS_MAX } else { keep.age_ms.min(SEGMENT_AGE_MS_MAX) };
        if now_ms.saturating_sub(active.file().times()?.created_ms) > age_max {
            self.roll()?;
        }
        Ok(())
    }
}

/// When the newest record came, as its producer says: but not later than the broker's own clock saw
/// the segment grow, and then if no producer said.
fn newest_ms(segment: &Segment) -> io::Result<i64> {
    let appended_ms = segment.file().times()?.modified_ms;
    let said_ms = segment.max_timestamp();
    Ok(if said_ms < 0 { appended_ms } else { said_ms.min(appended_ms) })
}
