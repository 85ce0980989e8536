//! One tenant's tokens: when each was issued and redeemed, and presentations that wait to be judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{EventTime, Observation};
use serde::{Deserialize, Serialize};

use super::TokenLedgerConfig;
use super::days::Seen;
use crate::stable;
use crate::witness::{Witness, delivery};

/// What a token's fingerprint begins with.
const FINGERPRINT: &str = "hmac256:";
/// Presentations that wait. An attacker makes up as many as he likes; of more than these none is needed.
const WAITING_MAX: usize = 8_192;
/// Redemptions of tokens whose issue has not come, or never will.
const EARLY_MAX: usize = 16_384;
/// Where there is no room for so many lives of tokens, one that is not remembered may well have been issued.
const LIVES: i64 = 12;
/// Why an issuer refuses a token that it knows, or one that is no matter of who issued it.
const OF_KNOWN: [&str; 10] = [
    "already_used",
    "expired",
    "revoked",
    "wrong_user",
    "wrong_partner",
    "wrong_origin",
    "wrong_env",
    "malformed",
    "rate_limited",
    "blocked",
];

/// What is known of a tenant's tokens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    issued: BTreeMap<u64, Issued>,
    by_time: BTreeSet<(EventTime, u64)>,
    /// When tokens were redeemed of which no issue has come.
    early: BTreeMap<u64, EventTime>,
    /// Presentations that were refused, by time and delivery.
    waiting: BTreeMap<(EventTime, u64), Shown>,
    /// When the first token was issued that we know of. What was before our time is not known.
    first: Option<EventTime>,
    /// What was issued until then was forgotten for want of room.
    forgotten_to: Option<EventTime>,
    /// When redemptions without an issue were last looked through.
    tidied: EventTime,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Issued {
    at: EventTime,
    redeemed_at: Option<EventTime>,
    /// Under the name that the token has from the next change of keys on.
    is_rehearsal: bool,
}

/// A token that was presented and refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) token: u64,
    pub(super) net: Box<str>,
    pub(super) seen: Seen,
}

/// What became of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It tells nothing that is kept here.
    Nothing,
    /// It was known.
    Known,
    Issue,
    Fact,
    OneTooMany,
}

impl Ledger {
    /// Takes in what an observation tells.
    pub(super) fn add(
        &mut self,
        o: &Observation<'_>,
        watermark: EventTime,
        config: &TokenLedgerConfig,
    ) -> Arrival {
        let (Some(time), Some(token_fp)) = (o.time, o.token_fp.as_deref()) else { return Arrival::Nothing };
        if !token_fp.starts_with(FINGERPRINT) {
            return Arrival::Nothing;
        }
        let token = stable::hash(&[token_fp]);
        let succeeded = o.outcome.as_deref() != Some("failure");
        match o.action.as_deref() {
            Some("session_token.issued") if succeeded => self.issue(token, time, o.rehearsal.is_some()),
            Some("session_token.redeemed") if succeeded => self.redeem(token, time),
            Some("session_token.redeemed" | "session_token.rejected") if o.rehearsal.is_none() => {
                let is_known = o.reason.as_deref().is_some_and(|reason| OF_KNOWN.contains(&reason));
                // Nearly all are tokens that were issued: nothing more needs to be known of them.
                let was_issued =
                    self.issued.get(&token).is_some_and(|issued| issued.at <= time + config.skew_ms);
                if is_known || was_issued { Arrival::Nothing } else { self.wait(o, token, time, watermark) }
            }
            _ => Arrival::Nothing,
        }
    }

    fn issue(&mut self, token: u64, at: EventTime, is_rehearsal: bool) -> Arrival {
        let early = self.early.remove(&token);
        let unknown = || Issued { at: EventTime(i64::MAX), redeemed_at: early, is_rehearsal };
        let issued = self.issued.entry(token).or_insert_with(unknown);
        issued.is_rehearsal &= is_rehearsal;
        if at < issued.at {
            self.by_time.remove(&(issued.at, token));
            issued.at = at;
            self.by_time.insert((at, token));
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
        }
        if is_rehearsal { Arrival::Fact } else { Arrival::Issue }
    }

    fn redeem(&mut self, token: u64, at: EventTime) -> Arrival {
        let redeemed_at = match self.issued.get_mut(&token) {
            Some(issued) => issued.redeemed_at.get_or_insert(at),
            None if self.early.len() >= EARLY_MAX => return Arrival::OneTooMany,
            None => self.early.entry(token).or_insert(at),
        };
        *redeemed_at = at.min(*redeemed_at);
        Arrival::Fact
    }

