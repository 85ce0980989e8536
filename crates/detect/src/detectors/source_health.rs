//! Feeds that fall silent, and shippers whose clocks are wrong: where detectors go blind.
//!
//! All is judged by the brokers' time, when lines arrived, and only up to where everything that a
//! feed holds is known to have been read; what lies unread, because its reader died or is behind, is
//! no silence. So the same log gives the same findings, with one difference: a silence that is told
//! only after it is over, as it is from a backlog and in a replay, wakes nobody.

mod cadence;
mod clock;
mod describe;
mod feed;

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, LogTopic, ObservationBatch, ObservationKind, Severity, SourceProgress, Tenant};
use serde::{Deserialize, Serialize};

use crate::class::ClassInfo;
use crate::config::{Contract, WatermarkConfig, in_range};
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::episode::EpisodeId;
use crate::rows;
use crate::rules::{Parameters, PerTenant, Rules};
use crate::watermark::Watermarks;
use feed::{Arrival, Feed};

pub(crate) const NAME: &str = "source_health";
const STATE_VERSION: u32 = 1;

/// Every class.
pub const CLASSES: &[ClassInfo] = &[SILENT, CLOCK_SKEW];

const SILENT: ClassInfo = ClassInfo {
    class: "source.silent",
    severity: Severity::Medium,
    description: "A feed from which nothing comes, at an hour at which it usually has something to say, for \
                  far longer than it usually pauses; high where it tells of tokens being issued.",
    techniques: &["T1562.008"],
    owasp_api: None,
    owasp_event: Some("sys_monitor_disabled"),
};

const CLOCK_SKEW: ClassInfo = ClassInfo {
    class: "source.clock_skew",
    severity: Severity::Low,
    description: "A shipper whose stamps are ahead of when its lines arrive, or always as far behind: what \
                  rests on event time is wrong there; medium above five minutes.",
    techniques: &["T1070.006"],
    owasp_api: None,
    owasp_event: Some("sys_monitor_disabled"),
};

// --- config ------------------------------------------------------------------------------------

/// When a source is not well.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceHealthConfig {
    /// A feed is silent after so long, in hours at which it usually has something to say ...
    pub silent_after_ms: i64,
    /// ... and so many times the longest of its last 200 pauses; where fewer are known, the longest that is to be
    /// expected of so many.
    pub silent_pause_ratio: f64,
    /// Before so many pauses (minutes in which lines come) are known, nothing is said of a feed.
    pub pauses_min: usize,
    /// A clock is judged every ten minutes, or as soon after as there are so many lines.
    pub skew_lines_min: u64,
    /// A clock is ahead where half of its lines are stamped so far ahead of their arrival.
    pub skew_ahead_ms: i64,
    /// A clock is behind where even the quickest of its lines arrive so long after their stamps,
    /// for half an hour and always as long.
    pub skew_behind_ms: i64,
    /// How many feeds of one tenant are watched.
    pub feeds_per_tenant_max: usize,
    /// How many shippers of one feed have their clocks watched.
    pub shippers_per_feed_max: usize,
}

impl Default for SourceHealthConfig {
    fn default() -> Self {
        Self {
            silent_after_ms: 600_000,
            silent_pause_ratio: 3.0,
            pauses_min: 20,
            skew_lines_min: 50,
            skew_ahead_ms: 5_000,
            skew_behind_ms: 120_000,
            feeds_per_tenant_max: 1_000,
            shippers_per_feed_max: 64,
        }
    }
}

impl Parameters for SourceHealthConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        if !self.silent_pause_ratio.is_finite() || self.silent_pause_ratio < 1.0 {
            let ratio = self.silent_pause_ratio;
            return Err(format!("{NAME}.silent_pause_ratio: must be at least 1, is {ratio}"));
        }
        if !event::DELAYS_MS.contains(&self.skew_ahead_ms) {
            let delays = event::DELAYS_MS;
            return Err(format!(
                "{NAME}.skew_ahead_ms: must be one of {delays:?}, is {}",
                self.skew_ahead_ms
            ));
        }
        in_range("source_health.silent_after_ms", self.silent_after_ms, 120_000, 86_400_000)?;
        in_range("source_health.pauses_min", self.pauses_min as i64, 1, 200)?;
        in_range("source_health.skew_lines_min", self.skew_lines_min as i64, 10, 1_000_000)?;
        in_range("source_health.skew_behind_ms", self.skew_behind_ms, 30_000, 86_400_000)?;
        in_range("source_health.feeds_per_tenant_max", self.feeds_per_tenant_max as i64, 1, 100_000)?;
        in_range("source_health.shippers_per_feed_max", self.shippers_per_feed_max as i64, 1, 10_000)
    }
}

