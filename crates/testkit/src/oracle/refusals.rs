//! `request_spike`, of its classes `auth.rate_anomaly`, on the first day of a tenant.

use std::collections::BTreeMap;

use event::{EventTime, Observation, ObservationKind, Severity};

use super::{Verdict, by_key, label};

const CLASS: &str = "auth.rate_anomaly";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const WINDOW_MS: i64 = 10 * MINUTE_MS;
const GAP_MS: i64 = 30 * MINUTE_MS;
/// So many refused requests, and no share is taken of fewer requests.
const REFUSALS_MIN: u64 = 30;
/// Before so many shares are known nothing is usual.
const COLD_MINUTES: usize = 60;
/// An hour with fewer shares than this says nothing.
const HOUR_MIN: usize = 10;

/// A tenant's requests of one minute.
struct Minute {
    time: EventTime,
    total: u64,
    /// Answered 401.
    refused: u64,
}

/// A stretch in which far more than usual was refused.
struct Surge {
    start: EventTime,
    /// The minutes that count, and how much was refused in each.
    members: Vec<(EventTime, u64)>,
}

/// One verdict for each surge of each tenant.
pub(super) fn verdicts(observations: &[Observation<'static>]) -> Vec<Verdict> {
    let tenants = by_key(observations, ObservationKind::Requests, |_| Some(String::new()));
    tenants
        .into_iter()
        .flat_map(|((tenant, _), rows)| verdicts_on(tenant, &surges(&minutes(&rows))))
        .collect()
}

fn verdicts_on(tenant: &str, surges: &[Surge]) -> Vec<Verdict> {
    let starts: Vec<_> = surges.iter().map(|surge| surge.start).collect();
    let labels = label::of(&[tenant, CLASS], &starts);
    let told = labels.iter().zip(surges).map(|(label, surge)| Verdict {
        dedup_key: format!("{tenant}/{CLASS}/{tenant}/{label}"),
        detector: "request_spike".to_owned(),
        class: CLASS.to_owned(),
        tenant: tenant.to_owned(),
        entity: tenant.to_owned(),
        severity: Severity::Medium,
        count: surge.members.iter().map(|(_, refused)| refused).sum(),
        first_seen: surge.members[0].0,
        last_seen: surge.last(),
    });
    told.collect()
}

/// The minutes in which anything came, in order.
fn minutes(rows: &[&Observation<'static>]) -> Vec<Minute> {
    let mut minutes: BTreeMap<EventTime, Minute> = BTreeMap::new();
    for row in rows {
        let time = row.time.unwrap_or_default().floor(MINUTE_MS);
        let count = row.count.unwrap_or(1).max(0) as u64;
        let minute = minutes.entry(time).or_insert(Minute { time, total: 0, refused: 0 });
        minute.total += count;
        minute.refused += if row.status == Some(401) { count } else { 0 };
    }
    minutes.into_values().collect()
}

impl Surge {
    fn last(&self) -> EventTime {
        self.members[self.members.len() - 1].0
    }
}

/// Where in ten minutes thirty requests or more were refused, a fifth of all, and five times the
/// usual share. What is usual is the share of all ten minutes before that lie in no surge.
fn surges(minutes: &[Minute]) -> Vec<Surge> {
    let mut surges: Vec<Surge> = Vec::new();
    let mut usual_shares: Vec<(EventTime, u64)> = Vec::new();
    for (n, minute) in minutes.iter().enumerate() {
        let window: Vec<_> = minutes[..=n].iter().filter(|m| minute.time - m.time < WINDOW_MS).collect();
        let total: u64 = window.iter().map(|m| m.total).sum();
        let refused: u64 = window.iter().map(|m| m.refused).sum();
        if total < REFUSALS_MIN {
            continue;
        }
        let share = refused as f64 / total as f64;
        let threshold = usual(&usual_shares).map(|usual| (5.0 * usual).max(0.2));
        let is_bad = refused >= REFUSALS_MIN && threshold.is_some_and(|threshold| share >= threshold);
        let open = surges.last_mut().filter(|surge| minute.time - surge.last() < GAP_MS);
        match (open, is_bad) {
            (Some(open), true) => open.members.extend(member(minute)),
            (None, true) => {
                let members = window.into_iter().filter_map(member).collect();
                surges.push(Surge { start: minute.time, members });
            }
            (None, false) => usual_shares.push((minute.time, (share * 1_000.0) as u64)),
            (Some(_), false) => {}
        }
    }
    surges
}

fn member(minute: &Minute) -> Option<(EventTime, u64)> {
    (minute.refused > 0).then_some((minute.time, minute.refused))
}

/// The highest median of any hour that is known, once enough is.
fn usual(shares: &[(EventTime, u64)]) -> Option<f64> {
    let mut hours: BTreeMap<EventTime, Vec<u64>> = BTreeMap::new();
    for (time, thousandths) in shares {
        hours.entry(time.floor(HOUR_MS)).or_default().push(*thousandths);
    }
    let medians = hours.into_values().filter(|hour| hour.len() >= HOUR_MIN).map(median);
    medians.max().filter(|_| shares.len() >= COLD_MINUTES).map(|median| median as f64 / 1_000.0)
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort();
    values[values.len() / 2]
}
