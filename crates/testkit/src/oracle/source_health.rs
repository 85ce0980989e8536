//! `source_health`, on the first day of a feed, while somebody reads it all the time. (Which times of
//! the week are quiet takes days to learn, and is not written a second time.)

use std::collections::{BTreeMap, BTreeSet};

use event::{DELAYS_MS, EventTime, Observation, ObservationKind, Severity};

use super::{Verdict, label};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const WINDOW_MS: i64 = 10 * MINUTE_MS;
/// That everything was read is believed of a minute ago.
const SLACK_MS: i64 = MINUTE_MS;
/// So many pauses are known before any is too long, and so many of the last count.
const PAUSES: std::ops::RangeInclusive<usize> = 20..=200;
/// So many lines are enough to judge a clock by.
const LINES_MIN: u64 = 50;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// All that is wrong with these feeds, everything that had come by `read_up_to` having been read.
pub fn source_health(observations: &[Observation<'static>], read_up_to: EventTime) -> BTreeSet<Verdict> {
    let mut feeds: BTreeMap<(&str, &str), Vec<&Observation<'static>>> = BTreeMap::new();
    for o in observations.iter().filter(|o| o.kind == Some(ObservationKind::Source.code())) {
        let (tenant, topic) = (o.tenant.as_deref().unwrap_or(""), o.kafka_topic.as_deref().unwrap_or(""));
        feeds.entry((tenant, topic)).or_default().push(o);
    }
    let up_to = read_up_to - SLACK_MS;
    let of_feed = |((tenant, topic), lines): ((&str, &str), Vec<&Observation<'static>>)| {
        let mut shippers: BTreeMap<&str, Vec<&Observation<'static>>> = BTreeMap::new();
        for line in &lines {
            shippers.entry(line.shipper_id.as_deref().unwrap_or("")).or_default().push(line);
        }
        let skews =
            shippers.into_iter().flat_map(|(shipper, lines)| skews(tenant, topic, shipper, &lines, up_to));
        silences(tenant, topic, &lines, up_to).into_iter().chain(skews).collect::<Vec<_>>()
    };
    feeds.into_iter().flat_map(of_feed).collect()
}

fn arrived(o: &Observation<'_>) -> EventTime {
    o.time.unwrap_or_default()
}

fn last_arrived(o: &Observation<'_>) -> EventTime {
    o.ingest_time.unwrap_or_default()
}

/// A pause between two minutes with lines is too long if it is longer than ten minutes and three
/// times the longest that is to be expected of those that were not.
fn silences(tenant: &str, topic: &str, lines: &[&Observation<'static>], up_to: EventTime) -> Vec<Verdict> {
    let mut minutes: BTreeMap<EventTime, (EventTime, EventTime)> = BTreeMap::new();
    for line in lines {
        let (first, last) = (arrived(line), last_arrived(line));
        let minute = minutes.entry(first.floor(MINUTE_MS)).or_insert((first, last));
        *minute = (minute.0.min(first), minute.1.max(last));
    }
    let (mut found, mut pauses, mut before) = (Vec::new(), Vec::new(), None);
    let is_past = |minute: &EventTime| *minute + MINUTE_MS <= up_to;
    let all_are_past = minutes.keys().all(is_past);
    let told = |since: EventTime, last_seen| {
        verdict(Said {
            class: "source.silent",
            tenant,
            entity: topic.to_owned(),
            start: since,
            severity: Severity::Medium,
            count: 1,
            seen: (since, last_seen),
        })
    };
    for (_, (first, last)) in minutes.iter().filter(|(minute, _)| is_past(minute)) {
        if let Some(since) = before {
            match longest(&pauses) {
                Some(longest) if *first - since > longest => found.push(told(since, *first)),
                _ => pauses.push(*first - since),
            }
        }
        before = Some(*last);
    }
    if let (Some(since), Some(longest), true) = (before, longest(&pauses), all_are_past)
        && up_to - since > longest
    {
        found.push(told(since, since + longest));
    }
    found
}

fn longest(pauses: &[i64]) -> Option<i64> {
    let counted = &pauses[pauses.len().saturating_sub(*PAUSES.end())..];
    let longest = counted.iter().max().filter(|_| counted.len() >= *PAUSES.start())?;
    // The longest of 200 is the 99.5th percentile; of fewer it is that of a smaller number of chances.
    let chances = |count: usize| (count as f64).ln();
    let usual = *longest as f64 * 3.0 * (chances(*PAUSES.end()) / chances(counted.len()));
    Some((usual as i64).max(10 * MINUTE_MS))
}

/// What arrived in ten minutes, or in more where ten hold too little.
#[derive(Clone, Default)]
struct Window<'o> {
    from: EventTime,
    lines: Vec<&'o Observation<'static>>,
}

impl Window<'_> {
    fn count(&self) -> u64 {
        self.lines.iter().map(|o| o.count.unwrap_or(0) as u64).sum()
    }

    /// How far half of the lines are stamped ahead of their arrival at least, in steps.
    fn ahead_ms(&self) -> Option<i64> {
        let ahead_by = |step: i64| -> u64 {
            let ahead = self.lines.iter().filter(|o| o.delay_ms.is_some_and(|delay_ms| -delay_ms >= step));
            ahead.map(|o| o.count.unwrap_or(0) as u64).sum()
        };
        DELAYS_MS
            .into_iter()
            .filter(|step| 2 * ahead_by(*step) >= self.count() && *step >= 5 * SECOND_MS)
            .max()
    }

    /// How long after its stamp the quickest line arrived, where that is neither usual nor history.
    fn behind_ms(&self) -> Option<i64> {
        let quickest = self.lines.iter().filter_map(|o| o.delay_ms).min()?;
        (2 * MINUTE_MS..DAY_MS).contains(&quickest).then_some(quickest)
    }

    fn last(&self) -> EventTime {
        self.lines.iter().map(|o| last_arrived(o)).max().unwrap_or_default()
    }
}

