//! How far event time has come for each tenant, told by the progress that travels with the
//! observations.
//!
//! A tenant's watermark is the smallest event time that its sources have reached, less the allowed
//! lateness; no other tenant's sources have a say in it. A source that has nothing to say while
//! others go on must not hold them back for ever, so after a while it is idle and left out.
//!
//! That a source is silent is told from that it is not read: whoever reads it asks for its end now
//! and then, and vouches that all of it was read. A source is idle when somebody vouched for it a
//! while after it had last moved, not too long ago, and since its tenant was last wholly silent.
//! The while is measured in the broker time of the observations' own records, never by a clock: a
//! re-read gives the same watermarks. That lines lie unread, because their source's owner died or is
//! behind, makes it not idle.
//!
//! Why not compare with the broker time of the raw logs? After an outage everything that is
//! caught up lies minutes in the past, and one partition is read ahead of the others; the ones
//! still to be read would look idle, and all they hold would be late.
//!
//! When a tenant that was silent is heard of again, what was vouched for before counts no more:
//! what its shippers had kept back comes by several partitions at once, of which one is read first.
//! The same holds for a source that is announced anew, as it is when its owner changes. One that is
//! announced, but of which no time was read yet, has reached nothing: until it is idle its tenant's
//! watermark stays where it is.
//!
//! A source that nobody reads for very long (`unread_after_ms`), as when its topic was deleted, is left
//! out too: what it holds after all is late.

use std::collections::BTreeMap;
use std::ops::Bound;

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

/// Times are the observations' records' own, but for `reached` and `broker_time`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    /// The largest event time read, capped at the broker's; `MIN` where none was read.
    reached: EventTime,
    /// The newest record of its own.
    broker_time: EventTime,
    /// When it was first heard of, or last moved.
    moved_at: EventTime,
    /// When somebody last vouched that all of it was read; `None` if that counts no more.
    vouched_at: Option<EventTime>,
    /// For how long nobody has read it although records came.
    unread_ms: i64,
    /// All that was appended before has been read.
    read_up_to: EventTime,
}

/// A vouching counts for so long. Whoever reads a source vouches for it about every half minute.
const VOUCHED_MS: i64 = 90_000;
/// A hole in the records (nobody was running) says no more than so about who is not read.
const HOLE_MS: i64 = 30_000;

