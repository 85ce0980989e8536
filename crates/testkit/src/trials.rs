//! Trials: attacks of every kind that the detectors know, and what looks like one and is none, each
//! played out by people, keys and addresses that nobody else has.
//!
//! A trial says what must be told of it, or that nothing may be. Put between the lines of
//! [`Traffic`](crate::traffic::Traffic) they show how good the detectors are; [`crate::quality`] is
//! the judge. Start at [`Trials::new`]; what is played is in the `KINDS` of each file.

mod cast;
mod feeds;
mod keys;
mod logins;
mod lulls;
mod objects;
mod risks;
mod shops;
mod tokens;
mod travels;

use event::{Alert, EventTime, Severity};

use crate::traffic::{Label, Line};
use cast::Cast;

pub(crate) const SECOND_MS: i64 = 1_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// From the day's midnight on everything takes so long.
pub const LENGTH_MS: i64 = 30 * HOUR_MS;
/// The past of what needs one begins so long before the day.
pub const PAST_MS: i64 = 16 * DAY_MS;

/// What to play.
#[derive(Clone, Debug)]
pub struct TrialsConfig {
    /// The same seed (and the same rest) gives the same lines.
    pub seed: u64,
    /// How often each kind is played.
    pub rounds: usize,
    /// Midnight of a Monday; what needs a past has it in the weeks before.
    pub day: EventTime,
    /// Partners in whose logs they are played.
    pub tenants: Vec<String>,
}

/// What must be told of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// An attack: one of these classes. The first is the one that it is counted by.
    Told(Vec<String>),
    /// None: nothing above this severity, and of that no more than one alert.
    NothingAbove(Severity),
}

/// One attack, or something that looks like one.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What it is, e.g. `token_of_another_user`.
    pub name: String,
    /// What must be told of it.
    pub expected: Expected,
    /// Classes that may be told of it besides.
    pub also: Vec<String>,
    /// Whose logs it is in.
    pub tenant: String,
    /// Event time of the first line that belongs to it, its past left out.
    pub start: EventTime,
    /// Event time of the last.
    pub end: EventTime,
    marks: Marks,
}

/// By what an alert is known to be about a trial.
#[derive(Clone, Debug)]
enum Marks {
    /// Its users, keys and feeds have this in their names, and its addresses begin with that.
    Names { tag: String, network: String },
    /// The tenant is its own.
    Tenant,
    /// It was labelled by the traffic.
    Label(Box<Label>),
}

/// How far an alert's events may lie outside of the trial's, because counts are kept by the minute.
const SLACK_MS: i64 = 2 * MINUTE_MS;

impl Trial {
    /// Whether an alert is about what was played here.
    pub fn is_of(&self, alert: &Alert) -> bool {
        let in_time = alert.first_seen <= self.end + SLACK_MS && alert.last_seen >= self.start - SLACK_MS;
        let is_known = || match &self.marks {
            Marks::Tenant => true,
            Marks::Label(label) => label.is_about(alert),
            Marks::Names { tag, network } => {
                let named = |name: &str| name.contains(tag.as_str()) || name.starts_with(network.as_str());
                named(&alert.entity)
                    || alert.evidence.iter().any(|seen| {
                        [&seen.src_ip, &seen.user_ref].into_iter().flatten().any(|name| named(name))
                    })
            }
        };
        // What is about a partner as a whole names none of those who take part.
        let is_whole = || alert.entity_type == "partner" && self.also.contains(&alert.class);
        alert.tenant.as_str() == self.tenant && in_time && (is_whole() || is_known())
    }

    /// Whether an alert is a right answer to it.
    pub fn is_told_by(&self, alert: &Alert) -> bool {
        match &self.expected {
            Expected::Told(classes) => classes.contains(&alert.class) && self.is_of(alert),
            Expected::NothingAbove(_) => false,
        }
    }
}

impl From<&Label> for Trial {
    /// An attack that the traffic made.
    fn from(label: &Label) -> Self {
        Self {
            name: label.attack.clone(),
            expected: Expected::Told(label.classes.clone()),
            also: also_of(&label.attack).iter().map(|class| (*class).to_owned()).collect(),
            tenant: label.tenant.clone(),
            start: label.start,
            end: label.end,
            marks: Marks::Label(Box::new(label.clone())),
        }
    }
}

