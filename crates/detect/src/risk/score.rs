//! How many points there are at a moment, and where they come from.

use std::collections::{BTreeMap, BTreeSet};

use event::EventTime;

use super::config::RiskConfig;
use super::signal::Signal;

/// After so many half-lives nothing is left.
pub(super) const HALF_LIVES_MAX: i64 = 8;

/// Alerts by their ids.
pub(super) type Signals = BTreeMap<Box<str>, Signal>;

/// What one detector adds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub(super) alerts: u64,
    pub(super) points: u64,
}

/// An alert that counts.
#[derive(Clone, Copy)]
pub(super) struct Counted<'s> {
    pub(super) id: &'s str,
    pub(super) signal: &'s Signal,
    pub(super) points: u64,
}

/// The points at one moment.
pub(super) struct Score<'s> {
    pub(super) at: EventTime,
    pub(super) points: u64,
    pub(super) detectors: BTreeMap<&'s str, Share>,
    pub(super) tactics: BTreeMap<&'static str, u64>,
    /// What is worth something, the most first.
    pub(super) alerts: Vec<Counted<'s>>,
}

/// What an alert is worth at a moment, in whole points, so that sums do not hang on the order of adding and
/// people can add up what they read. While it goes on it keeps all of its points; what is worth less than
/// half of one counts for nothing, and is no detector or tactic of its own.
fn worth(signal: &Signal, at: EventTime, config: &RiskConfig) -> Option<u64> {
    let age_ms = (at - signal.last).max(0);
    if signal.first() > at || age_ms > HALF_LIVES_MAX * config.half_life_ms {
        return None;
    }
    let left = (-(age_ms as f64) / config.half_life_ms as f64).exp2();
    let points = (f64::from(config.points_of(signal.severity)) * left).round() as u64;
    (points > 0).then_some(points)
}

impl<'s> Score<'s> {
    /// The points at a moment. Of a partner each detector's worst alert counts, for how many there are grows
    /// with the partner's size; of anything else all that a detector tells, up to its most.
    pub(super) fn at(at: EventTime, signals: &'s Signals, is_partner: bool, config: &RiskConfig) -> Self {
        let mut score =
            Self { at, points: 0, detectors: BTreeMap::new(), tactics: BTreeMap::new(), alerts: Vec::new() };
        for (id, signal) in signals {
            let Some(points) = worth(signal, at, config) else { continue };
            let share = score.detectors.entry(&signal.detector).or_default();
            share.alerts += 1;
            share.points = if is_partner { share.points.max(points) } else { share.points + points };
            *score.tactics.entry(signal.tactic()).or_default() += 1;
            score.alerts.push(Counted { id, signal, points });
        }
        let most = u64::from(config.detector_points_max);
        score.detectors.values_mut().for_each(|share| share.points = share.points.min(most));
        score.points = score.detectors.values().map(|share| share.points).sum();
        score.alerts.sort_by(|a, b| b.points.cmp(&a.points).then(a.id.cmp(b.id)));
        score
    }

    /// Whether it is to be told.
    pub(super) fn is_met(&self, config: &RiskConfig) -> bool {
        let from_many = self.detectors.len() >= config.detectors as usize;
        self.points >= config.points.into() && (from_many || self.tactics.len() >= config.tactics as usize)
    }

    /// Whether it is as much again.
    pub(super) fn is_twice(&self, config: &RiskConfig) -> bool {
        self.points >= 2 * u64::from(config.points)
    }

    /// The techniques of its alerts.
    pub(super) fn techniques(&self) -> BTreeSet<&'s str> {
        self.alerts.iter().flat_map(|counted| &counted.signal.techniques).map(|id| &**id).collect()
    }
}
