//! The share of a tenant's requests that are refused for their credential.
//!
//! A list of stolen passwords that is tried from thousands of addresses, once each, meets no rule of
//! any account or address; the tenant as a whole shows it. What is usual is learned as the share in
//! thousandths of ten minutes, and only where there was enough to have a share.

use std::collections::VecDeque;
use std::sync::Arc;

use event::{Alert, AlertChange, EventTime};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::baseline::{Baseline, DAY_MS};
use super::minute::{Counts, MINUTE_MS};
use super::{NAME, RATE_ANOMALY, Setting};
use crate::class::{self, parameters};
use crate::episode::{Announced, Cells, EpisodeId, announce};
use crate::stable;
use crate::tally::Tally;
use crate::text;

const WINDOW_MS: i64 = 10 * MINUTE_MS;
const REFUSED: i32 = 401;
const WHOLE: f64 = 1_000.0;

/// A tenant's refused requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Refusals {
    recent: VecDeque<Closed>,
    history: Baseline,
    open: Option<Box<Surge>>,
    told: Option<(EpisodeId, Announced)>,
    cells: Cells,
}

/// A minute that is over.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Closed {
    minute: EventTime,
    counts: Counts,
}

/// An episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Surge {
    id: EpisodeId,
    start: EventTime,
    ingested_at: EventTime,
    first_minute: EventTime,
    last_minute: EventTime,
    refused: u64,
    share_max: f64,
    usual: f64,
    tally: Tally,
}

impl Refusals {
    /// Takes in a minute that is over; minutes come in order. Returns what there is to tell.
    pub(super) fn close_minute(
        &mut self,
        minute: EventTime,
        counts: Counts,
        setting: Setting<'_>,
    ) -> Option<AlertChange> {
        self.recent.push_back(Closed { minute, counts });
        while self.recent.front().is_some_and(|closed| minute - closed.minute >= WINDOW_MS) {
            self.recent.pop_front();
        }
        let total: u64 = self.recent.iter().map(|closed| closed.counts.total).sum();
        let refused: u64 = self.recent.iter().map(|closed| refused(&closed.counts)).sum();
        if refused.max(total) < setting.config.refusals_min {
            return None;
        }
        let share = refused as f64 / total.max(1) as f64;
        let Some(usual) = self.usual(minute, setting) else {
            self.learn(minute, share, setting);
            return None;
        };
        let config = setting.config;
        let threshold = config.refusals_share.max(config.refusals_ratio * usual);
        if refused < config.refusals_min || share < threshold {
            if self.open.is_none() {
                self.learn(minute, share, setting);
            }
            return None;
        }
        self.extend(minute, share, usual, setting);
        let surge = self.open.clone()?;
        self.tell(&surge, true, minute, setting)
    }

