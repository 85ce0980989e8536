//! One seed: the lines, through the stages twice, and the judgement.

use std::iter::Peekable;

use detect::{Contract, DetectConfig};
use event::EventTime;
use testkit::quality::{Quality, judge};
use testkit::traffic::{Attacks, Line, Traffic, TrafficConfig};
use testkit::trials::{LENGTH_MS, PAST_MS, Trial, Trials, TrialsConfig};

use super::system::System;

/// Monday, 9 March 2026.
const DAY: EventTime = EventTime(1_773_014_400_000);
/// Attacks that begin later may be cut off by the end.
const CUT_OFF_MS: i64 = 1_800_000;

/// What to run.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// About how many lines.
    pub(crate) lines: u64,
    /// How often each kind of trial is played.
    pub(crate) rounds: usize,
    /// Mean time between the attacks that the traffic makes.
    pub(crate) attack_every_ms: i64,
}

/// What came of it.
pub(crate) struct Judged {
    pub(crate) quality: Quality,
    pub(crate) lines: u64,
}

/// Runs a seed.
pub(crate) fn run(options: &Options) -> Judged {
    let mut lines = Lines::new(options);
    let config = lines.detect_config();
    let mut system = System::new(&config, DAY - PAST_MS);
    let mut count = 0;
    for line in &mut lines {
        system.read(&line, if line.time < DAY { 300_000 } else { 10_000 });
        count += 1;
    }
    let told = system.finish(DAY + LENGTH_MS);
    let quality = judge(&lines.trials(), &told, DAY + LENGTH_MS - CUT_OFF_MS);
    Judged { quality, lines: count }
}

/// Ordinary traffic with the trials in it, in the order of arrival.
pub(crate) struct Lines {
    traffic: Traffic,
    next: Option<Line>,
    played: Peekable<std::vec::IntoIter<Line>>,
    trials: Vec<Trial>,
}

impl Lines {
    pub(crate) fn new(options: &Options) -> Self {
        let traffic = TrafficConfig {
            seed: options.seed,
            start: DAY,
            duration_ms: Some(LENGTH_MS),
            attacks: Attacks::Some { every_ms: options.attack_every_ms, warmup_ms: CUT_OFF_MS },
            ..TrafficConfig::default()
        };
        let tenants = Traffic::new(traffic.clone()).contracts().into_iter().map(|(tenant, _)| tenant);
        let played = Trials::new(&TrialsConfig {
            seed: options.seed,
            rounds: options.rounds,
            day: DAY,
            tenants: tenants.collect(),
        });
        let ordinary = options.lines.saturating_sub(played.lines.len() as u64).max(30_000);
        let events_per_second = ordinary as f64 * 1e3 / LENGTH_MS as f64;
        let mut traffic = Traffic::new(TrafficConfig { events_per_second, ..traffic });
        Self {
            next: traffic.next(),
            traffic,
            played: played.lines.into_iter().peekable(),
            trials: played.trials,
        }
    }

    pub(crate) fn detect_config(&self) -> DetectConfig {
        let contracts = self.traffic.contracts().into_iter().map(|(tenant, requests_per_minute)| {
            (tenant, Contract { requests_per_minute, ..Contract::default() })
        });
        DetectConfig { contracts: contracts.collect(), ..DetectConfig::default() }
    }

    /// All trials, and the attacks that the traffic has made.
    fn trials(self) -> Vec<Trial> {
        let labelled = self.traffic.labels().iter().map(Trial::from);
        self.trials.into_iter().chain(labelled).collect()
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let of_traffic = self.next.as_ref().map_or(i64::MAX, |line| line.time.millis());
        if let Some(line) = self.played.next_if(|line| line.time.millis() <= of_traffic) {
            return Some(line);
        }
        std::mem::replace(&mut self.next, self.traffic.next())
    }
}