impl Watermarks {
    /// Takes in the progress of one observations record, appended at `record_time`; returns the
    /// tenants whose watermark moved.
    pub(crate) fn advance(
        &mut self,
        progress: &[SourceProgress],
        record_time: EventTime,
        config: &WatermarkConfig,
    ) -> Vec<Tenant> {
        let before = self.record_time.unwrap_or(record_time);
        let now = before.max(record_time);
        self.record_time = Some(now);
        let elapsed_ms = (now - before).min(HOLE_MS);
        let sources = self.tenants.values_mut().flat_map(|mark| mark.sources.values_mut());
        sources.for_each(|source| source.unread_ms = source.unread_ms.saturating_add(elapsed_ms));
        for p in progress {
            self.tenants.entry(owner_of(&p.source).into()).or_default().note(p, now, config);
        }
        let mut moved = Vec::new();
        for (owner, mark) in &mut self.tenants {
            let candidate = mark.candidate(now, config);
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

    /// Everything that a tenant's topic held before this moment has been read, by its brokers' clocks;
    /// `None` where that is not known.
    pub(crate) fn read_up_to(
        &self,
        tenant: &str,
        topic: &str,
        config: &WatermarkConfig,
    ) -> Option<EventTime> {
        let is_its = |source: &str| source.strip_prefix(topic).is_some_and(|rest| rest.starts_with('/'));
        let sources = &self.tenants.get(tenant)?.sources;
        let sources = sources.range::<str, _>((Bound::Included(topic), Bound::Unbounded));
        let read = sources
            .take_while(|(name, _)| name.starts_with(topic))
            .filter(|(name, source)| is_its(name) && !source.is_unread(config));
        read.map(|(_, source)| source.read_up_to).min().filter(|read| *read > EventTime::MIN)
    }

    /// How far event time has come for the slowest tenant that is not idle, or for the fastest
    /// if all are.
    pub(crate) fn slowest(&self, config: &WatermarkConfig) -> Option<EventTime> {
        let now = self.record_time?;
        let awake = self.tenants.values().filter(|mark| mark.is_awake(now, config));
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
    fn note(&mut self, p: &SourceProgress, now: EventTime, config: &WatermarkConfig) {
        let reached = p.event_time_max.min(p.broker_time);
        let known = self.sources.get(&*p.source);
        let moves = has_time(p) && known.is_none_or(|known| known.is_behind(reached, p.broker_time));
        if moves && !self.is_awake(now, config) {
            self.sources.values_mut().for_each(|source| source.vouched_at = None);
        }
        let source = self.sources.entry(p.source.as_str().into()).or_insert_with(|| Source::new(now));
        if moves {
            source.moved_at = now;
            source.vouched_at = None;
            // A shipper whose clock is ahead must not make its neighbours late.
            source.reached = source.reached.max(reached);
        } else if is_announcement(p) {
            source.vouched_at = None;
            return;
        } else if p.at_end || !has_time(p) {
            // What is read but tells no time holds nobody back for longer than silence does.
            source.vouched_at = Some(now);
            if p.at_end {
                source.read_up_to = source.read_up_to.max(now);
            }
        }
        source.broker_time = source.broker_time.max(p.broker_time);
        source.read_up_to = source.read_up_to.max(p.broker_time);
        source.unread_ms = 0;
    }

    fn candidate(&self, now: EventTime, config: &WatermarkConfig) -> Option<EventTime> {
        let awake = self.sources.values().filter(|source| !source.is_idle(now, config));
        let reached = match awake.map(|source| source.reached).min() {
            Some(slowest) => Some(slowest).filter(|slowest| *slowest > EventTime::MIN)?,
            // All are idle: windows still close, as broker time goes on.
            None => {
                let silent = self.sources.values().filter_map(|source| source.silent_ms(now));
                self.reached_max()? + silent.min()?
            }
        };
        Some(reached - config.allowed_lateness_ms)
    }

    fn reached_max(&self) -> Option<EventTime> {
        self.sources.values().map(|source| source.reached).max().filter(|max| *max > EventTime::MIN)
    }

    fn is_awake(&self, now: EventTime, config: &WatermarkConfig) -> bool {
        self.sources.values().any(|source| !source.is_idle(now, config))
    }
}

impl Source {
    fn new(now: EventTime) -> Self {
        let nothing = EventTime::MIN;
        Self {
            reached: nothing,
            broker_time: nothing,
            moved_at: now,
            vouched_at: None,
            unread_ms: 0,
            read_up_to: nothing,
        }
    }

    fn is_behind(&self, reached: EventTime, broker_time: EventTime) -> bool {
        broker_time > self.broker_time || reached > self.reached
    }

    /// For how long it is known to have been silent, if it is known.
    fn silent_ms(&self, now: EventTime) -> Option<i64> {
        let counts = |vouched_at: &EventTime| now - *vouched_at <= VOUCHED_MS;
        self.vouched_at.filter(counts).map(|vouched_at| vouched_at - self.moved_at)
    }

    fn is_idle(&self, now: EventTime, config: &WatermarkConfig) -> bool {
        let is_silent = self.silent_ms(now).is_some_and(|silent_ms| silent_ms >= config.idle_after_ms);
        is_silent || self.is_unread(config)
    }

    fn is_unread(&self, config: &WatermarkConfig) -> bool {
        self.unread_ms >= config.unread_after_ms
    }
}

/// Whether an event time was read.
fn has_time(p: &SourceProgress) -> bool {
    p.event_time_max >= EventTime(0)
}

/// Whether a source is only said to be there.
fn is_announcement(p: &SourceProgress) -> bool {
    !p.at_end && p.broker_time == EventTime::MIN
}

#[cfg(test)]
mod tests;