    fn wait(&mut self, o: &Observation<'_>, token: u64, time: EventTime, watermark: EventTime) -> Arrival {
        let at = (time, delivery(o));
        if self.waiting.contains_key(&at) {
            return Arrival::Known;
        }
        if self.waiting.len() >= WAITING_MAX {
            return Arrival::OneTooMany;
        }
        let reason = o.reason.as_deref().unwrap_or("without a reason");
        let seen = Seen {
            witness: Arc::new(Witness::new(o, format!("token that nobody issued refused: {reason}"))),
            ingested_at: o.ingest_time.unwrap_or_default(),
            is_real: o.env.as_deref() != Some("sandbox"),
            late: time < watermark,
        };
        let net = o.src_net.as_deref().unwrap_or_default().into();
        self.waiting.insert(at, Shown { token, net, seen });
        Arrival::Fact
    }

    /// Takes out what was presented so long ago that its issue would have come, and returns in order of time what
    /// was never issued, as far as that can be known.
    pub(super) fn settle(
        &mut self,
        up_to: EventTime,
        lateness_ms: i64,
        config: &TokenLedgerConfig,
    ) -> Vec<Shown> {
        let mut strangers = Vec::new();
        while let Some(waits) = self.waiting.first_entry()
            && waits.key().0 + config.skew_ms <= up_to
        {
            let shown = waits.remove();
            if self.is_stranger(&shown, lateness_ms, config) {
                strangers.push(shown);
            }
        }
        strangers
    }

    fn is_stranger(&self, shown: &Shown, lateness_ms: i64, config: &TokenLedgerConfig) -> bool {
        let time = shown.seen.witness.time;
        let is_known = self.issued.get(&shown.token).is_some_and(|issued| issued.at <= time + config.skew_ms);
        let is_armed = || {
            let is_after = |moment: EventTime, ms: i64| time - moment >= ms;
            let is_learnt = self.first.is_some_and(|first| is_after(first, config.ttl_ms + lateness_ms))
                && self.forgotten_to.is_none_or(|moment| is_after(moment, LIVES * config.ttl_ms));
            let around = (time - config.armed_ms, 0)..=(time + config.skew_ms, u64::MAX);
            is_learnt && self.by_time.range(around).next().is_some()
        };
        !is_known && is_armed()
    }

    /// How many tokens were issued from one moment to another, and how many of them were redeemed in time.
    pub(super) fn issued_and_redeemed(
        &self,
        from: EventTime,
        until: EventTime,
        config: &TokenLedgerConfig,
    ) -> (u64, u64) {
        let tokens =
            self.by_time.range((from, 0)..(until, 0)).filter_map(|(_, token)| self.issued.get(token));
        let in_time = |issued: &Issued| {
            let life = issued.at - config.ttl_ms..=issued.at + config.ttl_ms + config.skew_ms;
            issued.redeemed_at.is_some_and(|redeemed| life.contains(&redeemed))
        };
        tokens
            .filter(|issued| !issued.is_rehearsal)
            .fold((0, 0), |(issued, redeemed), token| (issued + 1, redeemed + u64::from(in_time(token))))
    }

    /// Forgets what was so long ago that nothing is compared with it any more.
    pub(super) fn forget(&mut self, up_to: EventTime, config: &TokenLedgerConfig) {
        let oldest = self.waiting.first_key_value().map_or(up_to, |((time, _), _)| up_to.min(*time));
        let before = oldest - config.memory_ms;
        while let Some((at, token)) = self.by_time.first().copied().filter(|(at, _)| *at < before) {
            self.by_time.remove(&(at, token));
            self.issued.remove(&token);
        }
        if up_to - self.tidied >= config.ttl_ms {
            self.tidied = up_to;
            // Their issues would have come by now.
            self.early.retain(|_, at| *at + config.ttl_ms > up_to);
        }
    }

    /// Forgets the oldest tokens over a bound, and says how many.
    pub(super) fn shorten(&mut self, most: usize) -> u64 {
        let mut forgotten = 0;
        while self.by_time.len() > most
            && let Some((at, token)) = self.by_time.pop_first()
        {
            self.issued.remove(&token);
            self.forgotten_to = self.forgotten_to.max(Some(at));
            forgotten += 1;
        }
        forgotten
    }

    /// How many tokens are known.
    pub(super) fn len(&self) -> usize {
        self.issued.len() + self.early.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.waiting.is_empty()
    }
}
