//! Realistic partner traffic, the same for the same seed.
//!
//! Partners of very different size (Zipf) send what their logs would hold: tokens issued by
//! backends and redeemed by browsers, calls, retries, double clicks, back buttons, staff that
//! mistype passwords. Everything that happens is the doing of an *actor*, which says something
//! and names the moment it will speak again; [`Traffic`] asks them in the order of event time.
//! A few lines arrive up to five seconds after their neighbours, as they do.

mod access;
mod actor;
mod attacks;
mod calendar;
pub(crate) mod dice;
mod fact;
mod handshake;
mod label;
mod partner;
mod people;
mod record;
mod sshd;
mod staff;
mod stage;
mod text;
mod visit;

#[cfg(test)]
mod tests;

pub use label::Label;
pub use record::{BadRecord, file_line, parse_file_line};

use event::{EventTime, LogTopic};
use stage::Stage;

/// What traffic to make.
#[derive(Clone, Debug)]
pub struct TrafficConfig {
    /// The same seed (and the same rest) gives the same bytes.
    pub seed: u64,
    /// How many partners; at least one.
    pub partners: usize,
    /// Lines a second of event time, all partners together, in the mean over a week. Attacks come
    /// on top.
    pub events_per_second: f64,
    /// Event time of the beginning.
    pub start: EventTime,
    /// How much event time to cover; without it the traffic never ends.
    pub duration_ms: Option<i64>,
    /// Whether attacks are in it.
    pub attacks: Attacks,
    /// How much later than its event time a line may arrive.
    pub disorder_ms_max: i64,
}

impl Default for TrafficConfig {
    /// Eight partners, fifty lines a second, no attacks, from 2 March 2026 (a Monday) without end.
    fn default() -> Self {
        Self {
            seed: 1,
            partners: 8,
            events_per_second: 50.0,
            start: EventTime(1_772_409_600_000),
            duration_ms: None,
            attacks: Attacks::None,
            disorder_ms_max: 5_000,
        }
    }
}

/// Whether, and how often, somebody attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attacks {
    /// Nobody does.
    None,
    /// Attacks of every kind, one after another.
    Some {
        /// Mean event time from the beginning of one to the beginning of the next.
        every_ms: i64,
        /// Nothing before this much event time has passed.
        warmup_ms: i64,
    },
}

impl Attacks {
    /// One every four minutes, the first after two.
    pub const fn default_some() -> Self {
        Self::Some { every_ms: 240_000, warmup_ms: 120_000 }
    }
}

/// One line of one partner's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The topic its shipper sends it to.
    pub topic: LogTopic,
    /// Event time, to the millisecond; the line itself may say it in whole seconds.
    pub time: EventTime,
    /// The line without its newline. Always UTF-8.
    pub bytes: Vec<u8>,
}

/// An iterator over lines in the order in which they arrive.
pub struct Traffic {
    stage: Stage,
}

impl Traffic {
    /// Sets the stage; nothing is made before it is asked for.
    pub fn new(config: TrafficConfig) -> Self {
        Self { stage: Stage::new(&config) }
    }

    /// The attacks whose last line has been emitted, in the order of their ends.
    pub fn labels(&self) -> &[Label] {
        self.stage.labels()
    }

    /// What each partner has contracted for: tenant and requests a minute. It lies above the
    /// partner's busiest usual minute.
    pub fn contracts(&self) -> Vec<(String, f64)> {
        let partners = self.stage.partners();
        partners.iter().map(|partner| (partner.tenant.to_string(), partner.contract_rpm())).collect()
    }
}

impl Iterator for Traffic {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        self.stage.next_line()
    }
}
