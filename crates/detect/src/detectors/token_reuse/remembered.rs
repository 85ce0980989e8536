//! What stays of a token where there are too many: a hundred bytes instead of five hundred.

use std::collections::BTreeMap;

use event::{EventTime, Tenant};
use serde::{Deserialize, Serialize};

use super::facts::{Facts, Issue, Presentation};
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

/// The one use that later ones are compared with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Brief {
    over_at: EventTime,
    issued_at: Option<EventTime>,
    expires_at: Option<EventTime>,
    redeemed: Option<Redeemed>,
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

    /// Remembers a token in brief.
    pub(super) fn put(&mut self, tenant: &Tenant, token_fp: &str, facts: &Facts, over_at: EventTime) {
        let issue = facts.issues.first();
        let brief = Brief {
            over_at,
            issued_at: issue.map(|issue| issue.at),
            expires_at: issue.and_then(|issue| issue.expires_at),
            redeemed: facts.accepted().next().map(|p| Redeemed {
                at: p.at,
                delivery: p.delivery,
                net: p.net,
                browser: p.browser,
                topic: p.topic,
            }),
        };
        let tokens = &mut self.tenants.entry(tenant.clone()).or_default().briefs;
        tokens.insert(stable::hash(&[token_fp]), brief);
        if tokens.len() > self.tokens_per_tenant_max {
            drop_oldest(tokens, self.tokens_per_tenant_max / 8);
        }
    }

    /// Takes a token out again as facts.
    pub(super) fn take(&mut self, tenant: &str, token_fp: &str) -> Option<Facts> {
        let tokens = self.tenants.get_mut(&Tenant::parse(tenant).ok()?)?;
        let brief = tokens.briefs.remove(&stable::hash(&[token_fp]))?;
        let mut facts = Facts::default();
        facts.recall(
            brief.issued_at.map(|at| Issue {
                at,
                expires_at: brief.expires_at,
                user: None,
                partner: None,
                origin: None,
            }),
            brief.redeemed.map(|r| Presentation {
                at: r.at,
                delivery: r.delivery,
                accepted: true,
                reason: None,
                src_ip: None,
                net: r.net,
                browser: r.browser,
                user: None,
                partner: None,
                origin: None,
                bound_origin: None,
                topic: r.topic,
                ingested_at: r.at,
            }),
        );
        Some(facts)
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

const HOUR_MS: i64 = 3_600_000;

fn drop_oldest(tokens: &mut BTreeMap<u64, Brief>, surplus: usize) {
    let mut by_age: Vec<_> = tokens.iter().map(|(token, brief)| (brief.over_at, *token)).collect();
    by_age.sort_unstable();
    for (_, token) in by_age.into_iter().take(surplus.max(1)) {
        tokens.remove(&token);
    }
}
