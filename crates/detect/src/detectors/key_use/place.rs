//! Where a key is used from: countries, autonomous systems and networks, each new once.

use std::collections::BTreeMap;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::classes::Class;
use super::finding::Finding;
use super::key::Use;
use crate::witness;

/// How long a new place is new: for so long its uses are counted into what is told of it.
pub(super) const NEW_FOR_MS: i64 = 86_400_000;

/// A key that is used from more places of one kind than this is at home anywhere.
pub(super) const PLACES_MAX: usize = 64;

/// A place by its name, the widest kind first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum PlaceName {
    Country(Box<str>),
    Asn(i64),
    Net(Box<str>),
}

impl PlaceName {
    /// The places of a use, the widest first.
    fn of(found: &Use) -> impl Iterator<Item = Self> {
        let country = found.country.clone().map(Self::Country);
        let net = found.net.clone().map(Self::Net);
        country.into_iter().chain(found.asn.map(Self::Asn)).chain(net)
    }

    pub(super) fn class(&self) -> Class {
        match self {
            Self::Country(_) => Class::NewCountry,
            Self::Asn(_) => Class::NewAsn,
            Self::Net(_) => Class::NewIp,
        }
    }

    /// As a part of an alert's id.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Country(name) | Self::Net(name) => name.to_string(),
            Self::Asn(number) => format!("AS{number}"),
        }
    }

    /// As people say it.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Country(name) => format!("country {}", crate::text::word(name)),
            Self::Asn(number) => format!("AS{number}"),
            Self::Net(name) => format!("network {}", crate::text::word(name)),
        }
    }
}

/// Whether a place is new to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verdict {
    /// What came before it is not all known yet.
    Open,
    New,
    /// New, and so is a wider place that it lies in, which is told of instead.
    Covered,
    Usual,
}

/// A place that a key was accepted from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) first: EventTime,
    last: EventTime,
    pub(super) verdict: Verdict,
    /// The wider places that it lies in, as its first use said, and which that was.
    within: Vec<PlaceName>,
    first_at: witness::Place,
    /// Its uses, while it may be new.
    pub(super) news: Option<Box<Finding>>,
}

impl Place {
    fn add(&mut self, found: &Use, within: &[PlaceName]) {
        let at = found.witness.place();
        if (found.time(), &at) < (self.first, &self.first_at) {
            (self.first, self.first_at, self.within) = (found.time(), at, within.to_vec());
        }
        self.last = self.last.max(found.time());
        if let Some(news) = self.news.as_mut().filter(|_| found.time() < self.first + NEW_FOR_MS) {
            news.add(found);
        }
    }
}

/// The places of one key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Places(BTreeMap<PlaceName, Place>);

impl Places {
    /// Notes a use. `may_be_new` says whether the key is old enough for a place to be new.
    pub(super) fn add(&mut self, found: &Use, may_be_new: bool) {
        let mut within = Vec::new();
        for name in PlaceName::of(found) {
            if !self.0.contains_key(&name) && self.is_full(&name) {
                continue;
            }
            let place = self.0.entry(name.clone()).or_insert_with(|| Place {
                first: found.time(),
                last: found.time(),
                verdict: if may_be_new { Verdict::Open } else { Verdict::Usual },
                within: within.clone(),
                first_at: found.witness.place(),
                news: may_be_new.then(Box::default),
            });
            place.add(found, &within);
            within.push(name);
        }
    }

    /// Whether the places that a call comes from are all known for long. Then it is noted that it came.
    pub(super) fn knows(&mut self, o: &Observation<'_>, time: EventTime) -> bool {
        let names = || {
            let country = o.src_country.as_deref().map(|name| PlaceName::Country(name.into()));
            let net = o.src_net.as_deref().map(|name| PlaceName::Net(name.into()));
            [country, o.src_asn.map(PlaceName::Asn), net].into_iter().flatten()
        };
        let is_known =
            |name: &PlaceName| self.0.get(name).is_some_and(|place| place.verdict == Verdict::Usual);
        if !names().all(|name| is_known(&name)) {
            return false;
        }
        for name in names() {
            if let Some(place) = self.0.get_mut(&name) {
                place.last = place.last.max(time);
            }
        }
        true
    }

    fn is_full(&self, name: &PlaceName) -> bool {
        self.0.keys().filter(|known| known.class() == name.class()).count() >= PLACES_MAX
    }

    /// Judges the places that are still open, the widest first. `judge` is given a place and when it was
    /// first seen, and says whether it is new, as soon as that is certain.
    pub(super) fn judge(&mut self, judge: impl Fn(&PlaceName, EventTime) -> Option<bool>) {
        let names: Vec<PlaceName> = self.open().cloned().collect();
        for name in names {
            let Some(place) = self.0.get(&name) else { continue };
            let Some(is_new) = judge(&name, place.first) else { continue };
            let is_covered = place.within.iter().any(|wider| {
                self.0.get(wider).is_some_and(|wider| {
                    matches!(wider.verdict, Verdict::New | Verdict::Covered)
                        && place.first < wider.first + NEW_FOR_MS
                })
            });
            let Some(place) = self.0.get_mut(&name) else { continue };
            place.verdict = match (is_new, is_covered) {
                (true, false) => Verdict::New,
                (true, true) => Verdict::Covered,
                (false, _) => Verdict::Usual,
            };
            if place.verdict == Verdict::Usual {
                place.news = None;
            }
        }
    }

    fn open(&self) -> impl Iterator<Item = &PlaceName> {
        self.0.iter().filter(|(_, place)| place.verdict == Verdict::Open).map(|(name, _)| name)
    }

    /// When the first of the open ones was first seen.
    pub(super) fn first_open(&self) -> Option<EventTime> {
        self.open().filter_map(|name| self.0.get(name)).map(|place| place.first).min()
    }

    /// Those that are new, with what is known of them.
    pub(super) fn news(&mut self) -> impl Iterator<Item = (&PlaceName, &mut Place)> {
        self.0.iter_mut().filter(|(_, place)| place.verdict == Verdict::New)
    }

    /// When the first of them stops being new.
    pub(super) fn first_settled(&self) -> Option<EventTime> {
        let is_settled = |place: &&Place| !matches!(place.verdict, Verdict::New | Verdict::Covered);
        self.0.values().filter(|place| !is_settled(place)).map(|place| place.first + NEW_FOR_MS).min()
    }

    /// Those that have been there for so long are as usual as the others; those that nothing was heard of
    /// since `forget` are forgotten.
    pub(super) fn settle(&mut self, up_to: EventTime, forget: EventTime) {
        for place in self.0.values_mut() {
            let is_new = matches!(place.verdict, Verdict::New | Verdict::Covered);
            if is_new && up_to >= place.first + NEW_FOR_MS {
                (place.verdict, place.news) = (Verdict::Usual, None);
            }
        }
        self.0.retain(|_, place| place.last >= forget || place.verdict != Verdict::Usual);
    }

    /// How many of them were told of and still are new.
    pub(super) fn told(&self) -> u64 {
        let is_told = |place: &&Place| place.news.as_ref().is_some_and(|news| news.told.is_told());
        self.0.values().filter(is_told).count() as u64
    }
}
