//! One key's attempts, put in the order of event time.
//!
//! Behind the watermark the attempts are folded into the key's state, once and in order. The few
//! before it are kept as they are; to look ahead, a copy of the state folds them too. What the
//! copy shows is told if its alert id is certain, and it will come true: more attempts only
//! strengthen an eager class. So the final state does not depend on how the attempts came.
//!
//! What comes after its watermark joins the episode it belongs to, or else a lane of its own
//! where the same rules are applied to late attempts only; such alerts are marked late.

use std::collections::VecDeque;
use std::sync::Arc;

use event::EventTime;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::FailedAuthenticationConfig;
use super::attempt::{Attempt, RECENT_MS};
use super::describe::{self, Entity, describe};
use super::watch::{Episode, Watch, watch};
use crate::detector::AlertChanges;
use crate::episode::{Announced, announce, is_certain, update_is_due};
use crate::keyed::{Kept, Key};
use crate::seen::Seen;
use crate::stable;

/// More attempts than this are not kept waiting: the oldest are folded early.
const UNSETTLED_MAX: usize = 512;
const LATE_MAX: usize = 256;
const DELIVERIES_MAX: usize = 4_096;

/// A key's state as a function of its attempts in order.
pub(super) trait Fold: Clone + Default + Serialize + DeserializeOwned {
    /// What the key is, for alerts.
    fn entity(key: &Key) -> Entity<'_>;
    /// Takes in the next attempt.
    fn step(&mut self, attempt: &Arc<Attempt>, config: &FailedAuthenticationConfig, phase: u64);
    /// Nothing earlier than `up_to` will come any more.
    fn expire(&mut self, up_to: EventTime, config: &FailedAuthenticationConfig, phase: u64);
    /// The classes with their episodes.
    fn watches(&self) -> &[Watch];
    /// The classes with their episodes.
    fn watches_mut(&mut self) -> &mut Vec<Watch>;
    /// Whether the attempts to come could meet a rule: a quick look that may err on the side of yes.
    fn is_suspicious(&self, unsettled: &[Arc<Attempt>], config: &FailedAuthenticationConfig) -> bool;
    /// When `expire` next has something to do.
    fn due(&self, config: &FailedAuthenticationConfig) -> Option<EventTime>;
    /// Until when its memory matters.
    fn needed_until(&self) -> EventTime;
}

/// What all timelines of a detector share at a moment.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) config: &'a FailedAuthenticationConfig,
    pub(super) watermark: Option<EventTime>,
}

/// How an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    InTime,
    Late,
    Duplicate,
}

/// One key.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Timeline<F: Fold> {
    settled_to: EventTime,
    settled: F,
    unsettled: Vec<Arc<Attempt>>,
    late: Vec<Arc<Attempt>>,
    late_since: EventTime,
    late_until: EventTime,
    seen: Seen,
    told: Vec<Told>,
    newest: EventTime,
    /// When the id of an episode that was seen ahead will be final.
    certain_at: Option<EventTime>,
    is_partial: bool,
}

/// What was told of one episode.
#[derive(Serialize, Deserialize)]
struct Told {
    alert_id: String,
    announced: Announced,
    /// As it was when it was last looked at, and the newest attempt that was known then.
    episode: Box<Episode>,
    newest: EventTime,
}

impl<F: Fold> Default for Timeline<F> {
    fn default() -> Self {
        Self {
            settled_to: EventTime::MIN,
            settled: F::default(),
            unsettled: Vec::new(),
            late: Vec::new(),
            late_since: EventTime::MIN,
            late_until: EventTime::MIN,
            seen: Seen::default(),
            told: Vec::new(),
            newest: EventTime::MIN,
            certain_at: None,
            is_partial: false,
        }
    }
}

impl<F: Fold> Kept for Timeline<F> {
    fn rank(&self) -> u8 {
        match (self.told.is_empty(), self.settled.watches().is_empty()) {
            (false, _) => 2,
            // It has handed out ids that must not be handed out again.
            (true, false) => 1,
            (true, true) => 0,
        }
    }
}

