//! One tenant's traffic: its endpoints, the tenant as a whole, and which of them speaks.

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::Setting;
use super::baseline::{DAY_MS, HOUR_MS};
use super::describe::{Subject, describe};
use super::lull::Lull;
use super::minute::{Endpoint, MINUTE_MS, Minute};
use super::refusals::Refusals;
use super::series::{Series, Spike};
use crate::detector::AlertChanges;
use crate::stable;

/// Minutes wait for the watermark; where it stands still they must not pile up. Over either bound
/// the oldest is judged as if the watermark had passed it, and what comes for it after is late.
const PENDING_MINUTES_MAX: usize = 1_440;
const PENDING_BYTES_MAX: usize = 32 << 20;

/// How a row came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    InTime,
    Late,
    Duplicate,
}

/// What is known of a tenant's traffic.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct TenantTraffic {
    pending: BTreeMap<EventTime, Minute>,
    pending_bytes: usize,
    /// Every minute before this one is judged.
    closed_to: Option<EventTime>,
    endpoints: BTreeMap<Endpoint, Series>,
    whole: Series,
    refusals: Refusals,
    lull: Lull,
    /// Minutes that got rows since floods were last looked for.
    touched: BTreeSet<EventTime>,
    open_endpoints: BTreeSet<Endpoint>,
    /// The hours of the last week in which anything came.
    active_hours: BTreeSet<EventTime>,
}

impl TenantTraffic {
    /// Adds a row to its minute.
    pub(super) fn add(
        &mut self,
        o: &Observation<'_>,
        time: EventTime,
        watermark: Option<EventTime>,
    ) -> Arrival {
        let minute = time.floor(MINUTE_MS);
        let closed_to = self.closed_to.max(watermark.map(|watermark| watermark.floor(MINUTE_MS)));
        if closed_to.is_some_and(|closed_to| minute < closed_to) {
            return Arrival::Late;
        }
        let pending = self.pending.entry(minute).or_default();
        let before = pending.bytes();
        if !pending.add(o) {
            return Arrival::Duplicate;
        }
        self.pending_bytes += pending.bytes() - before;
        self.touched.insert(minute);
        Arrival::InTime
    }

    /// Judges the oldest minutes if more wait than there is room for.
    pub(super) fn close_surplus(&mut self, setting: Setting<'_>, alerts: &mut AlertChanges) -> u64 {
        let mut evicted = 0;
        while self.pending.len() > PENDING_MINUTES_MAX || self.pending_bytes > PENDING_BYTES_MAX {
            let Some(oldest) = self.pending.first_key_value().map(|(minute, _)| *minute) else { break };
            evicted += self.close_minutes(oldest + MINUTE_MS, setting, alerts);
        }
        evicted
    }

    /// Judges the minutes before `closed_to`; returns how many endpoints were forgotten.
    pub(super) fn close_minutes(
        &mut self,
        closed_to: EventTime,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) -> u64 {
        if self.closed_to.is_some_and(|known| known >= closed_to) {
            return 0;
        }
        self.closed_to = Some(closed_to);
        let mut evicted = 0;
        let open = self.pending.split_off(&closed_to);
        for (minute, requests) in std::mem::replace(&mut self.pending, open) {
            self.pending_bytes = self.pending_bytes.saturating_sub(requests.bytes());
            self.end_episodes(minute, setting, alerts);
            self.close_minute(minute, requests, setting, alerts);
            evicted += self.evict(setting);
        }
        self.end_episodes(closed_to, setting, alerts);
        self.touched = self.touched.split_off(&closed_to);
        evicted
    }

    fn close_minute(
        &mut self,
        minute: EventTime,
        requests: Minute,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) {
        self.active_hours.insert(minute.floor(HOUR_MS));
        self.active_hours = self.active_hours.split_off(&(minute.floor(HOUR_MS) - 7 * DAY_MS));
        let total = requests.total();
        alerts.extend(self.refusals.close_minute(minute, total.clone(), setting));
        alerts.extend(self.lull.close_minute(minute, &total, &self.whole.history, setting));
        self.whole.close_whole_minute(minute, total, setting);
        let mut bad = Vec::new();
        let mut excess_by_route: Vec<(Box<str>, f64)> = Vec::new();
        for (endpoint, counts) in requests.endpoints {
            let total = counts.total as f64;
            let series = self.endpoints.entry(endpoint.clone()).or_default();
            series.close_minute(minute, counts, &self.active_hours, setting);
            let usual = series.history.of_all_hours().map_or(0.0, |usual| usual.median);
            excess_by_route.push((endpoint.route.clone(), total - usual));
            if let Some((_, excess)) = series.hit(setting) {
                bad.push((endpoint, excess));
            }
        }
        self.decide(minute, bad, excess_by_route, setting, alerts);
    }

