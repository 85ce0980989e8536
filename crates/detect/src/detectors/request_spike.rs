//! Far more requests than this partner or endpoint has at this hour of the week.
//!
//! Requests come counted by minute. A minute is judged when the watermark closes it, against the
//! median of its hour of the week (`baseline.rs`, `rule.rs`); three bad minutes of five are a
//! spike. A flood, ten times what the tenant has, is told before its minute is over.
//!
//! Each endpoint is watched, and each tenant as a whole. One spike is one alert: the endpoint's
//! where endpoints explain it, the tenant's where it is a flood, or spread, or over more than a
//! few.

mod baseline;
mod describe;
mod lull;
mod minute;
mod refusals;
mod rule;
mod series;
mod tenant;

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, ObservationBatch, ObservationKind, Severity, Tenant};
use serde::{Deserialize, Serialize};

use crate::class::ClassInfo;
use crate::config::{Contract, in_range};
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::rows;
use crate::rules::{Parameters, PerTenant, Rules};
use crate::watermark::Watermarks;
use minute::MINUTE_MS;
use tenant::{Arrival, TenantTraffic};

pub(crate) const NAME: &str = "request_spike";
const STATE_VERSION: u32 = 5;

/// Every class.
pub const CLASSES: &[ClassInfo] = &[
    ClassInfo {
        class: "traffic.spike",
        severity: Severity::Medium,
        description: "Requests far above what is usual at this hour of the week, for minutes; high where \
                      the excess is mostly refused (401, 403, 404, 429).",
        techniques: &["T1499.002"],
        owasp_api: Some("API4"),
        owasp_event: Some("excess_rate_limit_exceeded"),
    },
    ClassInfo {
        class: "traffic.flood",
        severity: Severity::High,
        description: "Ten times a tenant's usual requests within one minute.",
        techniques: &["T1498", "T1499.002"],
        owasp_api: Some("API4"),
        owasp_event: Some("excess_rate_limit_exceeded"),
    },
    RATE_ANOMALY,
    DROP,
];

const DROP: ClassInfo = ClassInfo {
    class: "traffic.drop",
    severity: Severity::Medium,
    description: "Far fewer requests than a tenant has at this hour of the week, for a quarter of an hour: for those who \
                  run the platform.",
    techniques: &[],
    owasp_api: None,
    owasp_event: None,
};

const RATE_ANOMALY: ClassInfo = ClassInfo {
    class: "auth.rate_anomaly",
    severity: Severity::Medium,
    description: "A far greater share of a tenant's requests than usual is refused for its credential: an \
                  attack from many addresses on many accounts, which no account and no address shows.",
    techniques: &["T1110"],
    owasp_api: Some("API2"),
    owasp_event: Some("authn_login_fail_max"),
};

// --- config ------------------------------------------------------------------------------------

/// What is far more than usual.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSpikeConfig {
    /// Fewer requests a minute than this are never a spike.
    pub floor_per_minute: f64,
    /// So many times the usual rate ...
    pub ratio: f64,
    /// ... and so many robust standard deviations above it ...
    pub z: f64,
    /// ... and so many times the highest minute of that hour of the week so far ...
    pub above_past_max: f64,
    /// ... in so many of the last five minutes.
    pub minutes_of_five: usize,
    /// So many times the usual rate and the floor, in one minute, are a flood.
    pub flood_ratio: f64,
    /// The floor is this many times higher for a key younger than a day without a contract.
    pub cold_floor_ratio: f64,
    /// What `ratio` is for such a key.
    pub cold_ratio: f64,
    /// Such a key is not judged before it has been seen for so many minutes.
    pub cold_minutes: u32,
    /// So many requests refused (401) within ten minutes ...
    pub refusals_min: u64,
    /// ... that are so great a share of all ...
    pub refusals_share: f64,
    /// ... and so many times the usual share are an attack on the tenant as a whole.
    pub refusals_ratio: f64,
    /// No more than so great a share of the least that is usual, for a quarter of an hour, is a lull ...
    pub drop_share: f64,
    /// ... where so many a minute are usual.
    pub drop_median_min: f64,
    /// An episode ends after so long without a bad minute.
    pub episode_gap_ms: i64,
    /// From more endpoints than this at once it is the whole tenant's spike.
    pub endpoints_at_once_max: usize,
    /// How many endpoints of one tenant are remembered; the coldest are forgotten.
    pub endpoints_per_tenant_max: usize,
}

impl Default for RequestSpikeConfig {
    fn default() -> Self {
        Self {
            floor_per_minute: 60.0,
            ratio: 3.0,
            z: 6.0,
            above_past_max: 1.25,
            minutes_of_five: 3,
            flood_ratio: 10.0,
            cold_floor_ratio: 2.0,
            cold_ratio: 5.0,
            cold_minutes: 60,
            refusals_min: 30,
            refusals_share: 0.2,
            refusals_ratio: 5.0,
            drop_share: 0.2,
            drop_median_min: 10.0,
            episode_gap_ms: 1_800_000,
            endpoints_at_once_max: 3,
            endpoints_per_tenant_max: 2_000,
        }
    }
}

