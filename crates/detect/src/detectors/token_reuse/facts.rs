//! What is known of one token: a set of facts, the same whatever order they came in.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::TokenReuseConfig;
use crate::seen::Seen;
use crate::stable;
use crate::tally::Tally;
use crate::text;
use crate::witness::{self, Witness};

/// More accepted presentations than this are counted but no longer compared one by one.
const ACCEPTED_MAX: usize = 8;
/// Of refused ones a few of each of so many kinds are compared.
const REFUSED_KINDS_MAX: usize = 24;
const ISSUES_MAX: usize = 4;
const DELIVERIES_MAX: usize = 256;

/// The set of facts about a token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) issues: Vec<Issue>,
    pub(super) presentations: Vec<Presentation>,
    pub(super) revoked_at: Option<EventTime>,
    pub(super) accepted_total: u64,
    pub(super) refused_total: u64,
    pub(super) tally: Tally,
    pub(super) late: bool,
    newest: Option<EventTime>,
    seen: Seen,
}

/// The token was given out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Issue {
    pub(super) at: EventTime,
    pub(super) expires_at: Option<EventTime>,
    pub(super) user: Option<Box<str>>,
    pub(super) partner: Option<Box<str>>,
    pub(super) origin: Option<Box<str>>,
    pub(super) topic: u64,
}

/// Somebody presented the token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Presentation {
    pub(super) at: EventTime,
    pub(super) delivery: u64,
    pub(super) accepted: bool,
    pub(super) reason: Option<Box<str>>,
    pub(super) src_ip: Option<Box<str>>,
    pub(super) net: Option<u64>,
    pub(super) browser: Option<u64>,
    pub(super) user: Option<Box<str>>,
    pub(super) partner: Option<Box<str>>,
    pub(super) origin: Option<Box<str>>,
    pub(super) bound_origin: Option<Box<str>>,
    pub(super) topic: u64,
    pub(super) ingested_at: EventTime,
}

/// Which fact an observation tells of a token; `None` where it is none of ours.
pub(super) fn fact_of<'o>(o: &'o Observation<'_>) -> Option<&'o str> {
    let fact = o.action.as_deref()?.strip_prefix("session_token.")?;
    matches!(fact, "issued" | "redeemed" | "rejected" | "revoked").then_some(fact)
}

impl Facts {
    /// Adds what an observation tells; false if it was known or tells nothing.
    pub(super) fn add(&mut self, o: &Observation<'_>, late: bool) -> bool {
        let (Some(time), Some(fact)) = (o.time, fact_of(o)) else { return false };
        let delivery = witness::delivery(o);
        if !self.seen.insert(delivery, DELIVERIES_MAX) {
            return false;
        }
        self.late |= late;
        self.newest = self.newest.max(Some(time));
        match fact {
            "issued" => self.add_issue(o, time),
            "revoked" => self.revoked_at = Some(self.revoked_at.map_or(time, |known| known.min(time))),
            _ => self.add_presentation(o, time, delivery, fact == "redeemed"),
        }
        true
    }

    fn add_issue(&mut self, o: &Observation<'_>, at: EventTime) {
        let issue = Issue {
            at,
            expires_at: o.token_expires_at,
            user: short(&o.user_ref),
            partner: short(&o.partner_id),
            origin: short(&o.bound_origin),
            topic: topic_of(o),
        };
        insert_sorted(&mut self.issues, issue, ISSUES_MAX);
    }

    fn add_presentation(&mut self, o: &Observation<'_>, at: EventTime, delivery: u64, redeemed: bool) {
        let accepted = redeemed && o.outcome.as_deref() != Some("failure");
        let hashed = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(|t| stable::hash(&[t]));
        let presentation = Presentation {
            at,
            delivery,
            accepted,
            reason: short(&o.reason),
            src_ip: short(&o.src_ip),
            net: hashed(&o.src_net).or_else(|| hashed(&o.src_ip)),
            browser: hashed(&o.ua_fp),
            user: short(&o.user_ref),
            partner: short(&o.partner_id),
            origin: short(&o.origin_host),
            bound_origin: short(&o.bound_origin),
            topic: topic_of(o),
            ingested_at: o.ingest_time.unwrap_or(at),
        };
        if accepted {
            self.accepted_total += 1;
        } else {
            self.refused_total += 1;
        }
        insert_sorted(&mut self.presentations, presentation, usize::MAX);
        keep_telling(&mut self.presentations);
        let outcome = if accepted { "accepted" } else { "rejected" };
        let what = match o.reason.as_deref() {
            Some(reason) if !accepted => format!("session_token.{outcome} {reason}"),
            _ => format!("session_token.{outcome}"),
        };
        self.tally.add(&Arc::new(Witness::new(o, what)), 1);
    }

