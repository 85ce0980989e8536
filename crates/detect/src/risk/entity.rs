//! One partner, key, user or network: the alerts about it, and the days that were told.

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Severity, Tenant};
use serde::{Deserialize, Serialize};

use super::config::RiskConfig;
use super::day::{Day, look};
use super::describe::{self, About};
use super::score::{HALF_LIVES_MAX, Signals};
use super::signal::{DAY_MS, Signal};
use super::subject::{Kind, Subject};
use crate::detector::AlertChanges;
use crate::keyed::Kept;

/// Of one detector so many alerts are known, the worst and then the latest: one to four above info, or thirty
/// below, are as many points as it may add.
const SIGNALS_PER_DETECTOR_MAX: usize = 32;

/// What is known of an entity.
#[derive(Serialize, Deserialize)]
pub(super) struct Entity {
    subject: Subject,
    signals: Signals,
    days: BTreeMap<EventTime, Day>,
    /// When something was last added, by the topic's clock.
    news_at: EventTime,
    /// Alerts were left out that would have counted.
    forgot: bool,
}

impl Kept for Entity {
    /// What was told must not be told anew, and there is but one partner.
    fn rank(&self) -> u8 {
        match self.subject.kind {
            Kind::Partner => 2,
            _ => u8::from(self.open() > 0),
        }
    }
}

impl Entity {
    pub(super) fn new(subject: &Subject) -> Self {
        Self {
            subject: subject.clone(),
            signals: Signals::new(),
            days: BTreeMap::new(),
            news_at: EventTime::MIN,
            forgot: false,
        }
    }

    /// How many days were told and are not over.
    pub(super) fn open(&self) -> u64 {
        self.days.values().filter(|day| day.is_told() && !day.is_over).count() as u64
    }

    /// Learns of an alert; false if nothing of it is new.
    pub(super) fn add(&mut self, alert_id: &str, told: &Signal, now: EventTime) -> bool {
        let known = self.signals.get(alert_id);
        let signal = known.map_or_else(|| told.clone(), |known| known.merged(told));
        if known == Some(&signal) {
            return false;
        }
        let from = signal.first().floor(DAY_MS);
        self.signals.insert(alert_id.into(), signal);
        // It adds to each day from its first on.
        let days: BTreeSet<_> =
            self.signals.values().flat_map(Signal::days).filter(|day| *day >= from).collect();
        for day in days {
            let day = self.days.entry(day).or_default();
            (day.news_at, day.has_news) = (now, true);
        }
        self.news_at = now;
        self.leave_out(&told.detector);
        true
    }

    /// Leaves out the least of a detector's alerts where there are too many.
    fn leave_out(&mut self, detector: &str) {
        let of_detector = self.signals.iter().filter(|(_, signal)| *signal.detector == *detector);
        if of_detector.clone().count() <= SIGNALS_PER_DETECTOR_MAX {
            return;
        }
        let least = of_detector.min_by_key(|(id, signal)| (signal.severity, signal.last, (*id).clone()));
        if let Some(id) = least.map(|(id, _)| id.clone()) {
            self.signals.remove(&id);
            self.forgot = true;
        }
    }

    /// Tells what there is to tell. Says when to come again; at no time where nothing is left.
    pub(super) fn tell(
        &mut self,
        tenant: &Tenant,
        now: EventTime,
        config: &RiskConfig,
        alerts: &mut AlertChanges,
    ) -> Option<EventTime> {
        let forgotten_at = self.forget(now, config)?;
        let is_partner = self.subject.kind == Kind::Partner;
        for (&start, day) in self.days.iter_mut().filter(|(_, day)| !day.is_over) {
            if !day.wants_a_look(now) {
                continue;
            }
            let Some(found) = look(start, &self.signals, is_partner, config) else {
                day.leave_untold(now);
                continue;
            };
            let severity = if found.worst.is_twice(config) { Severity::Critical } else { Severity::High };
            if day.is_due(severity, now) {
                let (subject, is_open, approx) = (&self.subject, day.is_open(now), self.forgot);
                let about = About { tenant, subject, start, severity, is_open, approx };
                alerts.extend(day.tell(describe::alert(&about, &found, config), now));
            }
        }
        Some(self.days.values().filter_map(Day::wakes_at).fold(forgotten_at, EventTime::min))
    }

    /// Forgets alerts of which nothing is left, though a day later than that: what comes late by less is judged
    /// as if it had not. Says when everything will be forgotten, unless it is.
    fn forget(&mut self, now: EventTime, config: &RiskConfig) -> Option<EventTime> {
        let kept_ms = HALF_LIVES_MAX * config.half_life_ms + DAY_MS;
        if now >= self.news_at + kept_ms {
            return None;
        }
        let newest = self.signals.values().map(Signal::first).max()?;
        self.signals.retain(|_, signal| signal.last > newest - kept_ms);
        self.days.retain(|day, _| *day + DAY_MS > newest - kept_ms);
        Some(self.news_at + kept_ms)
    }
}
