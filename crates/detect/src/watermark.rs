//! How far event time has come, told by the progress that travels with the observations.
//!
//! The watermark is the smallest event time that the sources have reached, less the allowed
//! lateness. A source that stands still while others go on must not hold them back for ever, so
//! after a while it is idle and left out. That while is measured in the broker time of the
//! observations' own records, never by a clock: a re-read gives the same watermarks.
//!
//! Why not compare with the broker time of the raw logs? After an outage everything that is
//! caught up lies minutes in the past, and one partition is read ahead of the others; the ones
//! still to be read would look idle, and all they hold would be late. So only standing still
//! counts, and a hole in the records (nobody was running) counts for at most half the idle time.

use std::collections::BTreeMap;

use event::{EventTime, SourceProgress};
use serde::{Deserialize, Serialize};

use crate::config::WatermarkConfig;

/// Event time may run this far ahead of the broker's, as it may in normalization.
const AHEAD_MS_MAX: i64 = 300_000;

/// The sources that were heard of, and how far event time has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watermarks {
    sources: BTreeMap<String, Source>,
    record_time: Option<EventTime>,
    current: Option<EventTime>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    event_time_max: EventTime,
    broker_time: EventTime,
    still_ms: i64,
}

impl Watermarks {
    /// Takes in the progress of one observations record, appended at `record_time`; true if the
    /// watermark moved.
    pub(crate) fn advance(
        &mut self,
        progress: &[SourceProgress],
        record_time: EventTime,
        config: &WatermarkConfig,
    ) -> bool {
        let moving = progress.iter().any(|p| self.moves(p));
        let last_time = self.record_time.unwrap_or(record_time);
        let mut elapsed_ms = (record_time - last_time).max(0);
        if moving {
            elapsed_ms = elapsed_ms.min(config.idle_after_ms / 2);
        }
        self.record_time = Some(last_time.max(record_time));
        for source in self.sources.values_mut() {
            source.still_ms = source.still_ms.saturating_add(elapsed_ms);
        }
        for p in progress {
            self.note(p);
        }
        let candidate = self.candidate(config);
        if candidate > self.current {
            self.current = candidate;
            return true;
        }
        false
    }

    /// How far event time has come; nothing before it is expected any more.
    pub(crate) fn current(&self) -> Option<EventTime> {
        self.current
    }

    /// The newest event time heard of.
    pub(crate) fn event_time_max(&self) -> Option<EventTime> {
        self.sources.values().map(|source| source.event_time_max).max()
    }

    fn moves(&self, p: &SourceProgress) -> bool {
        self.sources
            .get(&p.source)
            .is_none_or(|known| p.broker_time > known.broker_time || p.event_time_max > known.event_time_max)
    }

    fn note(&mut self, p: &SourceProgress) {
        // A source that has read nothing yet names no time.
        if !self.moves(p) || p.event_time_max < EventTime(0) {
            return;
        }
        let event_time_max = p.event_time_max.min(p.broker_time + AHEAD_MS_MAX);
        let fresh = Source { event_time_max, broker_time: p.broker_time, still_ms: 0 };
        let source = self.sources.entry(p.source.clone()).or_insert(fresh);
        source.event_time_max = source.event_time_max.max(event_time_max);
        source.broker_time = source.broker_time.max(p.broker_time);
        source.still_ms = 0;
    }

    fn candidate(&self, config: &WatermarkConfig) -> Option<EventTime> {
        let awake = self.sources.values().filter(|source| source.still_ms < config.idle_after_ms);
        let reached = match awake.map(|source| source.event_time_max).min() {
            Some(slowest) => slowest,
            // All are idle: windows still close, as broker time goes on.
            None => self.event_time_max()? + self.sources.values().map(|source| source.still_ms).min()?,
        };
        Some(reached - config.allowed_lateness_ms)
    }
}

#[cfg(test)]
mod tests;
