//! An alert as risk knows it: what it is worth, when, and by what detector.

use event::{AlertChange, EventTime, Severity};
use serde::{Deserialize, Serialize};

use super::NAME;
use crate::class::tactic;
use crate::detectors::source_health;
use crate::witness::Witness;

/// So many days of event time are known on which an alert was first met. A late event may move it to
/// the day before; no detector moves it twice.
const FIRSTS_MAX: usize = 3;

/// So many events of an alert may be shown.
const WITNESSES_MAX: usize = 3;

pub(super) const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// What is known of an alert. Two of the same alert merged are the same in any order, and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Signal {
    pub(super) detector: Box<str>,
    pub(super) class: Box<str>,
    /// Ids in ATT&CK v18; what the first is for is the alert's tactic.
    pub(super) techniques: Vec<Box<str>>,
    /// The worst.
    pub(super) severity: Severity,
    /// When it was met, the earliest of each day, in order.
    pub(super) firsts: Vec<EventTime>,
    /// Of the last event that counts, to the minute.
    pub(super) last: EventTime,
    pub(super) ingested_at: EventTime,
    /// Its earliest events: the latest would be news with each change.
    pub(super) witnesses: Vec<Witness>,
    /// Whose words these are.
    revision: u32,
}

impl Signal {
    /// What a change tells of an alert; nothing where it is no sign of an attacker. Such are alerts about feeds:
    /// nearly all of them are somebody's disk or network, and points for their partner would be noise. An alert
    /// that names no technique of ATT&CK tells of no attacker either.
    pub(super) fn of(change: &AlertChange) -> Option<Self> {
        let AlertChange { alert, revision, .. } = change;
        if [NAME, source_health::NAME].contains(&alert.detector.as_str()) {
            return None;
        }
        let techniques: Vec<Box<str>> =
            alert.techniques.iter().map(|technique| technique.v18.as_str().into()).collect();
        tactic(techniques.first()?)?;
        let witnesses = alert.evidence.iter().take(WITNESSES_MAX).map(Witness::of).collect();
        Some(Self {
            detector: alert.detector.as_str().into(),
            class: alert.class.as_str().into(),
            techniques,
            severity: alert.severity,
            firsts: vec![alert.triggered_at],
            last: alert.last_seen.max(alert.triggered_at).floor(MINUTE_MS),
            ingested_at: alert.ingested_at,
            witnesses,
            revision: *revision,
        })
    }

    /// This, and what another change of the same alert tells.
    pub(super) fn merged(&self, other: &Self) -> Self {
        let newest = if other.revision > self.revision { other } else { self };
        let mut firsts = [&*self.firsts, &*other.firsts].concat();
        firsts.sort_unstable();
        firsts.dedup_by_key(|first| first.floor(DAY_MS));
        firsts.truncate(FIRSTS_MAX);
        Self {
            severity: self.severity.max(other.severity),
            firsts,
            last: self.last.max(other.last),
            ingested_at: self.ingested_at.min(other.ingested_at),
            ..newest.clone()
        }
    }

    /// When it was first met.
    pub(super) fn first(&self) -> EventTime {
        self.firsts.first().copied().unwrap_or(self.last)
    }

    /// The days on which it was met.
    pub(super) fn days(&self) -> impl Iterator<Item = EventTime> {
        self.firsts.iter().map(|first| first.floor(DAY_MS))
    }

    /// What its first technique is for.
    pub(super) fn tactic(&self) -> &'static str {
        self.techniques.first().and_then(|id| tactic(id)).unwrap_or_default()
    }
}