impl<F: Fold> Timeline<F> {
    /// Puts an attempt where it belongs.
    pub(super) fn insert(&mut self, attempt: Attempt, setting: Setting<'_>) -> Arrival {
        let late = setting.watermark.is_some_and(|watermark| attempt.time < watermark);
        let forgotten = late && self.seen.is_partial();
        if !self.seen.insert(attempt.delivery, DELIVERIES_MAX) {
            self.keep_original(attempt);
            return Arrival::Duplicate;
        }
        self.newest = self.newest.max(attempt.time);
        if late || attempt.time < self.settled_to {
            // In time, but so many came at once that its neighbours were folded already.
            self.is_partial |= !late;
            // Where deliveries were forgotten a late one may be a second one; better to miss it.
            if !forgotten {
                self.insert_late(attempt, setting);
            }
            return Arrival::Late;
        }
        let at = self.unsettled.partition_point(|known| known.stamp() < attempt.stamp());
        self.unsettled.insert(at, Arc::new(attempt));
        Arrival::InTime
    }

    /// Of two deliveries the one that stands first in the log is shown.
    fn keep_original(&mut self, attempt: Attempt) {
        if let Ok(at) = self.unsettled.binary_search_by_key(&attempt.stamp(), |known| known.stamp())
            && attempt.witness < self.unsettled[at].witness
        {
            self.unsettled[at] = Arc::new(attempt);
        }
    }

    fn insert_late(&mut self, attempt: Attempt, setting: Setting<'_>) {
        let mut belongs = false;
        for watch in self.settled.watches_mut() {
            let fits = watch.class.takes(&attempt) && watch.class.is_of(&watch.part, &attempt);
            if let Some(episode) = watch.open.as_mut().filter(|episode| fits && episode.covers(attempt.time))
            {
                episode.add(&attempt);
                episode.is_late = true;
                belongs = true;
            }
        }
        if belongs {
            return;
        }
        let now = setting.watermark.unwrap_or(self.settled_to);
        if self.late.is_empty() {
            self.late_since = now;
        }
        let at = self.late.partition_point(|known| known.stamp() < attempt.stamp());
        self.late.insert(at, Arc::new(attempt));
        if self.late.len() > LATE_MAX {
            self.late.remove(0);
            self.is_partial = true;
        }
        self.late_until = now + setting.config.episode_gap_ms;
    }

    /// Tells what the attempts before the watermark already show.
    pub(super) fn look_ahead(&mut self, key: &Key, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let phase = phase_of(key);
        while self.unsettled.len() > UNSETTLED_MAX {
            let attempt = self.unsettled.remove(0);
            self.settled_to = self.settled_to.max(attempt.time);
            self.settled.step(&attempt, setting.config, phase);
        }
        self.tell_late(key, setting, alerts);
        let episodes_open = self.settled.watches().iter().any(|watch| watch.open.is_some());
        let news = self.unsettled.iter().any(|attempt| attempt.succeeded) || self.update_is_due();
        if !(episodes_open && news || self.settled.is_suspicious(&self.unsettled, setting.config)) {
            return;
        }
        let mut ahead = self.settled.clone();
        for attempt in &self.unsettled {
            ahead.step(attempt, setting.config, phase);
        }
        self.certain_at = None;
        for episode in ahead.watches().iter().filter_map(|watch| watch.open.as_ref()) {
            if self.is_certain(episode, setting) {
                self.tell(key, episode, true, self.newest, setting, alerts);
            } else if episode.class.is_eager() {
                let at = episode.id.cell.max(episode.start - episode.gap_ms + 1).max(episode.certain_at);
                self.certain_at = Some(self.certain_at.map_or(at, |known| known.min(at)));
            }
        }
    }

