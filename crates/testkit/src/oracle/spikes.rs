//! `request_spike`, of its classes `traffic.spike` and `traffic.flood`, on the first day of a tenant
//! whose contract says nothing.

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Observation, ObservationKind, Severity};

use super::{Verdict, by_key, label};

const FAMILY: &str = "traffic.spike";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const GAP_MS: i64 = 30 * MINUTE_MS;
/// Bad minutes are counted over so many; so many are not yet taken for usual.
const WINDOW: usize = 5;
const BAD_OF_WINDOW: usize = 3;
/// Fewer requests a minute than this are no flood, a tenth of it is usual for anyone.
const FLOOD_MIN: f64 = 600.0;
const SPIKE_MIN: f64 = 120.0;
/// Before so many minutes are known nothing is usual, and an hour with fewer than ten says nothing.
const COLD_MINUTES: usize = 60;
const HOUR_MIN: usize = 10;
/// The spike of more endpoints at once is the whole tenant's.
const ENDPOINTS_AT_ONCE: usize = 3;
const REFUSALS: [i32; 4] = [401, 403, 404, 429];

/// Partner as the payload has it, and route.
type Endpoint<'o> = (&'o str, &'o str);

/// One minute of one endpoint, or of a whole tenant.
#[derive(Default)]
struct Minute {
    time: EventTime,
    total: u64,
    by_status: BTreeMap<i32, u64>,
    /// Far more than usual.
    excess: Option<Excess>,
    /// Bad, but told of by the tenant as a whole.
    is_set_aside: bool,
}

#[derive(Clone, Copy)]
struct Excess {
    usual: f64,
    is_flood: bool,
}

/// What is usual for a minute.
struct Usual {
    median: f64,
    sigma: f64,
    max: f64,
}

/// A stretch in which there is far more than usual.
struct Episode {
    start: EventTime,
    /// The bad minutes, by their place in the series.
    members: Vec<usize>,
    first_seen: EventTime,
    last_seen: EventTime,
    excess: f64,
    excess_by_status: BTreeMap<i32, f64>,
    is_flood: bool,
    severity: Severity,
}

impl Episode {
    fn is_open_at(&self, time: EventTime) -> bool {
        self.start <= time && time - self.last_seen < GAP_MS
    }
}

#[derive(Default)]
struct Series {
    minutes: Vec<Minute>,
    episodes: Vec<Episode>,
    /// Stretches, from and to, of which this series learns nothing because another tells of them.
    told_by_others: Vec<(EventTime, EventTime)>,
}

