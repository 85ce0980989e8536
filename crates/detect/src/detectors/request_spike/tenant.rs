//! One tenant's traffic: its endpoints, the tenant as a whole, and which of them speaks.

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::Setting;
use super::describe::{Subject, describe};
use super::minute::{Endpoint, MINUTE_MS, Minute};
use super::series::{Series, Spike};
use crate::detector::AlertChanges;
use crate::episode::announce;
use crate::stable;

/// What is known of a tenant's traffic.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct TenantTraffic {
    pending: BTreeMap<EventTime, Minute>,
    endpoints: BTreeMap<Endpoint, Series>,
    whole: Series,
    /// Minutes that got rows since floods were last looked for.
    touched: BTreeSet<EventTime>,
    open_endpoints: BTreeSet<Endpoint>,
}

impl TenantTraffic {
    /// Adds a row to its minute; false if it was delivered before.
    pub(super) fn add(&mut self, o: &Observation<'_>, time: EventTime) -> bool {
        let minute = time.floor(MINUTE_MS);
        let news = self.pending.entry(minute).or_default().add(o);
        if news {
            self.touched.insert(minute);
        }
        news
    }

    /// Judges the minutes before `closed_to`; returns how many endpoints were forgotten.
    pub(super) fn close_minutes(
        &mut self,
        closed_to: EventTime,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) -> u64 {
        let open = self.pending.split_off(&closed_to);
        for (minute, requests) in std::mem::replace(&mut self.pending, open) {
            self.end_episodes(minute, setting, alerts);
            self.close_minute(minute, requests, setting, alerts);
        }
        self.end_episodes(closed_to, setting, alerts);
        self.touched = self.touched.split_off(&closed_to);
        self.evict(setting)
    }

    fn close_minute(
        &mut self,
        minute: EventTime,
        requests: Minute,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) {
        self.whole.close_minute(minute, requests.total(), setting);
        let mut bad = Vec::new();
        let mut excess_by_route: Vec<(Box<str>, f64)> = Vec::new();
        for (endpoint, counts) in requests.endpoints {
            let total = counts.total as f64;
            let series = self.endpoints.entry(endpoint.clone()).or_default();
            series.close_minute(minute, counts, setting);
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
            || self.whole.told.is_some()
            || whole.is_some_and(|(_, excess)| too_many || explained < 0.5 * excess);
        for (endpoint, _) in bad {
            let Some(series) = self.endpoints.get_mut(&endpoint) else { continue };
            if whole_speaks && series.open.is_none() && series.told.is_none() {
                series.freeze(minute);
                continue;
            }
            series.extend(phase_of(setting, Some(&endpoint)));
            tell(series, Some(&endpoint), minute, setting, alerts);
            self.open_endpoints.insert(endpoint);
        }
        if whole_speaks && whole.is_some() {
            self.whole.extend(phase_of(setting, None));
            if let Some(spike) = &mut self.whole.open {
                for (route, excess) in excess_by_route {
                    *spike.excess_by_route.entry(route).or_default() += excess;
                }
            }
            tell(&mut self.whole, None, minute, setting, alerts);
        }
        self.freeze_learning(minute);
    }

    /// While anything is out of the ordinary nothing of that key is learned, and nothing of the
    /// tenant as a whole.
    fn freeze_learning(&mut self, minute: EventTime) {
        for endpoint in &self.open_endpoints {
            if let Some(series) = self.endpoints.get_mut(endpoint) {
                series.freeze(minute);
            }
        }
        if self.whole.open.is_some() || !self.open_endpoints.is_empty() {
            self.whole.freeze(minute);
        }
    }

    fn end_episodes(&mut self, closed_to: EventTime, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let gap_ms = setting.config.episode_gap_ms;
        if let Some(spike) = self.whole.take_over(closed_to, gap_ms) {
            close(&mut self.whole, &spike, None, closed_to, setting, alerts);
        }
        let endpoints = &mut self.endpoints;
        self.open_endpoints.retain(|endpoint| {
            let Some(series) = endpoints.get_mut(endpoint) else { return false };
            if let Some(spike) = series.take_over(closed_to, gap_ms) {
                close(series, &spike, Some(endpoint), closed_to, setting, alerts);
            }
            series.open.is_some()
        });
    }

    /// Tells of floods before their minute is over.
    pub(super) fn foresee_floods(&mut self, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let floor = setting.config.flood_ratio * setting.config.floor_per_minute;
        let pending = &self.pending;
        let (endpoints, whole) = (&mut self.endpoints, &mut self.whole);
        self.touched.retain(|minute| {
            let Some(requests) = pending.get(minute) else { return false };
            let total = requests.total();
            if (total.total as f64) < floor {
                return false;
            }
            if whole.open.is_some() || whole.told.is_some() {
                return false;
            }
            let mut explained = 0;
            let large = requests.endpoints.iter().filter(|(_, counts)| counts.total as f64 >= floor);
            for (endpoint, counts) in large {
                let series = endpoints.entry(endpoint.clone()).or_default();
                if let Some(spike) =
                    series.foresee(*minute, counts, phase_of(setting, Some(endpoint)), setting)
                {
                    tell_spike(series, &spike, Some(endpoint), *minute, setting, alerts);
                }
                explained += if series.told.is_some() { counts.total } else { 0 };
            }
            if explained * 2 < total.total
                && let Some(spike) = whole.foresee(*minute, &total, phase_of(setting, None), setting)
            {
                tell_spike(whole, &spike, None, *minute, setting, alerts);
            }
            // Looked at again when more rows come, or when the watermark makes an id certain.
            true
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
            .filter(|(_, series)| series.told.is_none())
            .map(|(endpoint, series)| (series.last_minute, endpoint.clone()))
            .collect();
        by_age.sort();
        let surplus = self.endpoints.len() - most * 7 / 8;
        let coldest: Vec<_> = by_age.into_iter().take(surplus).collect();
        coldest.iter().filter(|(_, endpoint)| self.endpoints.remove(endpoint).is_some()).count() as u64
    }

    pub(super) fn keys(&self) -> u64 {
        self.endpoints.len() as u64 + 1
    }

    pub(super) fn open_episodes(&self) -> u64 {
        self.open_endpoints.len() as u64 + u64::from(self.whole.open.is_some())
    }
}

fn tell(
    series: &mut Series,
    endpoint: Option<&Endpoint>,
    now: EventTime,
    setting: Setting<'_>,
    alerts: &mut AlertChanges,
) {
    if let Some(spike) = series.open.clone() {
        tell_spike(series, &spike, endpoint, now, setting, alerts);
    }
}

fn tell_spike(
    series: &mut Series,
    spike: &Spike,
    endpoint: Option<&Endpoint>,
    now: EventTime,
    setting: Setting<'_>,
    alerts: &mut AlertChanges,
) {
    let alert = describe(spike, Subject { endpoint, setting });
    alerts.extend(announce(&mut series.told, alert, now));
}

fn close(
    series: &mut Series,
    spike: &Spike,
    endpoint: Option<&Endpoint>,
    now: EventTime,
    setting: Setting<'_>,
    alerts: &mut AlertChanges,
) {
    let mut alert = describe(spike, Subject { endpoint, setting });
    alert.episode_open = false;
    alerts.extend(announce(&mut series.told, alert, now));
    series.told = None;
}

/// Where a key's cells begin.
fn phase_of(setting: Setting<'_>, endpoint: Option<&Endpoint>) -> u64 {
    let (partner, route) = endpoint.map_or(("", ""), |endpoint| (&*endpoint.partner, &*endpoint.route));
    stable::hash(&[setting.tenant.as_str(), partner, route])
}