    /// Whether an episode that was seen ahead will come true, under the id that it has.
    fn is_certain(&self, episode: &Episode, setting: Setting<'_>) -> bool {
        if setting.watermark.is_none_or(|watermark| watermark < episode.certain_at) {
            return false;
        }
        let before = self.settled.watches().iter();
        let mut before = before.filter(|watch| watch.class == episode.class && watch.part == episode.part);
        match before.find_map(|watch| watch.open.as_ref()) {
            Some(open) => open.id == episode.id,
            None => {
                episode.class.is_eager()
                    && is_certain(episode.id, episode.start, setting.watermark, episode.gap_ms)
            }
        }
    }

    fn update_is_due(&self) -> bool {
        self.told.iter().any(|told| update_is_due(Some(&told.announced), self.newest))
    }

    /// Folds what the watermark has passed, and tells what closed or changed by it.
    pub(super) fn settle(
        &mut self,
        key: &Key,
        up_to: EventTime,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) {
        let phase = phase_of(key);
        self.settled_to = self.settled_to.max(up_to);
        let passed = self.unsettled.partition_point(|attempt| attempt.time < up_to);
        for attempt in self.unsettled.drain(..passed) {
            self.settled.step(&attempt, setting.config, phase);
        }
        self.settled.expire(up_to, setting.config, phase);
        let closed: Vec<_> = self.settled.watches_mut().iter_mut().flat_map(Watch::take_closed).collect();
        for episode in closed {
            self.tell(key, &episode, false, up_to, setting, alerts);
        }
        let open: Vec<_> = self.settled.watches().iter().filter_map(|watch| watch.open.clone()).collect();
        for episode in open {
            self.tell(key, &episode, true, up_to, setting, alerts);
        }
        self.close_vanished(key, up_to, setting, alerts);
        self.look_ahead(key, setting, alerts);
        if up_to >= self.late_until {
            self.close_late(key, setting, alerts);
        }
    }

    /// Ends what was told ahead of the watermark and did not come true. Eager classes come true,
    /// but where a bound made attempts be forgotten; an alert must not stay open for that.
    fn close_vanished(
        &mut self,
        key: &Key,
        up_to: EventTime,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) {
        let (told, settled) = (&self.told, &self.settled);
        let is_open = |episode: &Episode| {
            let mut watches = settled.watches().iter();
            let of = |watch: &&Watch| watch.class == episode.class && watch.part == episode.part;
            watches.find(of).and_then(|watch| watch.open.as_ref()).is_some_and(|open| open.id == episode.id)
        };
        let vanished = told.iter().filter(|told| {
            told.episode.late_lane.is_none() && told.newest < up_to && !is_open(&told.episode)
        });
        let vanished: Vec<_> = vanished.map(|told| told.episode.clone()).collect();
        for episode in vanished {
            watch(self.settled.watches_mut(), episode.class, &episode.part).pass_over(episode.id);
            self.tell(key, &episode, false, up_to, setting, alerts);
        }
    }

    /// Applies the rules to the late attempts alone.
    fn tell_late(&mut self, key: &Key, setting: Setting<'_>, alerts: &mut AlertChanges) {
        for episode in self.late_episodes(key, setting) {
            self.tell(key, &episode, true, self.newest, setting, alerts);
        }
    }

    fn close_late(&mut self, key: &Key, setting: Setting<'_>, alerts: &mut AlertChanges) {
        for episode in self.late_episodes(key, setting) {
            self.tell(key, &episode, false, self.settled_to, setting, alerts);
        }
        // What a later attempt made another episode of.
        let told = self.told.iter().filter(|told| told.episode.late_lane.is_some());
        let told: Vec<_> = told.map(|told| told.episode.clone()).collect();
        for episode in told {
            self.tell(key, &episode, false, self.settled_to, setting, alerts);
        }
        self.late.clear();
    }

    fn late_episodes(&self, key: &Key, setting: Setting<'_>) -> Vec<Episode> {
        if !F::default().is_suspicious(&self.late, setting.config) {
            return Vec::new();
        }
        let phase = phase_of(key);
        let mut lane = F::default();
        for attempt in &self.late {
            lane.step(attempt, setting.config, phase);
        }
        // The last of each class is enough: what lies before is one story with it.
        lane.expire(EventTime(i64::MAX), setting.config, phase);
        let last_closed = |watch: &mut Watch| watch.take_closed().pop();
        let episodes = lane.watches_mut().iter_mut().filter_map(last_closed);
        episodes.map(|episode| episode.into_late_lane(self.late_since)).collect()
    }

