//! What stays of a token where there are too many, or where its time is over but it was told of:
//! a hundred bytes instead of five hundred.
//!
//! An alert on a token has the same id for ever, so what was told of it must be known when the
//! token comes back: else its alert would be created a second time, which nobody would hear.

use std::collections::BTreeMap;

use event::{EventTime, Tenant};
use serde::{Deserialize, Serialize};

use super::facts::{Facts, Issue, Presentation};
use crate::episode::Announced;
use crate::stable;

/// Tokens past their end, by tenant and a hash of the fingerprint.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Remembered {
    tenants: BTreeMap<Tenant, TenantTokens>,
    tokens_per_tenant_max: usize,
}

#[derive(Default, Serialize, Deserialize)]
struct TenantTokens {
    briefs: BTreeMap<u64, Brief>,
    looked_at: EventTime,
}

/// The uses that later ones are compared with, and what was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Brief {
    over_at: EventTime,
    newest: Option<EventTime>,
    issued_at: Option<EventTime>,
    expires_at: Option<EventTime>,
    redeemed: Option<Redeemed>,
    redeemed_again: Option<Box<Redeemed>>,
    revoked_at: Option<EventTime>,
    accepted_total: u64,
    refused_total: u64,
    told: Option<Announced>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Redeemed {
    at: EventTime,
    delivery: u64,
    net: Option<u64>,
    browser: Option<u64>,
    topic: u64,
}

impl Remembered {
    pub(super) fn new(tokens_per_tenant_max: usize) -> Self {
        Self { tenants: BTreeMap::new(), tokens_per_tenant_max }
    }

    /// Takes over what a snapshot held, under this process's bound.
    pub(super) fn restore(&mut self, saved: Self) {
        self.tenants = saved.tenants;
    }

    /// Remembers a token in brief, if there is anything that a later presentation could need.
    pub(super) fn put(&mut self, tenant: &Tenant, token_fp: &str, brief: Brief) {
        if brief.is_empty() {
            return;
        }
        let tokens = &mut self.tenants.entry(tenant.clone()).or_default().briefs;
        tokens.insert(stable::hash(&[token_fp]), brief);
        if tokens.len() > self.tokens_per_tenant_max {
            drop_oldest(tokens, self.tokens_per_tenant_max / 8);
        }
    }

    /// Takes a token out again.
    pub(super) fn take(&mut self, tenant: &str, token_fp: &str) -> Option<Brief> {
        let tokens = self.tenants.get_mut(&Tenant::parse(tenant).ok()?)?;
        tokens.briefs.remove(&stable::hash(&[token_fp]))
    }

    /// Forgets a tenant's tokens that are over. Looking at every token is only worth it once an hour.
    pub(super) fn forget(&mut self, tenant: &Tenant, now: EventTime) {
        let Some(tokens) = self.tenants.get_mut(tenant) else { return };
        let hour = now.floor(HOUR_MS);
        if std::mem::replace(&mut tokens.looked_at, hour) != hour {
            tokens.briefs.retain(|_, brief| brief.over_at > now);
            if tokens.briefs.is_empty() {
                self.tenants.remove(tenant);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tenants.values().map(|tokens| tokens.briefs.len()).sum()
    }
}

impl Brief {
    /// What stays of these facts until `over_at`, and longer if they were told of.
    pub(super) fn of(facts: &Facts, told: Option<Announced>, over_at: EventTime) -> Self {
        let issue = facts.issues.first();
        let mut redeemed = facts.accepted().map(|p| Redeemed {
            at: p.at,
            delivery: p.delivery,
            net: p.net,
            browser: p.browser,
            topic: p.topic,
        });
        Self {
            over_at: if told.is_some() { over_at + TOLD_FOR_MS } else { over_at },
            newest: facts.newest(),
            issued_at: issue.map(|issue| issue.at),
            expires_at: issue.and_then(|issue| issue.expires_at),
            redeemed: redeemed.next(),
            redeemed_again: redeemed.next().map(Box::new),
            revoked_at: facts.revoked_at,
            accepted_total: facts.accepted_total,
            refused_total: facts.refused_total,
            told,
        }
    }

    /// Whether it says nothing: tokens that were only refused are anybody's to make up.
    fn is_empty(&self) -> bool {
        self.issued_at.is_none() && self.redeemed.is_none() && self.told.is_none()
    }

    /// As facts again, and what was told of them.
    pub(super) fn recall(self) -> (Facts, Option<Announced>) {
        let issue = self.issued_at.map(|at| Issue {
            at,
            expires_at: self.expires_at,
            user: None,
            partner: None,
            origin: None,
            topic: 0,
        });
        let used = self.redeemed.into_iter().chain(self.redeemed_again.map(|again| *again));
        let mut facts = Facts::default();
        facts.revoked_at = self.revoked_at;
        facts.accepted_total = self.accepted_total;
        facts.refused_total = self.refused_total;
        facts.recall(self.newest, issue, used.map(Redeemed::presentation).collect());
        (facts, self.told)
    }
}

impl Redeemed {
    fn presentation(self) -> Presentation {
        Presentation {
            at: self.at,
            delivery: self.delivery,
            accepted: true,
            reason: None,
            src_ip: None,
            net: self.net,
            browser: self.browser,
            user: None,
            partner: None,
            origin: None,
            bound_origin: None,
            topic: self.topic,
            ingested_at: self.at,
        }
    }
}

/// How long after its end a token that was told of is known.
const TOLD_FOR_MS: i64 = 30 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// What was told of goes last.
fn drop_oldest(tokens: &mut BTreeMap<u64, Brief>, surplus: usize) {
    let age = |(token, brief): (&u64, &Brief)| (brief.told.is_some(), brief.over_at, *token);
    let mut by_age: Vec<_> = tokens.iter().map(age).collect();
    by_age.sort_unstable();
    for (.., token) in by_age.into_iter().take(surplus.max(1)) {
        tokens.remove(&token);
    }
}
