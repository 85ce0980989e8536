//! How far event time has come for each tenant, told by the progress that travels with the
//! observations.
//!
//! A tenant's watermark is the smallest event time that its sources have reached, less the allowed
//! lateness; no other tenant's sources have a say in it. A source that stands still while others
//! go on must not hold them back for ever, so after a while it is idle and left out. That while is
//! measured in the broker time of the observations' own records, never by a clock: a re-read gives
//! the same watermarks.
//!
//! Why not compare with the broker time of the raw logs? After an outage everything that is
//! caught up lies minutes in the past, and one partition is read ahead of the others; the ones
//! still to be read would look idle, and all they hold would be late. So only standing still
//! counts, and a hole in the records (nobody was running) counts for at most half the idle time.
//! When a tenant that was silent is heard of again, all of its sources are awake: what its shippers
//! had kept back comes by several partitions at once, of which one is read first.
//! A source that is announced, but of which no time was read yet, has reached nothing: until it is
//! idle its tenant's watermark stays where it is.

use std::collections::BTreeMap;

use event::{EventTime, LogTopic, SourceProgress, Tenant};
use serde::{Deserialize, Serialize};

use crate::config::WatermarkConfig;

/// The sources that were heard of, and how far event time has come for each tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermarks {
    tenants: BTreeMap<Box<str>, TenantMark>,
    record_time: Option<EventTime>,
}

/// One tenant's sources and its watermark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TenantMark {
    sources: BTreeMap<Box<str>, Source>,
    current: Option<EventTime>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    /// The largest event time read, capped at the broker's; `MIN` where none was read.
    reached: EventTime,
    broker_time: EventTime,
    still_ms: i64,
    /// It was announced since a time was last read: saying so again does not keep it awake.
    announced: bool,
}

impl Watermarks {
    /// Takes in the progress of one observations record, appended at `record_time`; returns the
    /// tenants whose watermark moved.
    pub(crate) fn advance(
        &mut self,
        progress: &[SourceProgress],
        record_time: EventTime,
        config: &WatermarkConfig,
    ) -> Vec<Tenant> {
        let moving = progress.iter().any(|p| {
            let mark = self.tenants.get(owner_of(&p.source));
            mark.is_none_or(|mark| mark.moves(p))
        });
        let last_time = self.record_time.unwrap_or(record_time);
        let mut elapsed_ms = (record_time - last_time).max(0);
        if moving {
            elapsed_ms = elapsed_ms.min(config.idle_after_ms / 2);
        }
        self.record_time = Some(last_time.max(record_time));
        let sources = self.tenants.values_mut().flat_map(|mark| mark.sources.values_mut());
        sources.for_each(|source| source.still_ms = source.still_ms.saturating_add(elapsed_ms));
        for p in progress {
            self.tenants.entry(owner_of(&p.source).into()).or_default().note(p, config);
        }
        let mut moved = Vec::new();
        for (owner, mark) in &mut self.tenants {
            let candidate = mark.candidate(config);
            if candidate > mark.current {
                mark.current = candidate;
                // What is no tenant's name has no state anywhere.
                moved.extend(Tenant::parse(owner));
            }
        }
        moved
    }

    /// How far event time has come for a tenant; nothing before it is expected any more.
    pub fn of(&self, tenant: &str) -> Option<EventTime> {
        self.tenants.get(tenant)?.current
    }

    /// How far event time has come for the slowest tenant that is not idle, or for the fastest
    /// if all are.
    pub(crate) fn slowest(&self, config: &WatermarkConfig) -> Option<EventTime> {
        let awake = self.tenants.values().filter(|mark| mark.is_awake(config));
        let slowest = awake.filter_map(|mark| mark.current).min();
        slowest.or_else(|| self.tenants.values().filter_map(|mark| mark.current).max())
    }

    /// The newest event time heard of.
    pub(crate) fn event_time_max(&self) -> Option<EventTime> {
        self.tenants.values().filter_map(TenantMark::reached_max).max()
    }
}

/// Whose a source is: its topic's tenant. A source that is no partner's is a tenant of its own.
fn owner_of(source: &str) -> &str {
    let topic = source.rsplit_once('/').map_or(source, |(topic, _)| topic);
    if LogTopic::parse(topic).is_err() {
        return source;
    }
    let partner = topic.strip_prefix(LogTopic::PREFIX).and_then(|rest| rest.split_once('.'));
    partner.map_or(source, |(partner, _)| partner)
}

impl TenantMark {
    fn moves(&self, p: &SourceProgress) -> bool {
        let Some(known) = self.sources.get(&*p.source) else { return true };
        if is_announcement(p) {
            return !known.announced;
        }
        p.broker_time > known.broker_time || p.event_time_max.min(p.broker_time) > known.reached
    }

    fn note(&mut self, p: &SourceProgress, config: &WatermarkConfig) {
        if !self.moves(p) {
            return;
        }
        if !self.is_awake(config) {
            self.sources.values_mut().for_each(|source| source.still_ms = 0);
        }
        let nothing =
            Source { reached: EventTime::MIN, broker_time: EventTime::MIN, still_ms: 0, announced: true };
        let source = self.sources.entry(p.source.as_str().into()).or_insert(nothing);
        source.announced = is_announcement(p);
        source.still_ms = 0;
        source.broker_time = source.broker_time.max(p.broker_time);
        if !source.announced {
            // A shipper whose clock is ahead must not make its neighbours late.
            source.reached = source.reached.max(p.event_time_max.min(p.broker_time));
        }
    }

    fn candidate(&self, config: &WatermarkConfig) -> Option<EventTime> {
        let awake = self.sources.values().filter(|source| source.still_ms < config.idle_after_ms);
        let reached = match awake.map(|source| source.reached).min() {
            Some(slowest) => Some(slowest).filter(|slowest| *slowest > EventTime::MIN)?,
            // All are idle: windows still close, as broker time goes on.
            None => self.reached_max()? + self.sources.values().map(|source| source.still_ms).min()?,
        };
        Some(reached - config.allowed_lateness_ms)
    }

    fn reached_max(&self) -> Option<EventTime> {
        self.sources.values().map(|source| source.reached).max().filter(|max| *max > EventTime::MIN)
    }

    fn is_awake(&self, config: &WatermarkConfig) -> bool {
        self.sources.values().any(|source| source.still_ms < config.idle_after_ms)
    }
}

/// Whether a source only says that it is there and holds something: no time was read.
fn is_announcement(p: &SourceProgress) -> bool {
    p.event_time_max < EventTime(0)
}

#[cfg(test)]
mod tests;
