//! One feed: when its lines arrived, and whether it is silent.

use std::collections::BTreeMap;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::cadence::{Cadence, Pause};
use super::clock::Clock;
use super::{Setting, SourceHealthConfig, describe, label};
use crate::detector::AlertChanges;
use crate::episode::{Announced, announce};
use crate::witness::Witness;

const MINUTE_MS: i64 = 60_000;
/// That a feed was read to its end is said by another clock than its broker's, and a little later
/// than it was found.
const SLACK_MS: i64 = 60_000;
/// Whoever reads a feed says how far at least so often. Where that was not said, nobody knows
/// whether the brokers were there.
const HOLE_MS: i64 = 300_000;

/// A feed's arrivals and silence.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Feed {
    /// By minute, until all of the minute has been read.
    arrivals: BTreeMap<EventTime, Arrivals>,
    up_to: Option<EventTime>,
    /// Since when it was said without a hole how far it was read.
    watched_since: Option<EventTime>,
    cadence: Cadence,
    newest: Option<Newest>,
    issues_tokens: bool,
    silence: Option<Silence>,
    shippers: BTreeMap<Box<str>, Clock>,
}

/// What arrived in one minute.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Arrivals {
    first: EventTime,
    last: Witness,
}

/// The lines that arrived last, and from when on their being the last is a silence.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Newest {
    witness: Witness,
    pause_max_ms: Option<i64>,
    overdue_at: Option<EventTime>,
    /// The same, counted from when the feed was watched.
    seen_overdue_at: Option<EventTime>,
}

/// A silence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Silence {
    known: Option<Announced>,
    pub(super) label: String,
    pub(super) last: Witness,
    pub(super) overdue_at: EventTime,
    pub(super) pause_max_ms: i64,
    pub(super) issues_tokens: bool,
    pub(super) is_high: bool,
    pub(super) back_at: Option<EventTime>,
    /// How long it is for sure, or was.
    pub(super) lasts_ms: i64,
}

impl Silence {
    fn tell(&mut self, at: EventTime, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let alert = describe::silence(self, setting);
        alerts.extend(announce(&mut self.known, alert, at));
    }
}

/// What became of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    InTime,
    Late,
    OneShipperTooMany,
}

impl Feed {
    /// Notes lines that arrived in one minute.
    pub(super) fn note(&mut self, o: &Observation<'_>, config: &SourceHealthConfig) -> Arrival {
        let Some(first) = o.time else { return Arrival::InTime };
        let minute = first.floor(MINUTE_MS);
        if self.up_to.is_some_and(|up_to| minute + MINUTE_MS <= up_to) {
            return Arrival::Late;
        }
        self.issues_tokens |= o.action.is_some();
        let last = Witness::last_of(o, "arrived before the silence".to_owned());
        match self.arrivals.get_mut(&minute) {
            Some(known) => {
                known.first = known.first.min(first);
                known.last = known.last.clone().max(last);
            }
            None => {
                self.arrivals.insert(minute, Arrivals { first, last });
            }
        }
        let (Some(delay_ms), Some(lines)) = (o.delay_ms, o.count) else { return Arrival::InTime };
        let shipper = o.shipper_id.as_deref().unwrap_or_default();
        if !self.shippers.contains_key(shipper) && self.shippers.len() >= config.shippers_per_feed_max {
            return Arrival::OneShipperTooMany;
        }
        let clock = self.shippers.entry(shipper.into()).or_default();
        clock.note(o, first, delay_ms, lines.max(0).unsigned_abs());
        Arrival::InTime
    }

    /// All that the feed held before has been read.
    pub(super) fn advance(&mut self, read_up_to: EventTime, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let up_to = read_up_to - SLACK_MS;
        if self.up_to.is_some_and(|known| up_to <= known) {
            return;
        }
        let hole = self.up_to.is_none_or(|known| up_to - known > HOLE_MS);
        self.up_to = Some(up_to);
        if hole {
            self.watched_since = Some(up_to);
        }
        while let Some(arrived) = self.arrivals.first_entry()
            && *arrived.key() + MINUTE_MS <= up_to
        {
            let arrived = arrived.remove();
            self.arrive(arrived, setting, alerts);
        }
        if hole {
            self.expect(setting);
        }
        if self.arrivals.is_empty() {
            self.tell_silence(up_to, setting, alerts);
        }
        for (shipper, clock) in &mut self.shippers {
            clock.advance(up_to, shipper, setting, alerts);
        }
        self.shippers.retain(|_, clock| !clock.is_idle());
    }