/// One verdict for each spike of each endpoint, and of each tenant as a whole.
pub(super) fn verdicts(observations: &[Observation<'static>]) -> Vec<Verdict> {
    let tenants = by_key(observations, ObservationKind::Requests, |_| Some(String::new()));
    tenants.into_iter().flat_map(|((tenant, _), rows)| of_tenant(tenant, &rows)).collect()
}

fn of_tenant(tenant: &str, rows: &[&Observation<'static>]) -> Vec<Verdict> {
    let mut whole = Series { minutes: minutes(rows), ..Series::default() };
    let hours: BTreeSet<_> = whole.minutes.iter().map(|minute| minute.time.floor(HOUR_MS)).collect();
    let mut rows_of: BTreeMap<Endpoint<'_>, Vec<&Observation<'static>>> = BTreeMap::new();
    for row in rows {
        let partner = row.partner_id.as_deref().unwrap_or_default();
        rows_of.entry((partner, row.route.as_deref().unwrap_or("(none)"))).or_default().push(row);
    }
    let mut endpoints: BTreeMap<_, _> = rows_of
        .into_iter()
        .map(|(endpoint, rows)| {
            let minutes = with_silence(minutes(&rows), &hours);
            (endpoint, Series { minutes, ..Series::default() })
        })
        .collect();
    for n in 0..whole.minutes.len() {
        judge_minute(n, &mut whole, &mut endpoints);
    }
    let of_endpoints = endpoints.iter().flat_map(|(endpoint, series)| series.verdicts(tenant, *endpoint));
    of_endpoints.chain(whole.verdicts(tenant, ("", ""))).collect()
}

/// The minutes in which anything came, in order.
fn minutes(rows: &[&Observation<'static>]) -> Vec<Minute> {
    let mut minutes: BTreeMap<EventTime, Minute> = BTreeMap::new();
    for row in rows {
        let time = row.time.unwrap_or_default().floor(MINUTE_MS);
        let count = row.count.unwrap_or(1).max(0) as u64;
        let minute = minutes.entry(time).or_insert(Minute { time, ..Minute::default() });
        minute.total += count;
        *minute.by_status.entry(row.status.unwrap_or_default()).or_default() += count;
    }
    minutes.into_values().collect()
}

/// With the minutes in between in which nothing came, in the hours in which its tenant was there.
fn with_silence(minutes: Vec<Minute>, hours: &BTreeSet<EventTime>) -> Vec<Minute> {
    let mut all: Vec<Minute> = Vec::new();
    for minute in minutes {
        if let Some(mut time) = all.last().map(|last| last.time + MINUTE_MS) {
            while time < minute.time {
                if hours.contains(&time.floor(HOUR_MS)) {
                    all.push(Minute { time, ..Minute::default() });
                }
                time = time + MINUTE_MS;
            }
        }
        all.push(minute);
    }
    all
}

/// Judges the tenant's minute `n`. Who speaks of it is its endpoints, unless the tenant as a whole
/// is flooded, or more than three of them are bad at once, or they explain less than half of it.
fn judge_minute(n: usize, whole: &mut Series, endpoints: &mut BTreeMap<Endpoint<'_>, Series>) {
    let time = whole.minutes[n].time;
    whole.minutes[n].excess = whole.flood(n).or_else(|| whole.spike(n));
    let mut bad = Vec::new();
    for series in endpoints.values_mut() {
        let Ok(n) = series.minutes.binary_search_by_key(&time, |minute| minute.time) else { continue };
        series.minutes[n].excess = series.spike(n);
        if series.is_hit(n) {
            bad.push((n, series));
        }
    }
    let explained: f64 = bad.iter().map(|(n, series)| series.minutes[*n].above_usual()).sum();
    let is_flood = whole.minutes[n].excess.is_some_and(|excess| excess.is_flood);
    let is_whole =
        is_flood || bad.len() > ENDPOINTS_AT_ONCE || explained < 0.5 * whole.minutes[n].above_usual();
    let whole_speaks = whole.is_open_at(time) || whole.is_hit(n) && is_whole;
    for (n, series) in bad {
        if whole_speaks && !series.is_open_at(time) {
            series.minutes[n].is_set_aside = true;
        } else {
            series.extend(n);
        }
    }
    if whole_speaks && whole.is_hit(n) {
        whole.extend(n);
    }
    let episodes = endpoints.values().flat_map(|series| &series.episodes);
    whole.told_by_others = episodes.map(|episode| (episode.first_seen, episode.last_seen + GAP_MS)).collect();
}

impl Minute {
    fn above_usual(&self) -> f64 {
        self.excess.map_or(0.0, |excess| self.total as f64 - excess.usual)
    }
}

impl Series {
    fn is_open_at(&self, time: EventTime) -> bool {
        self.episodes.iter().any(|episode| episode.is_open_at(time))
    }

    /// Nothing that is told of is usual.
    fn is_odd(&self, n: usize) -> bool {
        let time = self.minutes[n].time;
        let is_told = self.told_by_others.iter().any(|(from, to)| (*from..*to).contains(&time));
        let is_member = self.episodes.iter().any(|episode| episode.members.contains(&n));
        self.minutes[n].is_set_aside || is_told || is_member || self.is_open_at(time)
    }

    /// What is known when minute `n` is judged: what was usual up to the five before it.
    fn known_at(&self, n: usize) -> Vec<&Minute> {
        let known = (0..n.saturating_sub(WINDOW)).filter(|n| !self.is_odd(*n));
        known.map(|n| &self.minutes[n]).collect()
    }

    /// At least 120 requests a minute, five times the usual, a quarter above the highest known, and
    /// six deviations above what is usual.
    fn spike(&self, n: usize) -> Option<Excess> {
        let count = self.minutes[n].total as f64;
        let usual = usual(&self.known_at(n))?;
        let z = (count - usual.median) / (usual.sigma * usual.sigma + usual.median + 1.0).sqrt();
        let is_bad =
            count >= SPIKE_MIN && count >= 5.0 * usual.median && count > 1.25 * usual.max && z >= 6.0;
        is_bad.then_some(Excess { usual: usual.median, is_flood: false })
    }

    /// At least 600 requests a minute, ten times what was usual when the hour before began, and a
    /// quarter above the highest known then.
    fn flood(&self, n: usize) -> Option<Excess> {
        let count = self.minutes[n].total as f64;
        let hour_before = self.minutes[n].time.floor(HOUR_MS) - HOUR_MS;
        let then = self.minutes.iter().position(|minute| minute.time >= hour_before)?;
        let usual = usual(&self.known_at(then))?;
        let is_flood = count >= FLOOD_MIN && count >= 10.0 * usual.median && count >= 1.25 * usual.max;
        is_flood.then_some(Excess { usual: usual.median, is_flood: true })
    }

    /// The bad minutes among the five that end with minute `n`.
    fn bad_minutes(&self, n: usize) -> Vec<usize> {
        let window = n.saturating_sub(WINDOW - 1)..=n;
        let is_recent = |m: &usize| self.minutes[n].time - self.minutes[*m].time < WINDOW as i64 * MINUTE_MS;
        window.filter(is_recent).filter(|m| self.minutes[*m].excess.is_some()).collect()
    }

    /// Whether minute `n` is bad and enough of the minutes before, or it belongs to an episode.
    fn is_hit(&self, n: usize) -> bool {
        let Minute { time, excess: Some(excess), .. } = self.minutes[n] else { return false };
        excess.is_flood || self.bad_minutes(n).len() >= BAD_OF_WINDOW || self.is_open_at(time)
    }

    fn extend(&mut self, n: usize) {
        let Minute { time, .. } = self.minutes[n];
        if !self.is_open_at(time) {
            let members = self.bad_minutes(n).into_iter().filter(|m| *m == n || !self.is_odd(*m)).collect();
            self.open(time, members, n);
        } else if let Some(mut episode) = self.episodes.pop() {
            episode.members.push(n);
            self.add(&mut episode, n, n);
            self.episodes.push(episode);
        }
    }

    fn open(&mut self, start: EventTime, members: Vec<usize>, now: usize) {
        let first_seen = self.minutes[members[0]].time;
        let mut episode = Episode {
            start,
            members,
            first_seen,
            last_seen: start,
            excess: 0.0,
            excess_by_status: BTreeMap::new(),
            is_flood: false,
            severity: Severity::Medium,
        };
        for member in episode.members.clone() {
            self.add(&mut episode, member, now);
        }
        self.episodes.push(episode);
    }

    /// Adds minute `n`, with what is usual at minute `now`. High is what is mostly refused.
    fn add(&self, episode: &mut Episode, n: usize, now: usize) {
        let known = self.known_at(now + 1);
        let total: u64 = known.iter().map(|minute| minute.total).sum();
        let minute = &self.minutes[n];
        let Some(excess) = minute.excess else { return };
        episode.last_seen = episode.last_seen.max(minute.time);
        episode.is_flood |= excess.is_flood;
        episode.excess += minute.above_usual();
        for (status, count) in &minute.by_status {
            let of_status: u64 = known.iter().filter_map(|minute| minute.by_status.get(status)).sum();
            let share = of_status as f64 / total.max(1) as f64;
            *episode.excess_by_status.entry(*status).or_default() += *count as f64 - share * excess.usual;
        }
        if n == now {
            let refused: f64 =
                REFUSALS.iter().filter_map(|status| episode.excess_by_status.get(status)).sum();
            let is_high = episode.is_flood || refused >= 0.6 * episode.excess;
            episode.severity = episode.severity.max(if is_high { Severity::High } else { Severity::Medium });
        }
    }

    fn verdicts(&self, tenant: &str, (partner, route): Endpoint<'_>) -> Vec<Verdict> {
        let entity = match (partner, route) {
            ("", "") => tenant.to_owned(),
            ("", route) => route.to_owned(),
            (partner, route) if partner == tenant => route.to_owned(),
            (partner, route) => format!("{partner} {route}"),
        };
        let starts: Vec<_> = self.episodes.iter().map(|episode| episode.start).collect();
        let labels = label::of(&[tenant, partner, route], &starts);
        let told = labels.iter().zip(&self.episodes).map(|(label, episode)| Verdict {
            dedup_key: format!("{tenant}/{FAMILY}/{entity}/{label}"),
            detector: "request_spike".to_owned(),
            class: if episode.is_flood { "traffic.flood" } else { "traffic.spike" }.to_owned(),
            tenant: tenant.to_owned(),
            entity: entity.clone(),
            severity: episode.severity,
            count: episode.members.iter().map(|n| self.minutes[*n].total).sum(),
            first_seen: episode.first_seen,
            last_seen: episode.last_seen,
        });
        told.collect()
    }
}

/// The highest median, spread and count of any hour that is known, once enough is.
fn usual(known: &[&Minute]) -> Option<Usual> {
    let mut hours: BTreeMap<EventTime, Vec<f64>> = BTreeMap::new();
    for minute in known {
        hours.entry(minute.time.floor(HOUR_MS)).or_default().push(minute.total as f64);
    }
    let hours: Vec<_> = hours.into_values().filter(|hour| hour.len() >= HOUR_MIN).collect();
    let highest = |of: fn(&[f64]) -> f64| hours.iter().map(|hour| of(hour)).fold(0.0, f64::max);
    let deviation = |hour: &[f64]| {
        let middle = median(hour);
        let off: Vec<_> = hour.iter().map(|count| (count - middle).abs()).collect();
        1.4826 * median(&off)
    };
    let max = |hour: &[f64]| hour.iter().copied().fold(0.0, f64::max);
    let is_known = known.len() >= COLD_MINUTES && !hours.is_empty();
    is_known.then(|| Usual { median: highest(median), sigma: highest(deviation), max: highest(max) })
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