/// A clock is ahead in a window if half of its lines are; behind, from the third window on, if the
/// quickest line always takes as long. Windows in which it is wrong one after the other are one alert.
fn skews(
    tenant: &str,
    topic: &str,
    shipper: &str,
    lines: &[&Observation<'static>],
    up_to: EventTime,
) -> Vec<Verdict> {
    let entity = if shipper.is_empty() { topic.to_owned() } else { format!("{topic} {shipper}") };
    let windows = windows(lines, up_to);
    let is_steady = |n: usize| {
        let quickest = |n: usize| windows[n].behind_ms().filter(|_| windows[n].ahead_ms().is_none());
        let pair = |n: usize| Some((quickest(n.checked_sub(1)?)?, quickest(n)?));
        let alike = |n: usize| pair(n).is_some_and(|(one, other)| (one - other).abs() <= 30 * SECOND_MS);
        alike(n) && alike(n - 1)
    };
    let wrong_by = |n: usize| {
        let behind = windows[n].behind_ms().filter(|_| is_steady(n)).map(|behind_ms| -behind_ms);
        windows[n].ahead_ms().or(behind)
    };
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for n in (0..windows.len()).filter(|n| wrong_by(*n).is_some()) {
        match runs.last_mut() {
            Some(run) if run.last() == Some(&(n - 1)) => run.push(n),
            _ => runs.push(vec![n]),
        }
    }
    let told = |run: &Vec<usize>| {
        let most = run.iter().filter_map(|n| wrong_by(*n)).map(i64::abs).max().unwrap_or(0);
        verdict(Said {
            class: "source.clock_skew",
            tenant,
            entity: entity.clone(),
            start: windows[run[0]].from,
            severity: if most >= 5 * MINUTE_MS { Severity::Medium } else { Severity::Low },
            count: run.iter().map(|n| windows[*n].count()).sum(),
            seen: (windows[run[0]].last(), windows[run[run.len() - 1]].last()),
        })
    };
    runs.iter().map(told).collect()
}

/// The windows that are over and hold enough, each with those before it that held too little.
fn windows<'o>(lines: &[&'o Observation<'static>], up_to: EventTime) -> Vec<Window<'o>> {
    let mut tens: BTreeMap<EventTime, Window<'o>> = BTreeMap::new();
    for line in lines.iter().filter(|o| o.delay_ms.is_some() && o.count.is_some()) {
        let from = arrived(line).floor(WINDOW_MS);
        tens.entry(from).or_insert(Window { from, lines: Vec::new() }).lines.push(line);
    }
    let (mut judged, mut poor) = (Vec::new(), Window::default());
    for ten in tens.into_values().filter(|ten| ten.from + WINDOW_MS <= up_to) {
        if poor.lines.is_empty() {
            poor.from = ten.from;
        }
        poor.lines.extend(ten.lines);
        if poor.count() >= LINES_MIN {
            judged.push(std::mem::take(&mut poor));
        }
    }
    judged
}

/// What identifies an alert, and what it says.
struct Said<'a> {
    class: &'a str,
    tenant: &'a str,
    entity: String,
    start: EventTime,
    severity: Severity,
    count: u64,
    seen: (EventTime, EventTime),
}

fn verdict(said: Said<'_>) -> Verdict {
    let Said { class, tenant, entity, start, severity, count, seen } = said;
    Verdict {
        dedup_key: format!("{tenant}/{class}/{entity}/{}", label::compact(start)),
        detector: "source_health".to_owned(),
        class: class.to_owned(),
        tenant: tenant.to_owned(),
        entity,
        severity,
        count,
        first_seen: seen.0,
        last_seen: seen.1,
    }
}