    fn arrive(&mut self, arrived: Arrivals, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let zone = setting.zone_offset_ms;
        match &self.newest {
            None => self.cadence.begin(arrived.first, zone),
            Some(newest) => {
                let from = newest.witness.time;
                let is_long = newest.pause_max_ms.is_some_and(|most| arrived.first - from > most);
                let pause = match newest.overdue_at {
                    Some(overdue_at) if arrived.first > overdue_at => Pause::Silence,
                    _ if is_long => Pause::Rest,
                    _ => Pause::Usual,
                };
                if pause == Pause::Silence {
                    self.end_silence(arrived.first, setting, alerts);
                }
                self.cadence.learn(pause, from, arrived.first, zone);
            }
        }
        let pause_max_ms = self.cadence.pause_max_ms(setting.config);
        self.newest =
            Some(Newest { witness: arrived.last, pause_max_ms, overdue_at: None, seen_overdue_at: None });
        self.expect(setting);
    }

    /// Works out when something should come.
    fn expect(&mut self, setting: Setting<'_>) {
        let Some(newest) = &mut self.newest else { return };
        let Some(pause_max_ms) = newest.pause_max_ms else { return };
        let (at, zone) = (newest.witness.time, setting.zone_offset_ms);
        newest.overdue_at = self.cadence.overdue_at(at, pause_max_ms, zone);
        newest.seen_overdue_at = match self.watched_since {
            Some(since) if since > at => self.cadence.overdue_at(since, pause_max_ms, zone),
            _ => newest.overdue_at,
        };
    }

    /// Tells a silence that has not ended, as far as is known.
    fn tell_silence(&mut self, up_to: EventTime, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let Some(newest) = &self.newest else { return };
        if newest.seen_overdue_at.is_none_or(|overdue_at| up_to <= overdue_at) {
            return;
        }
        if self.silence.is_none() {
            self.silence = self.silence_so_far(up_to, setting);
        }
        let Some(silence) = &mut self.silence else { return };
        silence.lasts_ms = up_to - silence.last.time;
        // How long it has been is no news.
        if silence.known.is_none() {
            silence.tell(up_to, setting, alerts);
        }
    }

    fn end_silence(&mut self, back_at: EventTime, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let told = self.silence.take();
        // It was over before anybody could see it: nobody is woken any more.
        let past = || {
            let silence = self.silence_so_far(back_at, setting)?;
            Some(Silence { is_high: false, ..silence })
        };
        let Some(mut silence) = told.or_else(past) else { return };
        silence.lasts_ms = back_at - silence.last.time;
        if silence.known.is_none() {
            silence.tell(back_at, setting, alerts);
        }
        silence.back_at = Some(back_at);
        silence.tell(back_at, setting, alerts);
    }

    fn silence_so_far(&self, at: EventTime, setting: Setting<'_>) -> Option<Silence> {
        let newest = self.newest.as_ref()?;
        let (overdue_at, last) = (newest.overdue_at?, newest.witness.clone());
        let is_busy = self.cadence.is_known_to_be_busy(overdue_at, setting.zone_offset_ms);
        Some(Silence {
            known: None,
            label: label(last.time),
            overdue_at,
            pause_max_ms: newest.pause_max_ms?,
            issues_tokens: self.issues_tokens,
            is_high: self.issues_tokens && is_busy,
            back_at: None,
            lasts_ms: at - last.time,
            last,
        })
    }

    /// How many things are watched.
    pub(super) fn keys(&self) -> u64 {
        1 + self.shippers.len() as u64
    }

    pub(super) fn open_episodes(&self) -> u64 {
        let wrong = self.shippers.values().filter(|clock| clock.is_wrong()).count() as u64;
        u64::from(self.silence.is_some()) + wrong
    }
}