impl Parameters for RequestSpikeConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        for (name, value) in [
            ("floor_per_minute", self.floor_per_minute),
            ("ratio", self.ratio),
            ("z", self.z),
            ("above_past_max", self.above_past_max),
            ("flood_ratio", self.flood_ratio),
            ("cold_floor_ratio", self.cold_floor_ratio),
            ("cold_ratio", self.cold_ratio),
            ("refusals_ratio", self.refusals_ratio),
            ("drop_median_min", self.drop_median_min),
        ] {
            if !value.is_finite() || value < 1.0 {
                return Err(format!("{NAME}.{name}: must be at least 1, is {value}"));
            }
        }
        if !(0.0..=0.9).contains(&self.drop_share) {
            return Err(format!("{NAME}.drop_share: must be between 0 and 0.9, is {}", self.drop_share));
        }
        if !(0.01..=1.0).contains(&self.refusals_share) {
            return Err(format!(
                "{NAME}.refusals_share: must be between 0.01 and 1, is {}",
                self.refusals_share
            ));
        }
        in_range("request_spike.refusals_min", self.refusals_min as i64, 5, 1_000_000)?;
        in_range("request_spike.minutes_of_five", self.minutes_of_five as i64, 1, 5)?;
        in_range("request_spike.episode_gap_ms", self.episode_gap_ms, 300_000, 86_400_000)?;
        in_range("request_spike.cold_minutes", i64::from(self.cold_minutes), 10, 1_440)?;
        in_range("request_spike.endpoints_at_once_max", self.endpoints_at_once_max as i64, 1, 100)?;
        in_range("request_spike.endpoints_per_tenant_max", self.endpoints_per_tenant_max as i64, 8, 100_000)
    }
}

// --- state -------------------------------------------------------------------------------------

/// The detector.
pub(crate) struct RequestSpike {
    rules: PerTenant<RequestSpikeConfig>,
    contracts: BTreeMap<String, Contract>,
    tenants: BTreeMap<Tenant, TenantTraffic>,
    totals: Totals,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Totals {
    observations: u64,
    late: u64,
    duplicates: u64,
    evicted: u64,
}

#[derive(Deserialize)]
struct Saved {
    tenants: BTreeMap<Tenant, TenantTraffic>,
    totals: Totals,
}

#[derive(Serialize)]
struct Saving<'a> {
    tenants: &'a BTreeMap<Tenant, TenantTraffic>,
    totals: Totals,
}

/// What all keys of a tenant share at a moment.
#[derive(Clone, Copy)]
struct Setting<'a> {
    config: &'a RequestSpikeConfig,
    tenant: &'a Tenant,
    contract_per_minute: Option<f64>,
    zone_offset_ms: i64,
    watermark: Option<EventTime>,
}

// --- logic -------------------------------------------------------------------------------------

impl RequestSpike {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            rules: rules.request_spike.clone(),
            contracts: rules.config.contracts.clone(),
            tenants: BTreeMap::new(),
            totals: Totals::default(),
        }
    }
}

fn setting<'a>(
    rules: &'a PerTenant<RequestSpikeConfig>,
    contracts: &BTreeMap<String, Contract>,
    tenant: &'a Tenant,
    watermark: Option<EventTime>,
) -> Setting<'a> {
    let contract = contracts.get(tenant.as_str());
    Setting {
        config: rules.of(tenant.as_str()),
        tenant,
        contract_per_minute: contract.map(|contract| contract.requests_per_minute),
        zone_offset_ms: contract.and_then(Contract::zone_offset_ms).unwrap_or_default(),
        watermark,
    }
}

impl Detector for RequestSpike {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let mut news = BTreeSet::new();
        for (_, o) in rows::of_kind(observations, &[ObservationKind::Requests]) {
            self.totals.observations += 1;
            let (Some(tenant), Some(time)) = (o.tenant.as_deref(), o.time) else { continue };
            let Ok(tenant) = Tenant::parse(tenant) else { continue };
            let watermark = watermarks.of(tenant.as_str());
            let traffic = self.tenants.entry(tenant.clone()).or_default();
            match traffic.add(&o, time, watermark) {
                Arrival::Late => self.totals.late += 1,
                Arrival::Duplicate => self.totals.duplicates += 1,
                Arrival::InTime => {
                    let setting = setting(&self.rules, &self.contracts, &tenant, watermark);
                    self.totals.evicted += traffic.close_surplus(setting, alerts);
                    news.insert(tenant);
                }
            }
        }
        for tenant in &news {
            let Some(traffic) = self.tenants.get_mut(tenant) else { continue };
            let watermark = watermarks.of(tenant.as_str());
            traffic.foresee_floods(setting(&self.rules, &self.contracts, tenant, watermark), alerts);
        }
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        let Some(traffic) = self.tenants.get_mut(tenant) else { return };
        let setting = setting(&self.rules, &self.contracts, tenant, Some(up_to));
        self.totals.evicted += traffic.close_minutes(up_to.floor(MINUTE_MS), setting, alerts);
        traffic.foresee_floods(setting, alerts);
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.request_spike.clone();
    }

    fn snapshot(&self) -> DetectorState {
        let saving = Saving { tenants: &self.tenants, totals: self.totals };
        DetectorState::write(NAME, STATE_VERSION, &saving)
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        let saved: Saved = state.read(NAME, STATE_VERSION)?;
        self.tenants = saved.tenants;
        self.totals = saved.totals;
        Ok(())
    }

    fn stats(&self) -> DetectorStats {
        DetectorStats {
            name: NAME,
            keys: self.tenants.values().map(TenantTraffic::keys).sum(),
            open_episodes: self.tenants.values().map(TenantTraffic::open_episodes).sum(),
            observations_total: self.totals.observations,
            late_total: self.totals.late,
            duplicates_total: self.totals.duplicates,
            evicted_total: self.totals.evicted,
        }
    }
}

#[cfg(test)]
mod tests;