    /// Ends the episode if it is over.
    pub(super) fn end(&mut self, closed_to: EventTime, setting: Setting<'_>) -> Option<AlertChange> {
        let gap_ms = setting.config.episode_gap_ms;
        let surge = self.open.take_if(|surge| closed_to - surge.last_minute >= gap_ms)?;
        self.tell(&surge, false, closed_to, setting)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn learn(&mut self, minute: EventTime, share: f64, setting: Setting<'_>) {
        self.history.learn(minute, (share * WHOLE) as u64, setting.zone_offset_ms);
    }

    /// The share that is usual: at this hour of the week, of the day, or so far.
    fn usual(&self, minute: EventTime, setting: Setting<'_>) -> Option<f64> {
        let usual = match self.history.age_ms(minute) {
            age if age >= 14 * DAY_MS => self.history.of_hour_of_week(minute, setting.zone_offset_ms),
            age if age >= DAY_MS => self.history.of_hour_of_day(minute, setting.zone_offset_ms),
            _ if self.history.learned_minutes() < setting.config.cold_minutes => None,
            _ => self.history.of_all_hours(),
        };
        usual.map(|usual| usual.median / WHOLE)
    }

    /// Opens an episode with the minutes of the window, or adds the newest to the open one.
    fn extend(&mut self, minute: EventTime, share: f64, usual: f64, setting: Setting<'_>) {
        let Some(newest) = self.recent.back() else { return };
        let opens = self.open.is_none();
        let mut surge = self.open.take().unwrap_or_else(|| {
            let phase = stable::hash(&[setting.tenant.as_str(), RATE_ANOMALY.class]);
            Box::new(Surge {
                id: self.cells.open(phase, minute),
                start: minute,
                ingested_at: newest.counts.ingested_at,
                first_minute: minute,
                // Where the share rose because others went away, this minute may hold no refusal.
                last_minute: EventTime::MIN,
                refused: 0,
                share_max: 0.0,
                usual,
                tally: Tally::default(),
            })
        });
        for closed in self.recent.iter().filter(|closed| opens || closed.minute == minute) {
            surge.add(closed);
        }
        surge.share_max = surge.share_max.max(share);
        self.open = Some(surge);
    }

    fn tell(
        &mut self,
        surge: &Surge,
        open: bool,
        now: EventTime,
        setting: Setting<'_>,
    ) -> Option<AlertChange> {
        let mut alert = surge.describe(setting);
        alert.episode_open = open;
        let mut known = self.told.filter(|(told, _)| *told == surge.id).map(|(_, announced)| announced);
        let change = announce(&mut known, alert, now);
        self.told = known.map(|announced| (surge.id, announced));
        change
    }
}

impl Surge {
    fn add(&mut self, closed: &Closed) {
        let refused = refused(&closed.counts);
        if refused == 0 {
            return;
        }
        self.refused += refused;
        self.first_minute = self.first_minute.min(closed.minute);
        self.last_minute = self.last_minute.max(closed.minute);
        if let Some(witness) = &closed.counts.witness {
            self.tally.add(&Arc::clone(witness), refused);
        }
    }

    fn describe(&self, setting: Setting<'_>) -> Alert {
        let label = self.id.label();
        let subject = class::Subject {
            detector: NAME,
            tenant: setting.tenant,
            family: RATE_ANOMALY.class,
            entity_type: "partner",
            entity: setting.tenant.as_str(),
            episode: Some(&label),
        };
        let config = setting.config;
        let (share, usual) = (100.0 * self.share_max, 100.0 * self.usual);
        let mut alert = subject.alert(&RATE_ANOMALY, RATE_ANOMALY.severity);
        alert.title = format!("{}: {share:.0} % of all requests refused (401)", setting.tenant);
        alert.description = format!(
            "{} requests were refused for their credential, at most {share:.0} % of ten minutes where \
             {usual:.1} % are usual. If they come from many addresses, somebody tries a list of passwords or \
             keys; if from one client, its credential has ended.",
            self.refused,
        );
        alert.confidence = 60;
        alert.triggered_at = self.start;
        alert.ingested_at = self.ingested_at;
        alert.first_seen = self.first_minute;
        alert.last_seen = self.last_minute;
        alert.count = self.refused;
        alert.observed = share;
        alert.threshold = 100.0 * config.refusals_share.max(config.refusals_ratio * self.usual);
        alert.baseline = Some(usual);
        alert.parameters = parameters(config);
        alert.details.insert("share_percent_max".to_owned(), json!(share.round()));
        alert.evidence = self.tally.evidence();
        alert.query_sql = format!(
            "SELECT src_ip, coalesce(api_key_id, api_key_fp) AS api_key, user_ref, count(*) AS refused \
             FROM events WHERE tenant = {} AND time >= TIMESTAMP '{}' AND time < TIMESTAMP '{}' \
             AND route IS NOT NULL AND status = {REFUSED} GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 100",
            text::sql(setting.tenant.as_str()),
            self.first_minute,
            self.last_minute + MINUTE_MS,
        );
        alert
    }
}

fn refused(counts: &Counts) -> u64 {
    counts.by_status.get(&REFUSED).copied().unwrap_or_default()
}
