//! One class on one key: whether an episode is open, and what belongs to it.
//!
//! Failures with gaps below the episode's gap form a cluster. In a cluster the episode begins
//! when the rule is first met; what the rule was met by counts, and every failure after it.

use std::sync::Arc;

use event::{EventTime, Severity};
use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, RECENT_MS};
use super::classes::{ADDRESS, DISTRIBUTED, FAST, KEY_GUESS, MALFORMED, SLOW, SPRAY, STUFFING, SUCCESS};
use crate::class::ClassInfo;
use crate::episode::{Cells, EpisodeId};
use crate::tally::{Breakdown, Tally};

/// Accounts that an episode remembers having been tried.
const TRIED_MAX: usize = 1_024;

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Class {
    Fast,
    Slow,
    Distributed,
    Address,
    Spray,
    Success,
    KeyGuess,
    Malformed,
}

impl Class {
    /// What its findings are called at first.
    pub(super) fn info(self) -> &'static ClassInfo {
        match self {
            Self::Fast => &FAST,
            Self::Slow => &SLOW,
            Self::Distributed => &DISTRIBUTED,
            Self::Address => &ADDRESS,
            Self::Spray => &SPRAY,
            Self::Success => &SUCCESS,
            Self::KeyGuess => &KEY_GUESS,
            Self::Malformed => &MALFORMED,
        }
    }

    /// Whether a failure may belong to its episodes.
    pub(super) fn takes(self, attempt: &Attempt) -> bool {
        match self {
            _ if attempt.succeeded => false,
            Self::Success => false,
            Self::KeyGuess => attempt.is_guessed_key(),
            Self::Malformed => attempt.is_malformed(),
            // What does not look like a token is a broken client rather than a guess at one.
            Self::Address => !attempt.is_malformed(),
            _ => true,
        }
    }

    /// Whether an attempt may belong to this part: of brute force from one network only what came
    /// from there, where no network is known too.
    pub(super) fn is_of(self, part: &str, attempt: &Attempt) -> bool {
        self != Self::Fast || *attempt.net == *part
    }

    /// Whether further attempts from the same address may make it worse.
    pub(super) fn rises(self) -> bool {
        matches!(self, Self::Address | Self::Malformed)
    }

    /// Whether further attempts can only strengthen what was seen, so that it may be told before
    /// the watermark (see also `Episode::certain_at`).
    pub(super) fn is_eager(self) -> bool {
        !matches!(self, Self::Slow | Self::Spray)
    }
}

/// One rule's memory on one key. `part` tells apart several of one class, e.g. by network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Watch {
    pub(super) class: Class,
    pub(super) part: Box<str>,
    pub(super) open: Option<Box<Episode>>,
    closed: Vec<Episode>,
    cells: Cells,
    used_up_to: (EventTime, u64),
}

/// One stretch of trouble.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Episode {
    pub(super) class: Class,
    pub(super) part: Box<str>,
    pub(super) id: EpisodeId,
    /// When the rule was first met.
    pub(super) start: EventTime,
    pub(super) ingested_at: EventTime,
    pub(super) severity: Severity,
    pub(super) threshold: u32,
    pub(super) window_ms: i64,
    pub(super) tally: Tally,
    pub(super) failures: u64,
    pub(super) successes: u64,
    pub(super) accounts: Breakdown,
    pub(super) addresses: Breakdown,
    pub(super) reasons: Breakdown,
    pub(super) is_late: bool,
    /// Where it rests on late attempts alone: when the lane that they are in was begun, so that
    /// its id is that of no other.
    pub(super) late_lane: Option<EventTime>,
    /// The watermark from which nothing that may still arrive can take it back.
    pub(super) certain_at: EventTime,
    /// What was done, e.g. `login`.
    pub(super) actions: Breakdown,
    pub(super) gap_ms: i64,
    /// Accounts that failed, and how often these did.
    tried: Vec<u64>,
    failures_of_tried: u64,
    last: (EventTime, u64),
}

/// A rule that was met.
pub(super) struct Hit {
    pub(super) class: Class,
    pub(super) severity: Severity,
    pub(super) threshold: u32,
    pub(super) window_ms: i64,
    /// The watermark from which nothing that may still arrive can take it back.
    pub(super) certain_at: EventTime,
    /// The attempts that met it.
    pub(super) members: Vec<Arc<Attempt>>,
}

impl Watch {
    pub(super) fn new(class: Class, part: &str) -> Self {
        Self {
            class,
            part: part.into(),
            open: None,
            closed: Vec::new(),
            cells: Cells::default(),
            used_up_to: (EventTime::MIN, 0),
        }
    }

    /// Ends the episode if nothing can belong to it at `time` any more.
    pub(super) fn close_if_over(&mut self, time: EventTime) {
        if let Some(episode) = self.open.take_if(|episode| time - episode.last.0 >= episode.gap_ms) {
            self.used_up_to = episode.last;
            self.closed.push(*episode);
        }
    }

    /// Adds an attempt to the open episode, if there is one.
    pub(super) fn extend(&mut self, attempt: &Attempt) -> bool {
        let Some(episode) = &mut self.open else { return false };
        episode.add(attempt);
        true
    }