/// What may be told of an attack that the traffic made, besides what its label says.
fn also_of(attack: &str) -> &'static [&'static str] {
    match attack {
        // The addresses that flood are refused with 429, again and again.
        "request_flood" => &["abuse.rate_limit"],
        "brute_force_key" => &["auth.rate_anomaly"],
        "success_after_failures" => &["auth.bruteforce.fast"],
        _ => &[],
    }
}

/// A kind of trial.
struct Kind {
    name: &'static str,
    /// What must be told; empty where nothing may be.
    told: &'static [&'static str],
    also: &'static [&'static str],
    place: Place,
    play: fn(&mut Cast<'_>),
}

/// In whose logs a kind is played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Those of a partner that has traffic of its own.
    Busy,
    /// Those of a partner that nobody else plays in.
    Own,
    /// The same, once in all rounds: it takes many lines.
    OwnOnce,
}

impl Kind {
    const fn attack(name: &'static str, told: &'static [&'static str], play: fn(&mut Cast<'_>)) -> Self {
        Self { name, told, also: &[], place: Place::Busy, play }
    }

    const fn near_miss(name: &'static str, play: fn(&mut Cast<'_>)) -> Self {
        Self::attack(name, &[], play)
    }

    const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    const fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }
}

/// Trials and their lines.
#[derive(Debug, Default)]
pub struct Trials {
    /// What was played.
    pub trials: Vec<Trial>,
    /// All their lines, in the order in which they arrive. `time` is when.
    pub lines: Vec<Line>,
}

impl Trials {
    /// Plays every kind, one after another within the day.
    pub fn new(config: &TrialsConfig) -> Self {
        let groups = [
            tokens::KINDS,
            logins::KINDS,
            keys::KINDS,
            objects::KINDS,
            feeds::KINDS,
            shops::KINDS,
            lulls::KINDS,
            travels::KINDS,
            risks::KINDS,
        ];
        let kinds: Vec<&Kind> = groups.into_iter().flatten().collect();
        let mut all = Self::default();
        let count = kinds.len() * config.rounds.max(1);
        let step_ms = DAY_MS / count as i64;
        for number in 0..count {
            let kind = kinds[number % kinds.len()];
            let first_round = number < kinds.len();
            if kind.place == Place::OwnOnce && !first_round {
                continue;
            }
            let start = config.day + HOUR_MS + number as i64 * step_ms;
            let tenant = match kind.place {
                Place::Busy => config.tenants[number % config.tenants.len()].clone(),
                Place::Own | Place::OwnOnce => format!("prt_trial{number:04}"),
            };
            all.play(kind, Cast::new(config, number, tenant, start));
        }
        all.lines.sort_by_key(|line| line.time);
        all
    }

    fn play(&mut self, kind: &Kind, mut cast: Cast<'_>) {
        (kind.play)(&mut cast);
        let expected = match kind.told {
            [] => Expected::NothingAbove(cast.allowed),
            told => Expected::Told(owned(told)),
        };
        let marks = match kind.place {
            Place::Busy => Marks::Names { tag: cast.tag(), network: cast.network() },
            Place::Own | Place::OwnOnce => Marks::Tenant,
        };
        self.trials.push(Trial {
            name: kind.name.to_owned(),
            expected,
            also: owned(kind.also),
            tenant: cast.tenant.clone(),
            start: cast.began(),
            end: cast.ended(),
            marks,
        });
        self.lines.append(&mut cast.lines);
    }
}

fn owned(classes: &[&str]) -> Vec<String> {
    classes.iter().map(|class| (*class).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn config(seed: u64) -> TrialsConfig {
        let tenants = ["prt_acme", "prt_globex"].map(str::to_owned).to_vec();
        TrialsConfig { seed, rounds: 2, day: EventTime(1_773_014_400_000), tenants }
    }

    #[test]
    fn a_seed_gives_the_same_lines_and_another_gives_others() {
        let lines = |seed| Trials::new(&config(seed)).lines;
        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
    }

    #[test]
    fn every_kind_is_played_within_its_day_and_night() {
        let config = config(1);
        let played = Trials::new(&config);
        let names: BTreeSet<_> = played.trials.iter().map(|trial| trial.name.as_str()).collect();
        assert!(names.len() > 40, "{} kinds", names.len());
        for trial in &played.trials {
            assert!(trial.start >= config.day && trial.start < trial.end, "{trial:?}");
            assert!(trial.end < config.day + LENGTH_MS + 10 * MINUTE_MS, "{trial:?}");
        }
    }
}
