//! One key's minutes in order: the last five, what is usual, and the episode that is open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use event::{Alert, AlertChange, EventTime, Severity};
use serde::{Deserialize, Serialize};

use super::Setting;
use super::baseline::{Baseline, HOUR_MS, Usual};
use super::minute::{Counts, MINUTE_MS, REFUSALS};
use super::rule::{Excess, judge, judge_flood, usual_at};
use crate::episode::{Announced, Cells, EpisodeId, announce, is_certain};
use crate::tally::Tally;

const WINDOW: usize = 5;
/// A key that was away for longer than this has no minutes in between that are worth filling in.
const AWAY_MS_MAX: i64 = 7 * 86_400_000;

/// One key: an endpoint, or a whole tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) history: Baseline,
    recent: VecDeque<Closed>,
    usual_status: BTreeMap<i32, u64>,
    pub(super) open: Option<Box<Spike>>,
    told: Option<(EpisodeId, Announced)>,
    cells: Cells,
    pub(super) last_minute: Option<EventTime>,
    /// Nothing before this is usual: an episode was open, or is.
    odd_to: EventTime,
    gauges: VecDeque<Gauge>,
}

/// What a flood in one hour is held against: what was known to be usual when the hour before
/// began. So a flood is the same whether it is judged ahead of the watermark or behind it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Gauge {
    hour: EventTime,
    usual: Option<Usual>,
}

/// A minute that is over, not yet learned.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Closed {
    minute: EventTime,
    counts: Counts,
    excess: Option<Excess>,
    frozen: bool,
}

/// An episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Spike {
    pub(super) id: EpisodeId,
    pub(super) start: EventTime,
    pub(super) ingested_at: EventTime,
    pub(super) is_flood: bool,
    pub(super) minutes: u32,
    pub(super) requests: u64,
    pub(super) peak: u64,
    pub(super) peak_excess: Excess,
    pub(super) first_minute: EventTime,
    pub(super) last_minute: EventTime,
    pub(super) excess: f64,
    pub(super) excess_by_status: BTreeMap<i32, f64>,
    pub(super) excess_by_route: BTreeMap<Box<str>, f64>,
    pub(super) tally: Tally,
}

impl Closed {
    fn quiet(minute: EventTime, frozen: bool) -> Self {
        Self { minute, counts: Counts::default(), excess: None, frozen }
    }

    /// Whether it is bad and one of the five minutes that end with this one.
    fn is_bad_at(&self, newest: EventTime) -> bool {
        self.excess.is_some() && newest - self.minute < WINDOW as i64 * MINUTE_MS
    }
}

impl Series {
    /// Takes in a minute of an endpoint and judges it; minutes come in order. Those without
    /// requests are left out, and are filled in where the tenant had any.
    pub(super) fn close_minute(
        &mut self,
        minute: EventTime,
        counts: Counts,
        active_hours: &BTreeSet<EventTime>,
        setting: Setting<'_>,
    ) {
        if let Some(last) = self.last_minute.filter(|last| minute - *last <= AWAY_MS_MAX) {
            let mut next = last + MINUTE_MS;
            while next < minute {
                if active_hours.contains(&next.floor(HOUR_MS)) {
                    self.push(Closed::quiet(next, next < self.odd_to), setting);
                }
                next = next + MINUTE_MS;
            }
        }
        let excess = judge(counts.total, minute, &self.history, setting);
        self.push(Closed { minute, counts, excess, frozen: false }, setting);
    }

    /// The same for a whole tenant, where a minute without requests teaches nothing (nobody
    /// knows whether the partner or its shipper was silent), and where floods are looked for.
    pub(super) fn close_whole_minute(&mut self, minute: EventTime, counts: Counts, setting: Setting<'_>) {
        self.gauge_up_to(minute, setting);
        let excess = self
            .flood(minute, counts.total, setting)
            .or_else(|| judge(counts.total, minute, &self.history, setting));
        self.push(Closed { minute, counts, excess, frozen: false }, setting);
    }

