//! Far fewer requests than a tenant has at this hour of the week, for a quarter of an hour.
//!
//! A partner that has stopped calling is as bad as a flood, though nobody's attack: it is told to those who run the
//! platform, and wakes nobody. It is held against the least of the hour of the week and its neighbours, because a
//! morning begins earlier or later; and only where two weeks are known, because a week-end is no lull. Where nothing
//! at all comes nobody knows whether the partner or its shipper is silent: that is `source.silent`'s to tell, so a
//! lull has requests in it, in most of its last minutes.

use std::collections::VecDeque;
use std::sync::Arc;

use event::{Alert, AlertChange, EventTime};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::baseline::{Baseline, DAY_MS};
use super::minute::{Counts, MINUTE_MS};
use super::{DROP, NAME, Setting};
use crate::class::{self, parameters};
use crate::episode::{Announced, Cells, EpisodeId, announce};
use crate::stable;
use crate::tally::Tally;
use crate::text;
use crate::witness::Witness;

/// So many minutes: a deployment, or a network that is mended, takes less.
const WINDOW: usize = 15;
/// Of so many last minutes ...
const LAST: usize = 5;
/// ... so many have requests.
const ALIVE_MIN: usize = 3;
/// What an hour of the week is like is known after so long.
const LEARNED_MS: i64 = 14 * DAY_MS;

/// A tenant's last quarter of an hour.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lull {
    recent: VecDeque<Closed>,
    open: Option<Box<Drop>>,
    told: Option<(EpisodeId, Announced)>,
    cells: Cells,
}

/// A minute that is over, with what it would have had at least.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Closed {
    minute: EventTime,
    requests: u64,
    usual: f64,
    witness: Option<Arc<Witness>>,
    ingested_at: EventTime,
}

/// An episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Drop {
    id: EpisodeId,
    start: EventTime,
    ingested_at: EventTime,
    last_minute: EventTime,
    minutes: u64,
    requests: u64,
    usual: f64,
    tally: Tally,
}

impl Lull {
    /// Takes in a minute that is over and had requests; minutes come in order. Returns what there is to tell.
    pub(super) fn close_minute(
        &mut self,
        minute: EventTime,
        counts: &Counts,
        history: &Baseline,
        setting: Setting<'_>,
    ) -> Option<AlertChange> {
        let usual = |minute| history.least_of_hour_of_week(minute, setting.zone_offset_ms);
        let known = usual(minute).filter(|_| history.age_ms(minute) >= LEARNED_MS);
        let Some(of_minute) = known.filter(|usual| *usual >= setting.config.drop_median_min) else {
            self.recent.clear();
            return None;
        };
        self.fill_up_to(minute, usual);
        self.recent.push_back(Closed {
            minute,
            requests: counts.total,
            usual: of_minute,
            witness: counts.witness.clone(),
            ingested_at: counts.ingested_at,
        });
        while self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        if !self.is_met(setting) {
            return None;
        }
        self.extend(minute, setting);
        let drop = self.open.clone()?;
        self.tell(&drop, true, minute, setting)
    }

    /// The minutes without requests since the last that had any.
    fn fill_up_to(&mut self, minute: EventTime, usual: impl Fn(EventTime) -> Option<f64>) {
        let Some(last) = self.recent.back().map(|closed| closed.minute) else { return };
        if minute - last > WINDOW as i64 * MINUTE_MS {
            self.recent.clear();
            return;
        }
        let mut next = last + MINUTE_MS;
        while next < minute {
            let ingested_at = EventTime::MIN;
            let usual = usual(next).unwrap_or_default();
            self.recent.push_back(Closed { minute: next, requests: 0, usual, witness: None, ingested_at });
            next = next + MINUTE_MS;
        }
    }

    fn is_met(&self, setting: Setting<'_>) -> bool {
        let is_low = |minutes: &mut dyn Iterator<Item = &Closed>| {
            let (requests, usual) = minutes.fold((0, 0.0), |(requests, usual), closed| {
                (requests + closed.requests, usual + closed.usual)
            });
            requests as f64 <= setting.config.drop_share * usual
        };
        let last = || self.recent.iter().rev().take(LAST);
        self.recent.len() == WINDOW
            && last().filter(|closed| closed.requests > 0).count() >= ALIVE_MIN
            && is_low(&mut last())
            && is_low(&mut self.recent.iter())
    }