    /// When the token ends, where its issue says or implies it. Of several the earliest, so that
    /// another fact never takes a finding back.
    pub(super) fn expires_at(&self, config: &TokenReuseConfig) -> Option<EventTime> {
        let said = self.issues.iter().filter_map(|issue| issue.expires_at).min();
        said.or_else(|| self.issues.iter().map(|issue| issue.at + config.ttl_ms).min())
    }

    /// When the facts are forgotten: so long after the last of them, or after the token's end.
    pub(super) fn over_at(&self, config: &TokenReuseConfig) -> EventTime {
        let Some(newest) = self.newest else { return EventTime(i64::MAX) };
        let ends = self.expires_at(config).map_or(newest, |expires| expires.max(newest));
        ends + config.ttl_ms + config.skew_ms + config.memory_ms
    }

    /// Accepted presentations, earliest first.
    pub(super) fn accepted(&self) -> impl Iterator<Item = &Presentation> {
        self.presentations.iter().filter(|p| p.accepted)
    }

    /// Refused presentations, earliest first.
    pub(super) fn refused(&self) -> impl Iterator<Item = &Presentation> {
        self.presentations.iter().filter(|p| !p.accepted)
    }

    /// How many presentations there were.
    pub(super) fn count(&self) -> u64 {
        self.accepted_total + self.refused_total
    }

    /// When the last of them happened.
    pub(super) fn newest(&self) -> Option<EventTime> {
        self.newest
    }

    /// Takes in what was kept of an earlier life, without its evidence.
    pub(super) fn recall(
        &mut self,
        newest: Option<EventTime>,
        issue: Option<Issue>,
        used: Vec<Presentation>,
    ) {
        self.newest = newest;
        self.issues.extend(issue);
        for presentation in used {
            self.seen.insert(presentation.delivery, DELIVERIES_MAX);
            self.presentations.push(presentation);
        }
    }
}

impl Presentation {
    /// What the verdict looks at, but for the time.
    fn kind(&self) -> u64 {
        let text =
            |text: &Option<Box<str>>| text.as_deref().map_or("-".to_owned(), |text| format!("={text}"));
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
        stable::hash(&[
            &text(&self.reason),
            &number(self.net),
            &number(self.browser),
            &text(&self.user),
            &text(&self.partner),
            &text(&self.origin),
            &text(&self.bound_origin),
            &self.topic.to_string(),
        ])
    }
}

/// Drops what tells the verdict nothing new, whatever order it came in. Of the accepted ones all but
/// the earliest. Of the refused ones all but the first and last of each kind, so that a retry loop
/// does not hide the thief that comes after it, and the last that came from another address than
/// that one. Of too many kinds those with the least hash stay, which is a choice that order has no
/// part in.
fn keep_telling(presentations: &mut Vec<Presentation>) {
    if presentations.len() <= 3 {
        return;
    }
    let mut kinds: BTreeMap<u64, [usize; 3]> = BTreeMap::new();
    for (n, refused) in presentations.iter().enumerate().filter(|(_, p)| !p.accepted) {
        let [_, other, last] = kinds.entry(refused.kind()).or_insert([n; 3]);
        if refused.src_ip != presentations[*last].src_ip {
            *other = *last;
        }
        *last = n;
    }
    let mut kept: Vec<usize> = kinds.into_values().take(REFUSED_KINDS_MAX).flatten().collect();
    let accepted = presentations.iter().enumerate().filter(|(_, p)| p.accepted).map(|(n, _)| n);
    kept.extend(accepted.take(ACCEPTED_MAX));
    kept.sort_unstable();
    let mut n = 0;
    presentations.retain(|_| {
        n += 1;
        kept.binary_search(&(n - 1)).is_ok()
    });
}

fn topic_of(o: &Observation<'_>) -> u64 {
    o.kafka_topic.as_deref().map_or(0, |topic| stable::hash(&[topic]))
}

fn short(text: &Option<std::borrow::Cow<'_, str>>) -> Option<Box<str>> {
    text.as_deref().filter(|text| !text.is_empty()).map(|t| text::prefix(t, 256).into())
}

/// Keeps the least `most` of a set, in order.
fn insert_sorted<T: Ord>(sorted: &mut Vec<T>, item: T, most: usize) {
    if let Err(at) = sorted.binary_search(&item) {
        sorted.insert(at, item);
        sorted.truncate(most);
    }
}
