//! How good what was told is: which attacks were found and when, what was told of none, and what of
//! that which only looks like an attack.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use event::{Alert, EventTime, Severity};

use crate::trials::{Expected, Trial};

/// An alert in its last state.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it says.
    pub alert: Alert,
    /// How far event time had come when it was first told.
    pub told_at: EventTime,
}

/// What became of the attacks of one class, and of its alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfClass {
    /// Attacks of which it had to be told.
    pub labelled: usize,
    /// Milliseconds from the first line of each attack that was found to the alert.
    pub delays_ms: Vec<i64>,
    /// Alerts above info that tell of an attack of which they may.
    pub right: usize,
    /// Alerts above info that do not.
    pub wrong: usize,
}

/// The judgement over one or more runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// By class.
    pub classes: BTreeMap<String, OfClass>,
    /// How often each near-miss was played, and of how many something was told.
    pub near_misses: BTreeMap<String, (usize, usize)>,
    /// Attacks that were not found, in words.
    pub missed: Vec<String>,
    /// Alerts that tell of no attack, in words.
    pub false_alarms: Vec<String>,
}

/// Holds what was told against what was played. That alerts add up to something is right where one of them is. An
/// alert that began after `unlabelled_from` and is about no trial is not judged: attacks that the end cut off have
/// no label.
pub fn judge(trials: &[Trial], told: &[Told], unlabelled_from: EventTime) -> Quality {
    let mut quality = Quality::default();
    trials.iter().for_each(|trial| quality.attack(trial, told));
    let mut told_of: BTreeMap<usize, u64> = BTreeMap::new();
    let is_right =
        |alert: &Alert| trials.iter().any(|trial| trial.is_told_by(alert) || may_be_told_of(trial, alert));
    let right: BTreeSet<&str> =
        told.iter().filter(|one| is_right(&one.alert)).map(|one| one.alert.alert_id.as_str()).collect();
    for one in told.iter().filter(|one| one.alert.severity > Severity::Info) {
        let is_right =
            right.contains(one.alert.alert_id.as_str()) || led_there(&one.alert).any(|id| right.contains(id));
        quality.alert(one, is_right, trials, &mut told_of, unlabelled_from);
    }
    for (number, trial) in trials.iter().enumerate() {
        if matches!(trial.expected, Expected::NothingAbove(_)) {
            let (played, wrong) = quality.near_misses.entry(trial.name.clone()).or_default();
            *played += 1;
            *wrong += usize::from(told_of.contains_key(&number));
        }
    }
    quality
}

fn may_be_told_of(trial: &Trial, alert: &Alert) -> bool {
    trial.is_of(alert) && trial.also.contains(&alert.class)
}

/// The ids of the alerts that an alert is made of; none but a risk is.
pub fn led_there(alert: &Alert) -> impl Iterator<Item = &str> {
    let alerts = alert.details.get("alerts").and_then(|alerts| alerts.as_array());
    alerts.into_iter().flatten().filter_map(|one| one["alert_id"].as_str())
}

impl Quality {
    /// Adds the judgement over another run.
    pub fn add(&mut self, other: Self) {
        for (class, more) in other.classes {
            let known = self.classes.entry(class).or_default();
            known.labelled += more.labelled;
            known.delays_ms.extend(more.delays_ms);
            known.right += more.right;
            known.wrong += more.wrong;
        }
        for (name, (played, wrong)) in other.near_misses {
            let known = self.near_misses.entry(name).or_default();
            *known = (known.0 + played, known.1 + wrong);
        }
        self.missed.extend(other.missed);
        self.false_alarms.extend(other.false_alarms);
    }

    /// Whether every attack was found, and nothing told but of attacks.
    pub fn is_flawless(&self) -> bool {
        self.missed.is_empty() && self.false_alarms.is_empty()
    }

    fn attack(&mut self, trial: &Trial, told: &[Told]) {
        let Expected::Told(classes) = &trial.expected else { return };
        let right = told.iter().filter(|one| trial.is_told_by(&one.alert));
        let first = right.min_by_key(|one| one.told_at);
        let class = first.map_or(&classes[0], |one| &one.alert.class);
        let of_class = self.classes.entry(class.clone()).or_default();
        of_class.labelled += 1;
        match first {
            Some(one) => of_class.delays_ms.push((one.told_at - trial.start).max(0)),
            None => {
                let others = told.iter().filter(|one| trial.is_of(&one.alert));
                let others: Vec<_> = others.map(|one| one.alert.class.as_str()).collect();
                self.missed.push(format!(
                    "{} at {} from {}: {} not told, only {others:?}",
                    trial.name, trial.tenant, trial.start, classes[0]
                ));
            }
        }
    }

    fn alert(
        &mut self,
        one: &Told,
        is_right: bool,
        trials: &[Trial],
        told_of: &mut BTreeMap<usize, u64>,
        unlabelled_from: EventTime,
    ) {
        let alert = &one.alert;
        let about: Vec<_> = trials.iter().enumerate().filter(|(_, trial)| trial.is_of(alert)).collect();
        if !is_right && about.is_empty() && alert.first_seen >= unlabelled_from {
            return;
        }
        let is_allowed = about.iter().any(|(number, trial)| match trial.expected {
            Expected::NothingAbove(most) if alert.severity <= most => !told_of.contains_key(number),
            _ => false,
        });
        let of_class = self.classes.entry(alert.class.clone()).or_default();
        if is_right {
            of_class.right += 1;
            return;
        }
        if is_allowed {
            return;
        }
        of_class.wrong += 1;
        for (number, _) in &about {
            *told_of.entry(*number).or_default() += 1;
        }
        let names: Vec<_> = about.iter().map(|(_, trial)| trial.name.as_str()).collect();
        let whose = if names.is_empty() { "ordinary traffic".to_owned() } else { names.join(", ") };
        let severity = alert.severity.as_str();
        self.false_alarms.push(format!("{whose}: {} {severity}, {}", alert.class, alert.title));
    }
}

#[cfg(test)]
mod tests;
