//! A day of an entity: the unit in which its risk is told.
//!
//! An alert is one day of event time, because then its id hangs on nothing that may still move: the points of
//! a moment only grow as more becomes known, so a day that is met stays met. An episode that ends with a gap
//! would have to wait for whatever may still begin it earlier.

use event::{Alert, AlertChange, Change, EventTime, Severity};
use serde::{Deserialize, Serialize};

use super::config::RiskConfig;
use super::score::{Score, Signals};
use super::signal::DAY_MS;
use crate::episode::content_of;

/// So many changes of a day are told as they come, for the topic may fall silent after any; later ones once
/// a minute, for there may be thousands.
const AT_ONCE: u32 = 64;
const MINUTE_MS: i64 = 60_000;

/// What was told of a day.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Day {
    told: Option<Told>,
    /// Something is new.
    pub(super) has_news: bool,
    /// When something was last added, by the topic's clock.
    pub(super) news_at: EventTime,
    /// Its end was told. What still comes counts for later days only.
    pub(super) is_over: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Told {
    revision: u32,
    severity: Severity,
    minute: EventTime,
    content: u64,
}

impl Day {
    pub(super) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// What was told is over once nothing was added for a day.
    pub(super) fn is_open(&self, now: EventTime) -> bool {
        now < self.news_at + DAY_MS
    }

    /// When there is more to do, if it was told and is not over.
    pub(super) fn wakes_at(&self) -> Option<EventTime> {
        let told = self.told.filter(|_| !self.is_over)?;
        Some(if self.has_news { told.minute + MINUTE_MS } else { self.news_at + DAY_MS })
    }

    /// Whether there may be something to tell: news, or its end.
    pub(super) fn wants_a_look(&self, now: EventTime) -> bool {
        self.has_news || self.is_told() && !self.is_open(now)
    }

    /// Nothing of it is to be told, or no more.
    pub(super) fn leave_untold(&mut self, now: EventTime) {
        self.has_news = false;
        self.is_over = self.is_told() && !self.is_open(now);
    }

    /// Whether its state may be told now.
    pub(super) fn is_due(&self, severity: Severity, now: EventTime) -> bool {
        let Some(told) = self.told else { return true };
        let is_its_turn = told.revision < AT_ONCE || now.floor(MINUTE_MS) > told.minute;
        !self.is_open(now) || self.has_news && (is_its_turn || severity > told.severity)
    }

    /// Tells its state, if it is another than was told. Severity never falls.
    pub(super) fn tell(&mut self, mut alert: Alert, now: EventTime) -> Option<AlertChange> {
        self.has_news = false;
        self.is_over = !alert.episode_open;
        if let Some(told) = self.told {
            alert.severity = alert.severity.max(told.severity);
        }
        let content = content_of(&alert);
        let (change, revision) = match self.told {
            None => (Change::Create, 0),
            Some(told) if self.is_over => (Change::Close, told.revision + 1),
            Some(told) if content != told.content => (Change::Update, told.revision + 1),
            Some(_) => return None,
        };
        self.told = Some(Told { revision, severity: alert.severity, minute: now.floor(MINUTE_MS), content });
        Some(AlertChange { change, revision, alert })
    }
}

/// The worst moment of a day, and when it was first bad enough.
pub(super) struct Found<'s> {
    pub(super) worst: Score<'s>,
    pub(super) met_at: EventTime,
}

/// Looks at each moment of a day at which an alert was met: between them points only fade. None where
/// no moment is to be told.
pub(super) fn look<'s>(
    day: EventTime,
    signals: &'s Signals,
    is_partner: bool,
    config: &RiskConfig,
) -> Option<Found<'s>> {
    let firsts = signals.values().flat_map(|signal| signal.firsts.iter().copied());
    let mut moments: Vec<_> = firsts.filter(|first| first.floor(DAY_MS) == day).collect();
    moments.sort_unstable();
    moments.dedup();
    let mut found: Option<Found<'s>> = None;
    for at in moments {
        let score = Score::at(at, signals, is_partner, config);
        if !score.is_met(config) {
            continue;
        }
        match &mut found {
            None => found = Some(Found { worst: score, met_at: at }),
            Some(found) if found.worst.points < score.points => found.worst = score,
            Some(_) => {}
        }
    }
    found
}