// --- state -------------------------------------------------------------------------------------

/// The detector.
pub(crate) struct SourceHealth {
    rules: PerTenant<SourceHealthConfig>,
    watermark_config: WatermarkConfig,
    contracts: BTreeMap<String, Contract>,
    state: State,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct State {
    tenants: BTreeMap<Tenant, BTreeMap<Box<str>, Feed>>,
    totals: Totals,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Totals {
    observations: u64,
    late: u64,
    evicted: u64,
}

/// What a feed is judged by.
#[derive(Clone, Copy)]
struct Setting<'a> {
    config: &'a SourceHealthConfig,
    tenant: &'a Tenant,
    topic: &'a str,
    zone_offset_ms: i64,
}

// --- logic -------------------------------------------------------------------------------------

impl SourceHealth {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            rules: rules.source_health.clone(),
            watermark_config: rules.config.watermark.clone(),
            contracts: rules.config.contracts.clone(),
            state: State::default(),
        }
    }

    fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.state.tenants.values().flat_map(BTreeMap::values)
    }
}

impl Detector for SourceHealth {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(&mut self, observations: &ObservationBatch, _: &Watermarks, _: &mut AlertChanges) {
        let State { tenants, totals } = &mut self.state;
        for (_, o) in rows::of_kind(observations, &[ObservationKind::Source]) {
            totals.observations += 1;
            let Some(topic) = o.kafka_topic.as_deref() else { continue };
            let Ok(tenant) = Tenant::parse(o.tenant.as_deref().unwrap_or_default()) else { continue };
            let config = self.rules.of(tenant.as_str());
            let feeds = tenants.entry(tenant).or_default();
            if !feeds.contains_key(topic) {
                if feeds.len() >= config.feeds_per_tenant_max {
                    totals.evicted += 1;
                    continue;
                }
                feeds.insert(topic.into(), Feed::default());
            }
            let Some(feed) = feeds.get_mut(topic) else { continue };
            match feed.note(&o, config) {
                Arrival::InTime => {}
                Arrival::Late => totals.late += 1,
                Arrival::OneShipperTooMany => totals.evicted += 1,
            }
        }
    }

    fn on_watermark(&mut self, _: &Tenant, _: EventTime, _: &mut AlertChanges) {}

    fn on_progress(
        &mut self,
        progress: &[SourceProgress],
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let topics: BTreeSet<&str> =
            progress.iter().filter_map(|p| p.source.rsplit_once('/')).map(|(topic, _)| topic).collect();
        for topic in topics {
            let Ok(LogTopic { tenant, .. }) = LogTopic::parse(topic) else { continue };
            let Some(feed) = self.state.tenants.get_mut(&tenant).and_then(|feeds| feeds.get_mut(topic))
            else {
                continue;
            };
            let read_up_to = watermarks.read_up_to(tenant.as_str(), topic, &self.watermark_config);
            let Some(read_up_to) = read_up_to else { continue };
            let contract = self.contracts.get(tenant.as_str());
            let zone_offset_ms = contract.and_then(Contract::zone_offset_ms).unwrap_or_default();
            let config = self.rules.of(tenant.as_str());
            let setting = Setting { config, tenant: &tenant, topic, zone_offset_ms };
            feed.advance(read_up_to, setting, alerts);
        }
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.source_health.clone();
    }

    fn snapshot(&self) -> DetectorState {
        DetectorState::write(NAME, STATE_VERSION, &self.state)
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        self.state = state.read(NAME, STATE_VERSION)?;
        Ok(())
    }

    fn stats(&self) -> DetectorStats {
        DetectorStats {
            name: NAME,
            keys: self.feeds().map(Feed::keys).sum(),
            open_episodes: self.feeds().map(Feed::open_episodes).sum(),
            observations_total: self.state.totals.observations,
            late_total: self.state.totals.late,
            duplicates_total: 0,
            evicted_total: self.state.totals.evicted,
        }
    }
}

/// The label of an episode that began then; no two of one entity begin within a minute.
fn label(start: EventTime) -> String {
    EpisodeId { cell: start, ordinal: 0 }.label()
}

#[cfg(test)]
mod tests;