    /// Fixes the gauges of this minute's hour and of the next, if they are not. Every minute
    /// before this one is closed.
    fn gauge_up_to(&mut self, minute: EventTime, setting: Setting<'_>) {
        let hour = minute.floor(HOUR_MS);
        for hour in [hour, hour + HOUR_MS] {
            if self.gauges.iter().all(|gauge| gauge.hour != hour) {
                let usual = usual_at(hour, &self.history, setting);
                self.gauges.push_back(Gauge { hour, usual });
            }
        }
        while self.gauges.front().is_some_and(|gauge| gauge.hour < hour) {
            self.gauges.pop_front();
        }
    }

    fn flood(&self, minute: EventTime, count: u64, setting: Setting<'_>) -> Option<Excess> {
        let gauge = self.gauges.iter().find(|gauge| gauge.hour == minute.floor(HOUR_MS))?;
        judge_flood(count, gauge.usual?, setting)
    }

    fn push(&mut self, closed: Closed, setting: Setting<'_>) {
        self.last_minute = Some(closed.minute);
        self.recent.push_back(closed);
        if self.recent.len() > WINDOW
            && let Some(old) = self.recent.pop_front()
        {
            self.learn(old, setting);
        }
    }

    fn learn(&mut self, old: Closed, setting: Setting<'_>) {
        if old.frozen {
            let (count, is_refused) = (old.counts.total, old.counts.is_mostly_refused());
            self.history.note_odd(old.minute, count, is_refused, setting.zone_offset_ms);
            return;
        }
        self.history.learn(old.minute, old.counts.total, setting.zone_offset_ms);
        for (status, count) in old.counts.by_status {
            *self.usual_status.entry(status).or_default() += count;
        }
    }

    /// The newest minute's excess, if the rule is met with it: enough bad minutes, or a flood.
    pub(super) fn hit(&self, setting: Setting<'_>) -> Option<(Excess, f64)> {
        let newest = self.recent.back()?;
        let excess = newest.excess?;
        let bad = self.recent.iter().filter(|closed| closed.is_bad_at(newest.minute)).count();
        let met = excess.is_flood || bad >= setting.config.minutes_of_five || self.open.is_some();
        met.then_some((excess, newest.counts.total as f64 - excess.baseline))
    }

    /// Opens an episode with the newest minute, or adds the minute to the open one.
    pub(super) fn extend(&mut self, phase: u64, setting: Setting<'_>) {
        let Some(newest) = self.recent.back() else { return };
        let (minute, ingested_at, Some(excess)) = (newest.minute, newest.counts.ingested_at, newest.excess)
        else {
            return;
        };
        let opens = self.open.is_none();
        let mut spike = self.open.take().unwrap_or_else(|| {
            Box::new(Spike::new(self.cells.open(phase, minute), minute, ingested_at, excess))
        });
        let members = self.recent.iter_mut().filter(|closed| closed.is_bad_at(minute) && !closed.frozen);
        let members = members.filter(|closed| opens || closed.minute == minute);
        let learned: u64 = self.usual_status.values().sum();
        for closed in members {
            closed.frozen = true;
            spike.add(
                closed.minute,
                &closed.counts,
                closed.excess.unwrap_or(excess),
                &self.usual_status,
                learned,
            );
        }
        self.open = Some(spike);
        self.odd_to = minute + setting.config.episode_gap_ms;
    }

    /// While an episode is open nothing is learned.
    pub(super) fn freeze_since(&mut self, minute: EventTime) {
        for closed in self.recent.iter_mut().filter(|closed| closed.minute >= minute) {
            closed.frozen = true;
        }
    }

    /// Whether an id that was handed out could be handed out again if this was forgotten.
    pub(super) fn has_ids_in_use(&self) -> bool {
        let last_minute = self.last_minute.unwrap_or_default();
        self.cells.needed_until().is_some_and(|until| last_minute < until)
    }

    /// Ends the episode if it is over.
    pub(super) fn take_over(&mut self, closed_to: EventTime, gap_ms: i64) -> Option<Box<Spike>> {
        self.open.take_if(|spike| closed_to - spike.last_minute >= gap_ms)
    }

