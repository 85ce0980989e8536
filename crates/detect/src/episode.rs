//! Episodes: one stretch of trouble on one key is one alert, under one id, however it was read.
//!
//! An alert's id holds the start of its episode, and it must not change when an earlier event
//! arrives a little later. So the id does not hold the moment itself but the *cell* it lies in
//! (a day; each key's day begins at its own minute, so that no moment is one at which every alert
//! would have to wait) and which episode of that cell it is. An earlier event can still carry the
//! start across the border of a cell, or join an episode to the one before. While that is
//! possible the id is not certain and the alert waits for the watermark; else it is told at once.
//! With two minutes of lateness that is one alert in seven hundred.

use event::{Alert, AlertChange, Change, EventTime, Severity};
use serde::{Deserialize, Serialize};

use crate::stable;

/// The width of a cell.
pub(crate) const CELL_MS: i64 = 86_400_000;

/// Which episode of a key: the cell its start lies in, and how many began there before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct EpisodeId {
    pub(crate) cell: EventTime,
    pub(crate) ordinal: u32,
}

impl EpisodeId {
    /// `20260314T0917`, or `20260314T0917.1` for the second of the cell.
    pub(crate) fn label(self) -> String {
        let start = match chrono::DateTime::from_timestamp_millis(self.cell.millis()) {
            Some(start) => start.format("%Y%m%dT%H%M").to_string(),
            None => self.cell.millis().to_string(),
        };
        if self.ordinal == 0 { start } else { format!("{start}.{}", self.ordinal) }
    }
}

/// Hands out the episode ids of one key and class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cells {
    last: Option<EpisodeId>,
}

impl Cells {
    /// The id of the episode that starts now; starts must come in order.
    pub(crate) fn open(&mut self, phase: u64, start: EventTime) -> EpisodeId {
        let cell = cell_of(phase, start);
        let ordinal = match self.last {
            Some(last) if last.cell == cell => last.ordinal + 1,
            _ => 0,
        };
        let id = EpisodeId { cell, ordinal };
        self.last = Some(id);
        id
    }

    /// Never hands out this id, because it was told.
    pub(crate) fn pass_over(&mut self, id: EpisodeId) {
        self.last = self.last.max(Some(id));
    }

    /// Until when the ids that were handed out must be remembered.
    pub(crate) fn needed_until(&self) -> Option<EventTime> {
        self.last.map(|id| id.cell + CELL_MS)
    }
}

pub(crate) fn cell_of(phase: u64, time: EventTime) -> EventTime {
    let shift = (phase % CELL_MS as u64) as i64 / 60_000 * 60_000;
    (time - shift).floor(CELL_MS) + shift
}

/// Whether nothing that may still arrive can change the id of an episode that was seen to start
/// at `start`, before the watermark got there, with no other episode open before it.
pub(crate) fn is_certain(id: EpisodeId, start: EventTime, watermark: Option<EventTime>, gap_ms: i64) -> bool {
    watermark.is_some_and(|watermark| watermark >= id.cell && start - watermark < gap_ms)
}

/// What was last told of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    revision: u32,
    severity: Severity,
    minute: EventTime,
    content: u64,
    pub(crate) open: bool,
}

impl Announced {
    /// Whether it was told with a lower severity than this.
    pub(crate) fn is_below(&self, severity: Severity) -> bool {
        self.severity < severity
    }

    /// When the next update may be told.
    pub(crate) fn next_minute(&self) -> EventTime {
        self.minute + MINUTE_MS
    }
}

const MINUTE_MS: i64 = 60_000;

/// Whether an update would be due at this event time: at most one a minute.
pub(crate) fn update_is_due(announced: Option<&Announced>, now: EventTime) -> bool {
    announced.is_none_or(|known| now.floor(MINUTE_MS) > known.minute)
}

/// Decides whether the state of an alert is news: its first is, a higher severity is, its close
/// is, and other changes are once a minute of event time. Severity never falls.
pub(crate) fn announce(
    known: &mut Option<Announced>,
    mut alert: Alert,
    now: EventTime,
) -> Option<AlertChange> {
    let minute = now.floor(MINUTE_MS);
    if let Some(last) = known {
        alert.severity = alert.severity.max(last.severity);
        alert.page |= alert.severity >= Severity::High;
    }
    let content = content_of(&alert);
    let (change, revision) = match known {
        None => (Change::Create, 0),
        Some(last) if !alert.episode_open && last.open => (Change::Close, last.revision + 1),
        Some(last) if alert.severity > last.severity => (Change::Update, last.revision + 1),
        Some(last) if content != last.content && minute > last.minute => (Change::Update, last.revision + 1),
        Some(_) => return None,
    };
    *known =
        Some(Announced { revision, severity: alert.severity, minute, content, open: alert.episode_open });
    Some(AlertChange { change, revision, alert })
}

/// A hash of all that a reader would call different.
pub(crate) fn content_of(alert: &Alert) -> u64 {
    let json = serde_json::to_string(alert).expect("an alert holds only what JSON can write");
    stable::hash(&[&json])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_episode_of_a_cell_has_another_id() {
        let mut cells = Cells::default();
        let first = cells.open(0, EventTime(1_000));
        let second = cells.open(0, EventTime(50_000_000));
        let next_day = cells.open(0, EventTime(CELL_MS));
        assert_eq!((first.label(), second.label()), ("19700101T0000".into(), "19700101T0000.1".into()));
        assert_eq!(next_day, EpisodeId { cell: EventTime(CELL_MS), ordinal: 0 });
    }

    #[test]
    fn a_start_just_after_the_border_of_a_cell_is_not_certain() {
        let id = EpisodeId { cell: EventTime(0), ordinal: 0 };
        let certain =
            |start, watermark| is_certain(id, EventTime(start), Some(EventTime(watermark)), 1_800_000);
        assert!(!certain(60_000, -60_000), "an earlier event could still lie in the cell before");
        assert!(certain(60_000, 0));
        assert!(!certain(1_900_000, 0), "another episode could still come to light before this one");
        assert!(!is_certain(id, EventTime(60_000), None, 1_800_000));
    }
}
