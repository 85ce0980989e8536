//! What of a line detectors are given; also as the text of its `observed` column, by which what was
//! stored can be given to them again, although its secrets are gone.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use event::{EventTime, ObservationKind};

/// Which observations a line may yield. It yields those whose key it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observe {
    kinds: u16,
    /// The action that a token's observation gets instead of the event's.
    pub(crate) token_action: Option<Arc<str>>,
}

impl Observe {
    pub(crate) const TOKEN: &'static str = "token";
    /// The kinds by the names that descriptions use.
    pub(crate) const NAMES: [(&'static str, ObservationKind); 5] = [
        (Self::TOKEN, ObservationKind::Token),
        ("auth_by_account", ObservationKind::AuthByAccount),
        ("auth_by_address", ObservationKind::AuthByAddress),
        ("requests", ObservationKind::Requests),
        ("key_use", ObservationKind::KeyUse),
    ];

    pub(crate) fn add(&mut self, kind: ObservationKind, action: Option<&str>) {
        self.kinds |= 1 << kind.code();
        if let Some(action) = action {
            self.token_action = Some(action.into());
        }
    }

    pub(crate) fn remove(&mut self, kind: ObservationKind) {
        self.kinds &= !(1 << kind.code());
    }

    pub(crate) fn merge(&mut self, other: &Observe) {
        self.kinds |= other.kinds;
        if self.token_action.is_none() {
            self.token_action.clone_from(&other.token_action);
        }
    }

    pub(crate) fn yields(&self, kind: ObservationKind) -> bool {
        self.kinds & (1 << kind.code()) != 0
    }
}

/// What an event's observations need to know besides its row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) observe: Observe,
    /// How many times the line says that it happened, where more than once.
    pub(crate) repeated: Option<i64>,
    /// Whether the sequence number is the record's, so that its lines share it.
    pub(crate) sequence_of_record: bool,
    /// Whether the stamp tells two events apart that say the same.
    pub(crate) precise: bool,
    /// When it happened according to its stamp, where that is not believed.
    pub(crate) stamped: Option<EventTime>,
    /// The secrets that stood where none belongs.
    pub(crate) exposed: Vec<Exposed>,
    /// What its token will be called under the key that takes over.
    pub(crate) next_token: Option<String>,
    /// Whether the call came from where its partner declared that its calls come from.
    pub(crate) declared: bool,
}

/// A secret that stood where none belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exposed {
    /// What kind of secret, in a word.
    pub(crate) kind: Cow<'static, str>,
    /// The column that held it, or `raw`.
    pub(crate) place: Cow<'static, str>,
    /// What stands for it now, where that tells it from others.
    pub(crate) fingerprint: Option<String>,
}

/// Of one line so many are told of.
pub(crate) const EXPOSED_MAX: usize = 8;

impl Exposed {
    fn to_word(&self) -> String {
        let fingerprint = self.fingerprint.as_deref().unwrap_or_default();
        format!("{EXPOSED}={}:{}:{fingerprint} ", self.kind, self.place)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().map(str::to_owned);
        let (kind, place, fingerprint) = (part()?, part()?, part()?);
        Some(Self {
            kind: kind.into(),
            place: place.into(),
            fingerprint: Some(fingerprint).filter(|fingerprint| !fingerprint.is_empty()),
        })
    }
}

const PRECISE: &str = "precise";
const SEQUENCE_OF_RECORD: &str = "record_seq";
const REPEATED: &str = "repeated";
const STAMPED: &str = "stamped_ms";
const EXPOSED: &str = "exposed";
const NEXT_TOKEN: &str = "next_token";
const DECLARED: &str = "declared";

impl Seen {
    /// As words: the kinds of observations, a token's with its action where that is not the event's,
    /// and what else there is to know. Never empty.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::with_capacity(128);
        for (name, kind) in Observe::NAMES {
            if self.observe.yields(kind) {
                text.push_str(name);
                if let Some(action) = self.observe.token_action.as_deref().filter(|_| name == Observe::TOKEN)
                {
                    text.push('=');
                    text.push_str(action);
                }
                text.push(' ');
            }
        }
        let said = [
            (PRECISE, self.precise),
            (SEQUENCE_OF_RECORD, self.sequence_of_record),
            (DECLARED, self.declared),
        ];
        for (word, is_so) in said {
            if is_so {
                text.push_str(word);
                text.push(' ');
            }
        }
        let numbers = [(REPEATED, self.repeated), (STAMPED, self.stamped.map(EventTime::millis))];
        for (word, number) in numbers {
            if let Some(number) = number {
                write!(text, "{word}={number} ").expect("writing to a string does not fail");
            }
        }
        if let Some(token) = &self.next_token {
            write!(text, "{NEXT_TOKEN}={token} ").expect("writing to a string does not fail");
        }
        self.exposed.iter().for_each(|exposed| text.push_str(&exposed.to_word()));
        match text.pop() {
            Some(_) => text,
            None => "nothing".to_owned(),
        }
    }

    /// Reads it back; `None` if this version did not write it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut seen = Self::default();
        if text == "nothing" {
            return Some(seen);
        }
        for word in text.split(' ') {
            let (name, value) =
                word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let kind = Observe::NAMES.iter().find(|(known, _)| *known == name);
            match (kind, name, value) {
                (Some((_, kind)), Observe::TOKEN, value) => seen.observe.add(*kind, value),
                (Some((_, kind)), _, None) => seen.observe.add(*kind, None),
                (None, PRECISE, None) => seen.precise = true,
                (None, SEQUENCE_OF_RECORD, None) => seen.sequence_of_record = true,
                (None, DECLARED, None) => seen.declared = true,
                (None, REPEATED, Some(times)) => seen.repeated = Some(times.parse().ok()?),
                (None, NEXT_TOKEN, Some(token)) => seen.next_token = Some(token.to_owned()),
                (None, EXPOSED, Some(exposed)) => seen.exposed.push(Exposed::parse(exposed)?),
                (None, STAMPED, Some(millis)) => seen.stamped = Some(EventTime(millis.parse().ok()?)),
                _ => return None,
            }
        }
        Some(seen)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_seen_comes_back(
            kinds in proptest::collection::vec(0_usize..5, 0..5),
            action in proptest::option::of("[a-z._]{1,20}"),
            repeated in proptest::option::of(any::<i64>()),
            (precise, sequence_of_record, declared) in any::<(bool, bool, bool)>(),
            stamped in proptest::option::of(any::<i64>().prop_map(EventTime)),
            next_token in proptest::option::of("[a-z0-9:]{1,40}"),
            exposed in proptest::collection::vec(("[a-z_]{1,9}", "[a-z_]{1,9}", proptest::option::of("[a-z0-9:]{1,40}")), 0..3),
        ) {
            let exposed = exposed.into_iter().map(|(kind, place, fingerprint)| Exposed {
                kind: kind.into(),
                place: place.into(),
                fingerprint,
            });
            let exposed = exposed.collect();
            let mut seen = Seen { repeated, sequence_of_record, precise, declared, stamped, exposed, next_token, ..Seen::default() };
            for kind in kinds.iter().map(|kind| Observe::NAMES[*kind].1) {
                seen.observe.add(kind, action.as_deref().filter(|_| kind == ObservationKind::Token));
            }
            prop_assert_eq!(Seen::parse(&seen.to_text()), Some(seen));
        }

        #[test]
        fn foreign_text_is_nothing_and_never_a_panic(text in "\\PC{0,60}") {
            if let Some(seen) = Seen::parse(&text) {
                prop_assert_eq!(Seen::parse(&seen.to_text()), Some(seen));
            }
        }
    }
}