    /// Who speaks: the endpoints that explain the excess, or the tenant as a whole.
    fn decide(
        &mut self,
        minute: EventTime,
        bad: Vec<(Endpoint, f64)>,
        excess_by_route: Vec<(Box<str>, f64)>,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) {
        let whole = self.whole.hit(setting);
        let explained: f64 = bad.iter().map(|(_, excess)| excess).sum();
        let too_many = bad.len() > setting.config.endpoints_at_once_max;
        let whole_speaks = self.whole.open.is_some()
            || whole.is_some_and(|(whole, excess)| whole.is_flood || too_many || explained < 0.5 * excess);
        for (endpoint, _) in bad {
            let Some(series) = self.endpoints.get_mut(&endpoint) else { continue };
            if whole_speaks && series.open.is_none() {
                series.freeze_since(minute);
                continue;
            }
            series.extend(phase_of(setting, Some(&endpoint)), setting);
            tell_open(series, Some(&endpoint), minute, setting, alerts);
            self.open_endpoints.insert(endpoint);
        }
        if whole_speaks && whole.is_some() {
            self.whole.extend(phase_of(setting, None), setting);
            if let Some(spike) = &mut self.whole.open {
                for (route, excess) in excess_by_route {
                    *spike.excess_by_route.entry(route).or_default() += excess;
                }
            }
            tell_open(&mut self.whole, None, minute, setting, alerts);
        }
        self.freeze_learning(minute);
    }

    /// While anything is out of the ordinary nothing of that key is learned, and nothing of the
    /// tenant as a whole.
    fn freeze_learning(&mut self, minute: EventTime) {
        let mut since = self.whole.open.as_ref().map(|_| minute);
        for endpoint in &self.open_endpoints {
            let Some(series) = self.endpoints.get_mut(endpoint) else { continue };
            series.freeze_since(minute);
            // The bad minutes before the rule was met are no more usual for the whole.
            let began = series.open.as_ref().map(|spike| spike.first_minute);
            since = [since, began].into_iter().flatten().min();
        }
        if let Some(since) = since {
            self.whole.freeze_since(since);
        }
    }

    fn end_episodes(&mut self, closed_to: EventTime, setting: Setting<'_>, alerts: &mut AlertChanges) {
        alerts.extend(self.refusals.end(closed_to, setting));
        alerts.extend(self.lull.end(closed_to, setting));
        let gap_ms = setting.config.episode_gap_ms;
        if let Some(spike) = self.whole.take_over(closed_to, gap_ms) {
            tell_spike(&mut self.whole, &spike, None, false, closed_to, setting, alerts);
        }
        let endpoints = &mut self.endpoints;
        self.open_endpoints.retain(|endpoint| {
            let Some(series) = endpoints.get_mut(endpoint) else { return false };
            if let Some(spike) = series.take_over(closed_to, gap_ms) {
                tell_spike(series, &spike, Some(endpoint), false, closed_to, setting, alerts);
            }
            series.open.is_some()
        });
    }

    /// Tells of a flood before its minute is over.
    pub(super) fn foresee_floods(&mut self, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let floor = setting.config.flood_ratio * setting.config.floor_per_minute;
        let (pending, whole) = (&self.pending, &mut self.whole);
        // A minute that may be one is looked at again when more rows come, or when the watermark
        // makes its alert's id certain.
        self.touched.retain(|minute| {
            let Some(total) = pending.get(minute).map(Minute::total) else { return false };
            if let Some(spike) = whole.foresee(*minute, &total, phase_of(setting, None), setting) {
                tell_spike(whole, &spike, None, true, *minute, setting, alerts);
            }
            total.total as f64 >= floor
        });
    }

    fn evict(&mut self, setting: Setting<'_>) -> u64 {
        let most = setting.config.endpoints_per_tenant_max;
        if self.endpoints.len() <= most {
            return 0;
        }
        let mut by_age: Vec<_> = self
            .endpoints
            .iter()
            .filter(|(_, series)| series.open.is_none())
            .map(|(endpoint, series)| (series.has_ids_in_use(), series.last_minute, endpoint.clone()))
            .collect();
        by_age.sort();
        let surplus = self.endpoints.len() - most * 7 / 8;
        let coldest: Vec<_> = by_age.into_iter().take(surplus).collect();
        coldest.iter().filter(|(.., endpoint)| self.endpoints.remove(endpoint).is_some()).count() as u64
    }

    pub(super) fn keys(&self) -> u64 {
        self.endpoints.len() as u64 + 1
    }

    pub(super) fn open_episodes(&self) -> u64 {
        let others = [self.whole.open.is_some(), self.refusals.is_open(), self.lull.is_open()];
        (self.open_endpoints.len() + others.iter().filter(|open| **open).count()) as u64
    }
}

fn tell_open(
    series: &mut Series,
    endpoint: Option<&Endpoint>,
    now: EventTime,
    setting: Setting<'_>,
    alerts: &mut AlertChanges,
) {
    if let Some(spike) = series.open.clone() {
        tell_spike(series, &spike, endpoint, true, now, setting, alerts);
    }
}

fn tell_spike(
    series: &mut Series,
    spike: &Spike,
    endpoint: Option<&Endpoint>,
    open: bool,
    now: EventTime,
    setting: Setting<'_>,
    alerts: &mut AlertChanges,
) {
    let mut alert = describe(spike, Subject { endpoint, setting });
    alert.episode_open = open;
    alerts.extend(series.tell(spike.id, alert, now));
}

/// Where a key's cells begin.
fn phase_of(setting: Setting<'_>, endpoint: Option<&Endpoint>) -> u64 {
    let (partner, route) = endpoint.map_or(("", ""), |endpoint| (&*endpoint.partner, &*endpoint.route));
    stable::hash(&[setting.tenant.as_str(), partner, route])
}
