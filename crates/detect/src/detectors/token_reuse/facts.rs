//! What is known of one token: a set of facts, the same whatever order they came in.

use std::sync::Arc;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::TokenReuseConfig;
use crate::seen::Seen;
use crate::stable;
use crate::tally::Tally;
use crate::text;
use crate::witness::{self, Witness};

/// More presentations than this are counted but no longer compared one by one.
const PRESENTATIONS_MAX: usize = 16;
const ISSUES_MAX: usize = 4;
const DELIVERIES_MAX: usize = 256;

/// The set of facts about a token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) issues: Vec<Issue>,
    pub(super) presentations: Vec<Presentation>,
    pub(super) revoked_at: Option<EventTime>,
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

impl Facts {
    /// Adds what an observation tells; false if it was known or tells nothing.
    pub(super) fn add(&mut self, o: &Observation<'_>, late: bool) -> bool {
        let Some(time) = o.time else { return false };
        let action = o.action.as_deref().unwrap_or_default();
        let fact = action.strip_prefix("session_token.").unwrap_or_default();
        if !matches!(fact, "issued" | "redeemed" | "rejected" | "revoked") {
            return false;
        }
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
            topic: hashed(&o.kafka_topic).unwrap_or_default(),
            ingested_at: o.ingest_time.unwrap_or(at),
        };
        insert_sorted(&mut self.presentations, presentation, PRESENTATIONS_MAX);
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

    /// Takes in what was kept of an earlier presentation, without its evidence.
    pub(super) fn recall(&mut self, issue: Option<Issue>, presentation: Option<Presentation>) {
        self.newest = presentation.as_ref().map(|p| p.at).max(issue.as_ref().map(|i| i.at));
        self.issues.extend(issue);
        if let Some(presentation) = presentation {
            self.seen.insert(presentation.delivery, DELIVERIES_MAX);
            self.presentations.push(presentation);
        }
    }
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