    /// What a minute that is not over yet already is: a flood, whose alert id is certain.
    pub(super) fn foresee(
        &mut self,
        minute: EventTime,
        counts: &Counts,
        phase: u64,
        setting: Setting<'_>,
    ) -> Option<Spike> {
        let closed_to = setting.watermark?.floor(MINUTE_MS);
        let hour_before = minute.floor(HOUR_MS) - HOUR_MS;
        let is_gauged = self.gauges.iter().any(|gauge| gauge.hour == hour_before + HOUR_MS);
        if self.open.is_some() || !is_gauged && closed_to < hour_before {
            return None;
        }
        if !is_gauged {
            // Nothing came since the hour before began, so what is known now was known then.
            self.gauge_up_to(hour_before, setting);
        }
        let excess = self.flood(minute, counts.total, setting)?;
        let id = self.cells.clone().open(phase, minute);
        if !is_certain(id, minute, setting.watermark, setting.config.episode_gap_ms) {
            return None;
        }
        let mut spike = Spike::new(id, minute, counts.ingested_at, excess);
        let learned: u64 = self.usual_status.values().sum();
        spike.add(minute, counts, excess, &self.usual_status, learned);
        Some(spike)
    }

    /// Tells of an episode, if there is news.
    pub(super) fn tell(&mut self, id: EpisodeId, alert: Alert, now: EventTime) -> Option<AlertChange> {
        let mut known = self.told.filter(|(told, _)| *told == id).map(|(_, announced)| announced);
        let change = announce(&mut known, alert, now);
        self.told = known.map(|announced| (id, announced));
        change
    }
}

impl Spike {
    fn new(id: EpisodeId, minute: EventTime, ingested_at: EventTime, excess: Excess) -> Self {
        Self {
            id,
            start: minute,
            ingested_at,
            is_flood: excess.is_flood,
            minutes: 0,
            requests: 0,
            peak: 0,
            peak_excess: excess,
            first_minute: minute,
            last_minute: minute,
            excess: 0.0,
            excess_by_status: BTreeMap::new(),
            excess_by_route: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    fn add(
        &mut self,
        minute: EventTime,
        counts: &Counts,
        excess: Excess,
        usual_status: &BTreeMap<i32, u64>,
        learned: u64,
    ) {
        self.is_flood |= excess.is_flood;
        self.minutes += 1;
        self.requests += counts.total;
        if counts.total > self.peak {
            self.peak = counts.total;
            self.peak_excess = excess;
        }
        self.first_minute = self.first_minute.min(minute);
        self.last_minute = self.last_minute.max(minute);
        self.excess += counts.total as f64 - excess.baseline;
        for (status, count) in &counts.by_status {
            let share = usual_status.get(status).map_or(0.0, |usual| *usual as f64 / learned.max(1) as f64);
            *self.excess_by_status.entry(*status).or_default() += *count as f64 - share * excess.baseline;
        }
        if let Some(witness) = &counts.witness {
            self.tally.add(witness, counts.total);
        }
    }

    /// High where most of the excess was refused, or where it is a flood.
    pub(super) fn severity(&self) -> Severity {
        let refused: f64 = REFUSALS.iter().filter_map(|status| self.excess_by_status.get(status)).sum();
        if self.is_flood || refused >= 0.6 * self.excess { Severity::High } else { Severity::Medium }
    }
}

#[cfg(test)]
mod tests {
    use event::Tenant;

    use super::super::RequestSpikeConfig;
    use super::*;

    #[test]
    fn silence_within_an_episode_teaches_nothing() {
        let (config, tenant) = (RequestSpikeConfig::default(), Tenant::parse("prt_acme").expect("a tenant"));
        let setting = Setting {
            config: &config,
            tenant: &tenant,
            contract_per_minute: None,
            zone_offset_ms: 0,
            watermark: None,
        };
        let hours: BTreeSet<_> = (0..4).map(|hour| EventTime(hour * HOUR_MS)).collect();
        let mut series = Series::default();
        let mut close = |minute: i64, total: u64| {
            let counts = Counts { total, ..Counts::default() };
            series.close_minute(EventTime(minute * MINUTE_MS), counts, &hours, setting);
            if series.hit(setting).is_some() {
                series.extend(0, setting);
            }
            if series.open.is_some() {
                series.freeze_since(EventTime(minute * MINUTE_MS));
            }
            series.history.learned_minutes()
        };
        for minute in 0..120 {
            close(minute, 30);
        }
        let before = [120, 121, 122].map(|minute| close(minute, 400))[2];
        // The silence up to the episode's end, at minute 152, is part of it.
        assert_eq!(close(150, 30), before + 2);
        assert_eq!(close(172, 30), before + 2 + (172 - 152) - 5 + 1);
    }
}