    /// Opens an episode on a rule that was met by `attempt`.
    pub(super) fn open(&mut self, hit: Hit, attempt: &Attempt, phase: u64, gap_ms: i64) {
        let mut episode = Episode {
            class: hit.class,
            part: self.part.clone(),
            id: self.cells.open(phase, attempt.time),
            start: attempt.time,
            ingested_at: attempt.ingested_at,
            severity: hit.severity,
            threshold: hit.threshold,
            window_ms: hit.window_ms,
            tally: Tally::default(),
            failures: 0,
            successes: 0,
            accounts: Breakdown::default(),
            addresses: Breakdown::default(),
            reasons: Breakdown::default(),
            is_late: false,
            late_lane: None,
            certain_at: hit.certain_at,
            actions: Breakdown::default(),
            gap_ms,
            tried: Vec::new(),
            failures_of_tried: 0,
            last: (EventTime::MIN, 0),
        };
        hit.members.iter().for_each(|member| episode.add(member));
        self.open = Some(Box::new(episode));
    }

    /// Whether an attempt may still count towards a rule: no earlier episode has used it.
    pub(super) fn is_fresh(&self, attempt: &Attempt) -> bool {
        attempt.stamp() > self.used_up_to
    }

    /// Episodes that ended since this was last asked.
    pub(super) fn take_closed(&mut self) -> Vec<Episode> {
        std::mem::take(&mut self.closed)
    }

    /// Whether something would be lost with it.
    pub(super) fn is_needed(&self, up_to: EventTime) -> bool {
        self.open.is_some() || !self.closed.is_empty() || up_to < self.needed_until()
    }

    /// An id was told of an episode that came to nothing: the next one must have another.
    pub(super) fn pass_over(&mut self, id: EpisodeId) {
        self.cells.pass_over(id);
    }

    /// Until when this must be remembered: for the ids that it gave away, and for the attempts that
    /// its episodes used while these are kept.
    pub(super) fn needed_until(&self) -> EventTime {
        let used = self.used_up_to.0 + RECENT_MS;
        self.cells.needed_until().map_or(used, |ids| ids.max(used))
    }
}

impl Episode {
    /// Counts an attempt.
    pub(super) fn add(&mut self, attempt: &Attempt) {
        let weight = u64::from(attempt.weight);
        self.tally.add(&attempt.witness, weight);
        self.last = self.last.max(attempt.stamp());
        if attempt.succeeded {
            self.successes += weight;
        } else {
            self.failures += weight;
            self.note_tried(attempt.account, weight);
        }
        if !attempt.account_said.is_empty() {
            self.accounts.add(&attempt.account_said, weight);
        }
        self.actions.add(attempt.action(), weight);
        if let Some(address) = &attempt.witness.src_ip {
            self.addresses.add(address, weight);
        }
        if !attempt.reason.is_empty() {
            self.reasons.add(&attempt.reason, weight);
        }
    }

    fn note_tried(&mut self, account: u64, weight: u64) {
        if let Err(at) = self.tried.binary_search(&account) {
            if self.tried.len() == TRIED_MAX {
                return;
            }
            self.tried.insert(at, account);
        }
        self.failures_of_tried += weight;
    }

    /// What it amounts to: spraying over a great many accounts, hardly more than one try each, is
    /// stuffing.
    pub(super) fn info(&self, stuffing_accounts: usize) -> &'static ClassInfo {
        let accounts = self.tried.len();
        let is_list = accounts >= stuffing_accounts && self.failures_of_tried <= 2 * accounts as u64;
        if self.class == Class::Spray && is_list { &STUFFING } else { self.class.info() }
    }

    /// Whether this account failed in the episode.
    pub(super) fn has_tried(&self, account: u64) -> bool {
        self.tried.binary_search(&account).is_ok()
    }

    /// The same, resting on late attempts alone.
    pub(super) fn into_late_lane(self, since: EventTime) -> Self {
        Self { is_late: true, late_lane: Some(since), ..self }
    }

    /// Raises the severity; what raised it must be certain too.
    pub(super) fn raise(&mut self, severity: Severity, certain_at: EventTime) {
        if severity > self.severity {
            self.severity = severity;
            self.certain_at = self.certain_at.max(certain_at);
        }
    }

    /// When its newest attempt happened.
    pub(super) fn last(&self) -> EventTime {
        self.last.0
    }

    /// Whether an attempt that came late belongs to it.
    pub(super) fn covers(&self, time: EventTime) -> bool {
        time > self.start - self.window_ms && time < self.last.0 + self.gap_ms
    }
}

/// The watch of a class and part, made if it is not there.
pub(super) fn watch<'w>(watches: &'w mut Vec<Watch>, class: Class, part: &str) -> &'w mut Watch {
    let at = watches.iter().position(|w| w.class == class && *w.part == *part).unwrap_or_else(|| {
        watches.push(Watch::new(class, part));
        watches.len() - 1
    });
    &mut watches[at]
}

/// The watch of a class and part, if an episode was ever open there.
pub(super) fn find<'w>(watches: &'w mut [Watch], class: Class, part: &str) -> Option<&'w mut Watch> {
    watches.iter_mut().find(|w| w.class == class && *w.part == *part)
}