    fn tell(
        &mut self,
        key: &Key,
        episode: &Episode,
        open: bool,
        now: EventTime,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) {
        let alert_id = describe::subject(key, F::entity(key), episode, |subject| subject.alert_id());
        let at = self.told.iter().position(|told| told.alert_id == alert_id);
        let mut known = at.map(|at| self.told[at].announced);
        // A higher severity is told at once; other news is once a minute.
        let raises = known.is_some_and(|known| known.is_below(episode.severity));
        if let Some(at) = at
            && open
            && !raises
            && !known.is_some_and(|known| update_is_due(Some(&known), now))
        {
            self.told[at].newest = self.newest;
            return;
        }
        let mut alert = describe(key, F::entity(key), episode, setting.config);
        alert.approx |= self.is_partial;
        if !open && known.is_none() {
            // What closes was opened first, be it in the same breath.
            alerts.extend(announce(&mut known, alert.clone(), now));
        }
        alert.episode_open = open;
        let change = announce(&mut known, alert, now);
        alerts.extend(change);
        match (at, known) {
            (Some(at), _) if !open => {
                self.told.remove(at);
            }
            (Some(at), Some(announced)) => {
                self.told[at] =
                    Told { alert_id, announced, episode: Box::new(episode.clone()), newest: self.newest };
            }
            (None, Some(announced)) if open => {
                let episode = Box::new(episode.clone());
                self.told.push(Told { alert_id, announced, episode, newest: self.newest });
            }
            _ => {}
        }
    }

    /// Ends every episode, because the key must be forgotten.
    pub(super) fn close_all(&mut self, key: &Key, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let open: Vec<_> =
            self.settled.watches_mut().iter_mut().filter_map(|watch| watch.open.take()).collect();
        self.is_partial = true;
        for episode in open {
            self.tell(key, &episode, false, self.newest, setting, alerts);
        }
        let told: Vec<_> = self.told.iter().map(|told| told.episode.clone()).collect();
        for episode in told {
            self.tell(key, &episode, false, self.newest, setting, alerts);
        }
    }

    /// When this next has something to do.
    pub(super) fn due(&self, setting: Setting<'_>) -> EventTime {
        let unsettled = self.unsettled.first().map(|attempt| attempt.time.floor(1_000) + 1_000);
        let late = (!self.late.is_empty()).then_some(self.late_until);
        let next_minute = self.settled_to.max(EventTime(0)).floor(60_000) + 60_000;
        let told = self.told.iter().map(|told| told.announced.next_minute().max(next_minute)).min();
        let waiting = [unsettled, late, told, self.certain_at, self.settled.due(setting.config)];
        let soonest = waiting.into_iter().flatten().min();
        soonest.unwrap_or_else(|| self.needed_until())
    }

    fn needed_until(&self) -> EventTime {
        self.settled.needed_until().max(self.newest + RECENT_MS)
    }

    /// Whether nothing is left that matters.
    pub(super) fn is_over(&self, up_to: EventTime) -> bool {
        self.unsettled.is_empty()
            && self.late.is_empty()
            && self.told.is_empty()
            && self.settled.watches().iter().all(|watch| watch.open.is_none())
            && up_to >= self.needed_until()
    }

    /// Episodes that were told and not closed.
    pub(super) fn open_episodes(&self) -> u64 {
        self.told.len() as u64
    }
}

/// Where a key's cells begin: the same for each of its classes.
fn phase_of(key: &Key) -> u64 {
    stable::hash(&[key.tenant.as_str(), &key.name])
}

/// Drops from the front what is too old or too much.
pub(super) fn trim<T>(recent: &mut VecDeque<T>, most: usize, is_old: impl Fn(&T) -> bool) {
    while recent.len() > most || recent.front().is_some_and(&is_old) {
        recent.pop_front();
    }
}
