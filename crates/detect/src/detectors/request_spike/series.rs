//! One key's minutes in order: the last five, what is usual, and the episode that is open.

use std::collections::{BTreeMap, VecDeque};

use event::{EventTime, Severity};
use serde::{Deserialize, Serialize};

use super::Setting;
use super::baseline::Baseline;
use super::minute::{Counts, MINUTE_MS};
use super::rule::{Excess, judge};
use crate::episode::{Announced, Cells, EpisodeId, is_certain};
use crate::tally::Tally;

const WINDOW: usize = 5;
/// A key that was away for longer than this has no minutes in between that are worth filling in.
const AWAY_MS_MAX: i64 = 7 * 86_400_000;
/// Statuses that say: you may not, or there is nothing.
const REFUSALS: [i32; 4] = [401, 403, 404, 429];

/// One key: an endpoint, or a whole tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) history: Baseline,
    recent: VecDeque<Closed>,
    usual_status: BTreeMap<i32, u64>,
    pub(super) open: Option<Box<Spike>>,
    pub(super) told: Option<Announced>,
    cells: Cells,
    pub(super) last_minute: Option<EventTime>,
    /// A flood that was told before its minute closed.
    foreseen: Option<EventTime>,
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

impl Series {
    /// Takes in a minute that is over and judges it; minutes come in order, and those without
    /// requests may be left out.
    pub(super) fn close_minute(&mut self, minute: EventTime, counts: Counts, setting: Setting<'_>) {
        self.fill_up_to(minute, setting);
        let mut excess = judge(counts.total, minute, &self.history, setting);
        if self.foreseen == Some(minute) {
            // It was told already, so it stays one, whatever was learned since.
            let known = excess.or_else(|| self.recent.back().and_then(|closed| closed.excess));
            excess = Some(Excess { is_flood: true, ..known.unwrap_or(UNKNOWN) });
        }
        self.push(Closed { minute, counts, excess, frozen: false }, setting);
    }

    /// The minutes in which nothing came.
    fn fill_up_to(&mut self, minute: EventTime, setting: Setting<'_>) {
        let Some(last) = self.last_minute else { return };
        if minute - last > AWAY_MS_MAX {
            return;
        }
        let mut next = last + MINUTE_MS;
        while next < minute {
            let counts = Counts::default();
            self.push(Closed { minute: next, counts, excess: None, frozen: false }, setting);
            next = next + MINUTE_MS;
        }
    }

    fn push(&mut self, closed: Closed, setting: Setting<'_>) {
        self.last_minute = Some(closed.minute);
        self.recent.push_back(closed);
        if self.recent.len() > WINDOW
            && let Some(old) = self.recent.pop_front()
            && !old.frozen
        {
            self.history.learn(old.minute, old.counts.total, setting.zone_offset_ms);
            for (status, count) in old.counts.by_status {
                *self.usual_status.entry(status).or_default() += count;
            }
        }
    }

    /// The newest minute's excess, if the rule is met with it: enough bad minutes, or a flood.
    pub(super) fn hit(&self, setting: Setting<'_>) -> Option<(Excess, f64)> {
        let newest = self.recent.back()?;
        let excess = newest.excess?;
        let is_recent = |closed: &&Closed| newest.minute - closed.minute < WINDOW as i64 * MINUTE_MS;
        let bad = self.recent.iter().filter(is_recent).filter(|closed| closed.excess.is_some()).count();
        let met = excess.is_flood || bad >= setting.config.minutes_of_five || self.open.is_some();
        met.then_some((excess, newest.counts.total as f64 - excess.baseline))
    }

    /// Opens an episode with the newest minute, or adds the minute to the open one.
    pub(super) fn extend(&mut self, phase: u64) {
        let Some(newest) = self.recent.back() else { return };
        let (minute, ingested_at, Some(excess)) = (newest.minute, newest.counts.ingested_at, newest.excess)
        else {
            return;
        };
        let opens = self.open.is_none();
        let mut spike = self.open.take().unwrap_or_else(|| {
            Box::new(Spike::new(self.cells.open(phase, minute), minute, ingested_at, excess))
        });
        let members = self.recent.iter_mut().filter(|closed| closed.excess.is_some() && !closed.frozen);
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
    }

    /// While an episode is open nothing is learned.
    pub(super) fn freeze(&mut self, minute: EventTime) {
        for closed in self.recent.iter_mut().filter(|closed| closed.minute == minute) {
            closed.frozen = true;
        }
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
        if self.open.is_some() || self.told.is_some() {
            return None;
        }
        let excess = judge(counts.total, minute, &self.history, setting).filter(|excess| excess.is_flood)?;
        let id = self.cells.clone().open(phase, minute);
        if !is_certain(id, minute, setting.watermark, setting.config.episode_gap_ms) {
            return None;
        }
        self.foreseen = Some(minute);
        let mut spike = Spike::new(id, minute, counts.ingested_at, excess);
        let learned: u64 = self.usual_status.values().sum();
        spike.add(minute, counts, excess, &self.usual_status, learned);
        Some(spike)
    }
}

const UNKNOWN: Excess = Excess { baseline: 0.0, threshold: 0.0, is_flood: true };

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
