//! How many events an alert rests on, and which of them to show.
//!
//! Everything here is a function of the *set* of events, whatever order they were added in:
//! the k earliest, the k latest, and the k of as many different kinds as there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{EventTime, Evidence};
use serde::{Deserialize, Serialize};

use crate::witness::Witness;

const ENDS: usize = 3;
const DIVERSE: usize = 4;
const NAMES_MAX: usize = 64;

/// Count, first, last and up to ten examples of the events of one episode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    first: Vec<Arc<Witness>>,
    last: Vec<Arc<Witness>>,
    diverse: Vec<(u64, Arc<Witness>)>,
}

impl Tally {
    /// Counts an event `weight` times.
    pub(crate) fn add(&mut self, witness: &Arc<Witness>, weight: u64) {
        self.count += weight;
        keep_least(&mut self.first, witness, ENDS);
        keep_greatest(&mut self.last, witness, ENDS);
        self.add_kind(witness);
    }

    /// When the first event happened.
    pub(crate) fn first_seen(&self) -> Option<EventTime> {
        self.first.first().map(|witness| witness.time)
    }

    /// When the last event happened.
    pub(crate) fn last_seen(&self) -> Option<EventTime> {
        self.last.last().map(|witness| witness.time)
    }

    /// Up to ten events in the order they happened.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        let diverse = self.diverse.iter().map(|(_, witness)| witness);
        let mut all: Vec<_> = self.first.iter().chain(&self.last).chain(diverse).collect();
        all.sort();
        all.dedup();
        all.into_iter().map(|witness| witness.evidence()).collect()
    }

    /// Of each kind its earliest event; of the kinds those with the least hash, which is a
    /// choice that order has no part in.
    fn add_kind(&mut self, witness: &Arc<Witness>) {
        let kind = witness.kind();
        match self.diverse.binary_search_by_key(&kind, |(kind, _)| *kind) {
            Ok(at) => {
                if witness < &self.diverse[at].1 {
                    self.diverse[at].1 = Arc::clone(witness);
                }
            }
            Err(at) if at < DIVERSE => {
                self.diverse.insert(at, (kind, Arc::clone(witness)));
                self.diverse.truncate(DIVERSE);
            }
            Err(_) => {}
        }
    }
}

fn keep_least(kept: &mut Vec<Arc<Witness>>, witness: &Arc<Witness>, most: usize) {
    if let Err(at) = kept.binary_search(witness)
        && at < most
    {
        kept.insert(at, Arc::clone(witness));
        kept.truncate(most);
    }
}

fn keep_greatest(kept: &mut Vec<Arc<Witness>>, witness: &Arc<Witness>, most: usize) {
    if let Err(at) = kept.binary_search(witness)
        && (at > 0 || kept.len() < most)
    {
        kept.insert(at, Arc::clone(witness));
        if kept.len() > most {
            kept.remove(0);
        }
    }
}

/// Counts by name: the first names met are kept, what comes over the bound is counted together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Breakdown {
    counts: BTreeMap<Box<str>, u64>,
    beyond: u64,
}

impl Breakdown {
    /// Counts a name.
    pub(crate) fn add(&mut self, name: &str, weight: u64) {
        if let Some(count) = self.counts.get_mut(name) {
            *count += weight;
        } else if self.counts.len() < NAMES_MAX {
            self.counts.insert(name.into(), weight);
        } else {
            self.beyond += weight;
        }
    }

    /// How many names, at least.
    pub(crate) fn names(&self) -> usize {
        self.counts.len()
    }

    /// Whether names were counted together.
    pub(crate) fn is_partial(&self) -> bool {
        self.beyond > 0
    }

    /// `3`, or `64 or more`.
    pub(crate) fn names_said(&self) -> String {
        if self.is_partial() { format!("{} or more", self.names()) } else { self.names().to_string() }
    }

    /// The names with the highest counts, highest first.
    pub(crate) fn top(&self, most: usize) -> Vec<(&str, u64)> {
        let mut counts: Vec<_> = self.counts.iter().map(|(name, count)| (&**name, *count)).collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        counts.truncate(most);
        counts
    }

    /// The highest counts as JSON.
    pub(crate) fn to_json(&self, most: usize) -> serde_json::Value {
        let named = self.top(most).into_iter().map(|(name, count)| (crate::text::word(name), count.into()));
        serde_json::Value::Object(named.collect())
    }
}

#[cfg(test)]
mod tests {
    use event::Observation;
    use proptest::prelude::*;

    use super::*;

    fn witness(n: i64) -> Arc<Witness> {
        let observation = Observation {
            time: Some(EventTime(n / 2)),
            kafka_offset: Some(n),
            src_ip: Some(format!("192.0.2.{}", n % 7).into()),
            ..Observation::default()
        };
        Arc::new(Witness::new(&observation, "login failure".into()))
    }

    proptest! {
        #[test]
        fn a_tally_is_a_function_of_the_set(mut events in proptest::collection::vec(0_i64..500, 0..60), seed in any::<u64>()) {
            events.sort();
            events.dedup();
            let mut shuffled = events.clone();
            shuffled.sort_by_key(|n| (*n as u64 + 1).wrapping_mul(seed | 1));
            let tally = |events: &[i64]| {
                let mut tally = Tally::default();
                events.iter().for_each(|n| tally.add(&witness(*n), 1));
                tally
            };
            prop_assert_eq!(tally(&events), tally(&shuffled));
            prop_assert!(tally(&events).evidence().len() <= 10);
        }
    }

    #[test]
    fn the_first_and_the_last_are_shown() {
        let mut tally = Tally::default();
        (0..100).for_each(|n| tally.add(&witness(n * 2), 1));
        let times: Vec<_> = tally.evidence().iter().map(|e| e.time.millis()).collect();
        assert_eq!((&times[..3], &times[times.len() - 3..]), (&[0, 1, 2][..], &[97, 98, 99][..]));
        assert_eq!((tally.count, tally.first_seen()), (100, Some(EventTime(0))));
    }
}
