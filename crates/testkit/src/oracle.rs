//! The detectors' meaning, written a second time and read off a whole log at once.
//!
//! The detectors work on a stream: with watermarks, timers, bounds, snapshots, and answers before
//! all is known. Here nothing of the kind: everything is there, sorted by event time, and each rule
//! is a sentence over a list. A test in `detect` holds the two against each other, so this module
//! shares no code with it and must never begin to.
//!
//! It knows the default thresholds only, and it expects a log that
//! - spans less than a day, so that nothing that a detector remembers (a token, a network that an
//!   account is used to) is too old;
//! - holds less than any bound of a detector (accounts, presentations, failures of one key);
//! - has no two observations of one key at the same moment: their order is the detector's choice.

mod failed_authentication;
mod label;
mod refusals;
mod risk;
mod source_health;
mod spikes;
mod token_reuse;

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Observation, ObservationKind, Severity};

pub use risk::{Risk, risk};
pub use source_health::source_health;

/// An alert as it is at its end: all that identifies it, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// `tenant/family/entity/episode`, as `event::Alert::dedup_key` has it.
    pub dedup_key: String,
    /// Which detector, e.g. `token_reuse`.
    pub detector: String,
    /// Which of its classes, e.g. `token.reuse.other_origin`.
    pub class: String,
    /// Whose alert it is.
    pub tenant: String,
    /// The token, account or address it is about.
    pub entity: String,
    /// The highest it reached.
    pub severity: Severity,
    /// How many events count.
    pub count: u64,
    /// Event time of the first event that counts.
    pub first_seen: EventTime,
    /// Event time of the last event that counts.
    pub last_seen: EventTime,
}

/// All alerts that these observations amount to, but for the health of sources. Their order, and how
/// often each was delivered, make no difference.
pub fn verdicts(observations: &[Observation<'static>]) -> BTreeSet<Verdict> {
    let tokens = token_reuse::verdicts(observations);
    let attempts = failed_authentication::verdicts(observations);
    let requests = [refusals::verdicts(observations), spikes::verdicts(observations)].concat();
    tokens.into_iter().chain(attempts).chain(requests).collect()
}

/// Observations by tenant and key.
type ByKey<'o> = BTreeMap<(&'o str, String), Vec<&'o Observation<'static>>>;

/// The observations of one kind, each delivery of a key once, in the order they happened.
fn by_key<'o>(
    observations: &'o [Observation<'static>],
    kind: ObservationKind,
    key_of: impl Fn(&'o Observation<'static>) -> Option<String>,
) -> ByKey<'o> {
    let mut keys = ByKey::new();
    for o in observations.iter().filter(|o| o.kind == Some(kind.code()) && o.time.is_some()) {
        if let (Some(tenant), Some(key)) = (o.tenant.as_deref(), key_of(o)) {
            keys.entry((tenant, key)).or_default().push(o);
        }
    }
    let place = |o: &&'o Observation<'static>| {
        (o.kafka_topic.as_deref(), o.kafka_partition, o.kafka_offset, o.kafka_line)
    };
    let delivery = |o: &&'o Observation<'static>| (o.time, o.delivery.ok_or_else(|| place(o)));
    for of_key in keys.values_mut() {
        of_key.sort_by_key(delivery);
        of_key.dedup_by_key(|o| delivery(o));
    }
    keys
}
