//! What happened on one day, and what was told of it.

use std::sync::Arc;

use event::EventTime;
use serde::{Deserialize, Serialize};

use crate::tally::Tally;
use crate::telling::Telling;
use crate::witness::Witness;

/// A day of event time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Day {
    pub(super) tally: Tally,
    pub(super) is_real: bool,
    pub(super) ingested_at: EventTime,
    pub(super) late: bool,
    pub(super) told: Telling,
}

/// An event that belongs to a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) witness: Arc<Witness>,
    pub(super) ingested_at: EventTime,
    pub(super) is_real: bool,
    pub(super) late: bool,
}

impl Day {
    pub(super) fn add(&mut self, seen: &Seen, weight: u64) {
        if self.tally.first_seen().is_none_or(|first| seen.witness.time < first) {
            self.ingested_at = seen.ingested_at;
        }
        self.tally.add(&seen.witness, weight);
        self.is_real |= seen.is_real;
        self.late |= seen.late;
        self.told.has_news();
    }
}