    /// Ends the episode if it is over.
    pub(super) fn end(&mut self, closed_to: EventTime, setting: Setting<'_>) -> Option<AlertChange> {
        let gap_ms = setting.config.episode_gap_ms;
        let drop = self.open.take_if(|drop| closed_to - drop.last_minute >= gap_ms)?;
        self.tell(&drop, false, closed_to, setting)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Opens an episode with the minutes of the window, or adds those that came since to the open one.
    fn extend(&mut self, minute: EventTime, setting: Setting<'_>) {
        let start = self.recent.front().map_or(minute, |closed| closed.minute);
        let mut drop = self.open.take().unwrap_or_else(|| {
            let phase = stable::hash(&[setting.tenant.as_str(), DROP.class]);
            Box::new(Drop {
                id: self.cells.open(phase, minute),
                start,
                ingested_at: self.recent.back().map_or(EventTime::MIN, |closed| closed.ingested_at),
                last_minute: start - MINUTE_MS,
                minutes: 0,
                requests: 0,
                usual: 0.0,
                tally: Tally::default(),
            })
        });
        for closed in self.recent.iter().filter(|closed| closed.minute > drop.last_minute) {
            drop.minutes += 1;
            drop.requests += closed.requests;
            drop.usual += closed.usual;
            if let Some(witness) = &closed.witness {
                drop.tally.add(witness, closed.requests);
            }
        }
        drop.last_minute = minute;
        self.open = Some(drop);
    }

    fn tell(&mut self, drop: &Drop, open: bool, now: EventTime, setting: Setting<'_>) -> Option<AlertChange> {
        let mut alert = drop.describe(setting);
        alert.episode_open = open;
        let mut known = self.told.filter(|(told, _)| *told == drop.id).map(|(_, announced)| announced);
        let change = announce(&mut known, alert, now);
        self.told = known.map(|announced| (drop.id, announced));
        change
    }
}

impl Drop {
    fn describe(&self, setting: Setting<'_>) -> Alert {
        let label = self.id.label();
        let subject = class::Subject {
            detector: NAME,
            tenant: setting.tenant,
            family: DROP.class,
            entity_type: "partner",
            entity: setting.tenant.as_str(),
            episode: Some(&label),
        };
        let minutes = self.minutes.max(1) as f64;
        let (rate, usual) = (self.requests as f64 / minutes, self.usual / minutes);
        let mut alert = subject.alert(&DROP, DROP.severity);
        alert.title = format!("{}: hardly any requests", setting.tenant);
        alert.description = format!(
            "{rate:.1} requests a minute came from {} on, for {} so far, where at this hour of the week {usual:.0} are \
             usual at least. Something between the partner's users and the platform is broken, or its logs are lost on \
             their way: look at its errors and its shippers, and ask it.",
            self.start.to_rfc3339(),
            text::duration(self.last_minute + MINUTE_MS - self.start),
        );
        alert.confidence = 60;
        alert.triggered_at = self.start;
        alert.ingested_at = self.ingested_at;
        alert.first_seen = self.start;
        alert.last_seen = self.last_minute;
        alert.count = self.requests;
        (alert.observed, alert.baseline) = (rate, Some(usual));
        alert.threshold = setting.config.drop_share * usual;
        alert.parameters = parameters(setting.config);
        alert.details.insert("audience".to_owned(), json!("operations"));
        alert.evidence = self.tally.evidence();
        alert.query_sql = format!(
            "SELECT date_trunc('minute', time) AS minute, route, status, count(*) AS requests \
             FROM events WHERE tenant = {} AND time >= TIMESTAMP '{}' AND time < TIMESTAMP '{}' \
             AND route IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC LIMIT 1000",
            text::sql(setting.tenant.as_str()),
            self.start - WINDOW as i64 * MINUTE_MS,
            self.last_minute + MINUTE_MS,
        );
        alert
    }
}
