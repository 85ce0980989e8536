//! One shipper's clock, judged every ten minutes by how long after their stamps its lines arrive.
//!
//! A stamp from the future is wrong. One from the past may be, or the line waited: in a batch, or
//! because its shipper could not send. What waited is told from what is stamped wrong by the quickest
//! line: of a batch it arrives at once, and after an outage it arrives quicker every minute.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{DELAYS_MS, EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::{Setting, SourceHealthConfig, describe, label};
use crate::detector::AlertChanges;
use crate::episode::{Announced, announce};
use crate::tally::Tally;
use crate::witness::Witness;

pub(super) const WINDOW_MS: i64 = 600_000;
/// So many windows in a row must show a clock behind ...
const BEHIND_WINDOWS: u32 = 3;
/// ... by as much as this: lines that waited come quicker or slower.
const STEADY_MS: u64 = 30_000;
/// Older lines are history that somebody reads in.
const HISTORY_MS: i64 = 86_400_000;
/// A clock of which nothing is heard for so long is no longer said to be wrong.
const FORGET_MS: i64 = 86_400_000;

/// A shipper's clock.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Clock {
    windows: BTreeMap<EventTime, Delays>,
    /// Windows that were too poor to be judged, together.
    poor: Option<Delays>,
    behind: Option<Behind>,
    skew: Option<Skew>,
}

/// What arrived in one window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Delays {
    from: EventTime,
    until: EventTime,
    lines: u64,
    /// How many were ahead by each of [`DELAYS_MS`] at least.
    ahead: [u64; DELAYS_MS.len()],
    least_ms: Option<i64>,
    last: Option<Arc<Witness>>,
}

/// So many windows in a row whose quickest line took about as long.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Behind {
    at: EventTime,
    windows: u32,
    least_ms: i64,
}

/// A clock that is wrong: one episode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Skew {
    known: Option<Announced>,
    pub(super) label: String,
    pub(super) from: EventTime,
    pub(super) until: EventTime,
    /// How far ahead it was at most, at least; negative where it is behind.
    pub(super) ahead_ms: i64,
    pub(super) tally: Tally,
    pub(super) is_over: bool,
}

impl Delays {
    /// With what arrived in the next window.
    fn and(mut self, next: Delays) -> Delays {
        self.ahead.iter_mut().zip(next.ahead).for_each(|(count, more)| *count += more);
        Delays {
            from: self.from,
            until: next.until,
            lines: self.lines + next.lines,
            ahead: self.ahead,
            least_ms: self.least_ms.into_iter().chain(next.least_ms).min(),
            last: next.last.or(self.last),
        }
    }
}

impl Clock {
    /// Notes lines that arrived together.
    pub(super) fn note(&mut self, o: &Observation<'_>, first: EventTime, delay_ms: i64, lines: u64) {
        let from = first.floor(WINDOW_MS);
        let empty = || Delays { from, until: from + WINDOW_MS, ..Delays::default() };
        let window = self.windows.entry(from).or_insert_with(empty);
        window.lines += lines;
        for (count, border) in window.ahead.iter_mut().zip(DELAYS_MS) {
            *count += if delay_ms.saturating_neg() >= border { lines } else { 0 };
        }
        window.least_ms = Some(window.least_ms.map_or(delay_ms, |least| least.min(delay_ms)));
        let what = format!("stamped {}", describe::ahead_or_behind(delay_ms.saturating_neg()));
        let last = Arc::new(Witness::last_of(o, what));
        if window.last.as_ref().is_none_or(|known| **known < *last) {
            window.last = Some(last);
        }
    }

    /// All that arrived before has been read.
    pub(super) fn advance(
        &mut self,
        up_to: EventTime,
        shipper: &str,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) {
        while let Some(window) = self.windows.first_entry() {
            if *window.key() + WINDOW_MS > up_to {
                break;
            }
            let window = window.remove();
            let delays = match self.poor.take() {
                Some(poor) => poor.and(window),
                None => window,
            };
            if delays.lines < setting.config.skew_lines_min {
                self.poor = Some(delays);
                continue;
            }
            let ahead_ms = self.judge(&delays, setting.config);
            self.tell(&delays, ahead_ms, shipper, setting, alerts);
        }
        self.poor.take_if(|poor| up_to - poor.from > FORGET_MS);
        self.behind = self.behind.filter(|behind| up_to - behind.at <= FORGET_MS);
        if self.skew.as_ref().is_some_and(|skew| up_to - skew.until > FORGET_MS) {
            self.close(up_to, shipper, setting, alerts);
        }
    }

    /// How far ahead the clock is, or behind where negative; `None` where it is right.
    fn judge(&mut self, delays: &Delays, config: &SourceHealthConfig) -> Option<i64> {
        let half = delays.lines.div_ceil(2);
        let ahead = DELAYS_MS.iter().zip(delays.ahead).rev().find(|(_, lines)| *lines >= half);
        if let Some((&border, _)) = ahead
            && border >= config.skew_ahead_ms
        {
            self.behind = None;
            return Some(border);
        }
        let least_ms = delays.least_ms.unwrap_or_default();
        if !(config.skew_behind_ms..HISTORY_MS).contains(&least_ms) {
            self.behind = None;
            return None;
        }
        let steady = self.behind.filter(|before| before.least_ms.abs_diff(least_ms) <= STEADY_MS);
        let windows = steady.map_or(1, |before| before.windows.saturating_add(1));
        self.behind = Some(Behind { at: delays.until, windows, least_ms });
        (windows >= BEHIND_WINDOWS).then_some(-least_ms)
    }

    fn tell(
        &mut self,
        delays: &Delays,
        ahead_ms: Option<i64>,
        shipper: &str,
        setting: Setting<'_>,
        alerts: &mut AlertChanges,
    ) {
        let (from, until) = (delays.from, delays.until);
        let Some(ahead_ms) = ahead_ms else { return self.close(until, shipper, setting, alerts) };
        let skew = self.skew.get_or_insert_with(|| Skew {
            known: None,
            label: label(from),
            from,
            until,
            ahead_ms,
            tally: Tally::default(),
            is_over: false,
        });
        skew.until = until;
        if ahead_ms.unsigned_abs() > skew.ahead_ms.unsigned_abs() {
            skew.ahead_ms = ahead_ms;
        }
        if let Some(last) = &delays.last {
            skew.tally.add(last, delays.lines);
        }
        let alert = describe::skew(skew, shipper, setting);
        alerts.extend(announce(&mut skew.known, alert, until));
    }

    fn close(&mut self, at: EventTime, shipper: &str, setting: Setting<'_>, alerts: &mut AlertChanges) {
        let Some(mut skew) = self.skew.take() else { return };
        skew.is_over = true;
        let alert = describe::skew(&skew, shipper, setting);
        alerts.extend(announce(&mut skew.known, alert, at));
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.skew.is_some()
    }

    /// Whether nothing of it need be remembered.
    pub(super) fn is_idle(&self) -> bool {
        self.windows.is_empty() && self.poor.is_none() && self.skew.is_none() && self.behind.is_none()
    }
}
