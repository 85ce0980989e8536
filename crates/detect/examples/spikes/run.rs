//! One load through the detectors, and what was told of it.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use detect::{DetectConfig, Engine};
use event::ids::digest;
use event::{
    Alert, EventTime, Observation, ObservationBatch, ObservationBatchBuilder, ObservationKind, SourceProgress,
};
use testkit::load::{KeyLoad, LoadConfig};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1_440 * MINUTE_MS;
/// An alert so long after a surge or a job is still about it.
const AFTER_MINUTES: i64 = 5;

pub(crate) const HEADER: &str = "| load | false a day and 100 keys | … in the last week | … on the first day | … at a job | surges found | delay, half of them | at most |\n|---|---:|---:|---:|---:|---:|---:|---:|";

/// What was told over one or more runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    key_days: f64,
    keys: f64,
    /// When each false episode began: days after the start, and whether a job ran.
    wrong: Vec<(i64, bool)>,
    surges: usize,
    /// Minutes from the beginning of each surge that was found until it was told.
    delays: Vec<i64>,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.key_days += other.key_days;
        self.keys += other.keys;
        self.wrong.extend(&other.wrong);
        self.surges += other.surges;
        self.delays.extend(&other.delays);
    }

    /// The figure that the goal is about.
    pub(crate) fn false_per_hundred_key_days(&self) -> f64 {
        self.rate(self.wrong.len(), self.key_days)
    }

    /// The share of surges that were found.
    pub(crate) fn found(&self) -> f64 {
        self.delays.len() as f64 / self.surges.max(1) as f64
    }

    fn rate(&self, episodes: usize, key_days: f64) -> f64 {
        100.0 * episodes as f64 / key_days.max(1.0)
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let days = (self.key_days / self.keys.max(1.0)) as i64;
        let of = |is: &dyn Fn(&(i64, bool)) -> bool| self.wrong.iter().filter(|wrong| is(wrong)).count();
        let last_week = self.rate(of(&|(day, _)| *day >= days - 7), 7.0 * self.keys);
        let first_day = self.rate(of(&|(day, _)| *day == 0), self.keys);
        let at_jobs = self.rate(of(&|(_, job)| *job), self.key_days);
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        let (half, most) = (delays.get(delays.len() / 2), delays.last());
        let minutes = |delay: Option<&i64>| delay.map_or("–".to_owned(), |delay| format!("{delay} min"));
        write!(
            f,
            "{:.2} | {last_week:.2} | {first_day:.2} | {at_jobs:.2} | {:.1} % | {} | {}",
            self.false_per_hundred_key_days(),
            100.0 * self.found(),
            minutes(half),
            minutes(most)
        )
    }
}

/// An alert, and how far event time had come when it was first told.
struct Told {
    alert: Alert,
    told_at: EventTime,
}

/// Lets a load come minute by minute.
pub(crate) fn run(load: &LoadConfig) -> Figures {
    let mut keys: Vec<_> = (0..load.keys).map(|number| KeyLoad::new(load, number)).collect();
    let mut engine = Engine::new(&DetectConfig::default());
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for minute in 0..load.days * 1_440 {
        let at = load.start + minute * MINUTE_MS;
        let counts = keys.iter_mut().map(|key| key.count(minute)).collect::<Vec<_>>();
        let (batch, now) = (observations(at, &counts), at + MINUTE_MS);
        let progress: Vec<_> =
            (0..counts.len()).map(|number| SourceProgress::read(source(number), now, now)).collect();
        for change in engine.on_record(&batch, &progress, now) {
            let known = told.get(&change.alert.alert_id).map_or(now, |told| told.told_at);
            told.insert(change.alert.alert_id.clone(), Told { alert: change.alert, told_at: known });
        }
    }
    judged(load, &keys, told.into_values())
}

fn tenant(number: usize) -> String {
    format!("prt_k{number:04}")
}

fn source(number: usize) -> String {
    format!("logs.{}.access/0", tenant(number))
}

/// What NORMALIZE makes of a minute: one row for each key.
fn observations(at: EventTime, counts: &[u64]) -> ObservationBatch {
    let mut builder = ObservationBatchBuilder::default();
    for (number, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let id = digest(&[&number.to_be_bytes(), &at.millis().to_be_bytes()]);
        builder.append(&Observation {
            kind: Some(ObservationKind::Requests.code()),
            time: Some(at),
            ingest_time: Some(at),
            tenant: Some(tenant(number).into()),
            partner_id: Some(tenant(number).into()),
            delivery: Some(id),
            route: Some("POST /v1/sessions".into()),
            status: Some(200),
            count: Some(*count as i64),
            ..Observation::default()
        });
    }
    builder.finish()
}

/// Which surges were told, and what else.
fn judged(load: &LoadConfig, keys: &[KeyLoad], told: impl Iterator<Item = Told>) -> Figures {
    let mut figures = Figures { key_days: load.days as f64 * keys.len() as f64, ..Figures::default() };
    figures.keys = keys.len() as f64;
    figures.surges = keys.iter().filter(|key| key.surge().is_some()).count();
    let mut found: BTreeMap<usize, i64> = BTreeMap::new();
    for Told { alert, told_at } in told.filter(|told| told.alert.detector == "request_spike") {
        let number = keys.iter().enumerate().position(|(number, _)| alert.tenant.as_str() == tenant(number));
        let number = number.expect("an alert is about a key of the load");
        let key = &keys[number];
        let surge = key.surge().filter(|(from, until)| {
            alert.first_seen <= *until + AFTER_MINUTES * MINUTE_MS && alert.last_seen >= *from
        });
        match surge {
            Some((from, _)) => {
                let delay = (told_at - from) / MINUTE_MS;
                found.entry(number).and_modify(|known| *known = delay.min(*known)).or_insert(delay);
            }
            None => {
                let at_job = key.has_job_at(alert.first_seen, AFTER_MINUTES);
                figures.wrong.push(((alert.first_seen - load.start) / DAY_MS, at_job));
            }
        }
    }
    figures.delays = found.into_values().collect();
    figures
}
