//! What a partner's logs say of its session tokens as a whole: which were issued, and which of those were used.
//!
//! A token that is presented, refused, and was never issued was made up, or comes from another environment. One is
//! a slip; many within minutes, from one network or at one partner, are told. So is an hour in which tokens are
//! issued that hardly anybody redeems, where the partner's usually are.
//!
//! What was not logged can only be known where the log is: nothing is said before issuing was seen for as long as a
//! token lives, nor while no issue is told of (`ledger.rs`). Presentations are judged in the order of event time, once
//! the watermark says that no issue can still come before them, so that the same facts come to the same whatever
//! order they arrive in. What the issuer accepts is not doubted: an issue that is missing there is a hole in the log.

mod config;
mod days;
mod describe;
mod hours;
mod ledger;
mod strangers;

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Severity, Tenant};
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::class::ClassInfo;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::keyed::SlotId;
use crate::rows;
use crate::rules::{PerTenant, Rules};
use crate::watermark::Watermarks;
use hours::Hours;
use ledger::{Arrival, Ledger, Shown};
use strangers::Strangers;

pub use config::TokenLedgerConfig;

pub(crate) const NAME: &str = "token_ledger";
const STATE_VERSION: u32 = 1;

/// Every class.
pub const CLASSES: &[ClassInfo] = &[NEVER_ISSUED, UNREDEEMED];

pub(super) const NEVER_ISSUED: ClassInfo = ClassInfo {
    class: "token.never_issued",
    severity: Severity::Medium,
    description: "Well-formed session tokens that nobody issued were presented, many within minutes, from one network or \
                  at one partner: guesses, or tokens of another environment; high where there are very many.",
    techniques: &["T1110.001", "T1606"],
    owasp_api: Some("API2"),
    owasp_event: Some("authn_login_fail"),
};

pub(super) const UNREDEEMED: ClassInfo = ClassInfo {
    class: "token.issue_without_redeem",
    severity: Severity::Low,
    description: "Nearly none of the session tokens that were issued within an hour was redeemed, at a partner whose \
                  tokens usually are: they are harvested, or its integration is broken.",
    techniques: &["T1078"],
    owasp_api: Some("API2"),
    owasp_event: Some("authn_token_created"),
};

/// For each key that may be kept of a tenant so many tokens are.
const TOKENS_PER_KEY: usize = 4;

/// The detector.
pub(crate) struct TokenLedger {
    rules: PerTenant<TokenLedgerConfig>,
    lateness_ms: i64,
    tokens_per_tenant_max: usize,
    tenants: BTreeMap<Box<str>, Tokens>,
    /// Who presented tokens that nobody issued: networks, and partners as a whole.
    book: Book<Strangers>,
    forgotten: u64,
}

/// What is known of one tenant's tokens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Tokens {
    ledger: Ledger,
    hours: Hours,
}

#[derive(Serialize, Deserialize)]
struct State<T> {
    tenants: T,
    strangers: DetectorState,
    forgotten: u64,
}

impl Tokens {
    fn is_empty(&self) -> bool {
        self.ledger.is_empty() && self.hours.is_empty()
    }
}

impl TokenLedger {
    pub(crate) fn new(rules: &Rules) -> Self {
        let keys = rules.config.keys_per_tenant_max;
        Self {
            rules: rules.token_ledger.clone(),
            lateness_ms: rules.config.watermark.allowed_lateness_ms,
            tokens_per_tenant_max: keys.saturating_mul(TOKENS_PER_KEY),
            tenants: BTreeMap::new(),
            book: Book::new(NAME, STATE_VERSION, keys),
            forgotten: 0,
        }
    }

    /// Takes in a fact. Says whose it is where it came after its watermark, and so has to be judged now.
    fn take_in(&mut self, o: &Observation<'_>, watermarks: &Watermarks) -> Option<Tenant> {
        let tenant = o.tenant.as_deref()?;
        let watermark = watermarks.of(tenant).unwrap_or(EventTime::MIN);
        if !self.tenants.contains_key(tenant) {
            self.tenants.insert(Tenant::parse(tenant).ok()?.as_str().into(), Tokens::default());
        }
        let tokens = self.tenants.get_mut(tenant)?;
        let config = self.rules.of(tenant);
        match tokens.ledger.add(o, watermark, config) {
            Arrival::Nothing => return None,
            Arrival::Known => self.book.totals.duplicates += 1,
            Arrival::OneTooMany => self.forgotten += 1,
            Arrival::Issue => tokens.hours.note(o, watermark),
            Arrival::Fact => {}
        }
        self.forgotten += tokens.ledger.shorten(self.tokens_per_tenant_max);
        let is_late = o.time.is_some_and(|time| time < watermark);
        self.book.totals.late += u64::from(is_late);
        is_late.then(|| Tenant::parse(tenant).ok()).flatten()
    }

    /// Judges what can be judged now that event time has come so far.
    fn judge(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        let Some(tokens) = self.tenants.get_mut(tenant.as_str()) else { return };
        let config = self.rules.of(tenant.as_str());
        let shown = tokens.ledger.settle(up_to, self.lateness_ms, config);
        tokens.hours.settle(tenant, up_to, &tokens.ledger, config, alerts);
        tokens.ledger.forget(up_to, config);
        let mut news = BTreeSet::new();
        for shown in &shown {
            news.extend(self.count(tenant, shown, up_to));
        }
        for id in news {
            self.tell(id, up_to, alerts);
        }
        drop(self.book.keys.evict());
    }

    /// Counts a token that nobody issued, by its network and by its partner. What one network does is told of
    /// that network alone.
    fn count(&mut self, tenant: &Tenant, shown: &Shown, watermark: EventTime) -> Vec<SlotId> {
        let (keys, config) = (&mut self.book.keys, self.rules.of(tenant.as_str()));
        let mut news = Vec::new();
        for name in [(!shown.net.is_empty()).then_some(&*shown.net), Some(strangers::WHOLE)] {
            let Some(name) = name else { continue };
            let id = keys.find_or_insert(tenant.as_str(), name, Strangers::default);
            let Some((id, (_, counted))) = id.and_then(|id| Some(id).zip(keys.get_mut(id))) else { continue };
            let is_news = counted.add(shown, watermark, config);
            let is_told = counted.is_plain(config);
            if is_news {
                keys.touch(id, shown.seen.witness.time);
                news.push(id);
            }
            if is_told {
                break;
            }
        }
        news
    }

    /// Tells what there is to tell of a network or a partner, and forgets what is over.
    fn tell(&mut self, id: SlotId, watermark: EventTime, alerts: &mut AlertChanges) {
        let Some((key, counted)) = self.book.keys.get_mut(id) else { return };
        let config = self.rules.of(key.tenant.as_str());
        match counted.tell(key, watermark, config, alerts) {
            Some(wake) => self.book.keys.wake_at(id, wake),
            None => drop(self.book.keys.remove(id)),
        }
    }
}

impl Detector for TokenLedger {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let mut late = BTreeSet::new();
        for (_, o) in rows::of_kind(observations, &[ObservationKind::TokenOfTenant]) {
            self.book.totals.observations += 1;
            late.extend(self.take_in(&o, watermarks));
        }
        for tenant in late {
            if let Some(watermark) = watermarks.of(tenant.as_str()) {
                self.judge(&tenant, watermark, alerts);
            }
        }
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        self.judge(tenant, up_to, alerts);
        for id in self.book.keys.take_due(tenant, up_to) {
            self.tell(id, up_to, alerts);
        }
        if self.tenants.get(tenant.as_str()).is_some_and(Tokens::is_empty) {
            self.tenants.remove(tenant.as_str());
        }
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.token_ledger.clone();
    }

    fn snapshot(&self) -> DetectorState {
        let (tenants, strangers) = (&self.tenants, self.book.snapshot());
        DetectorState::write(NAME, STATE_VERSION, &State { tenants, strangers, forgotten: self.forgotten })
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        let saved: State<BTreeMap<Box<str>, Tokens>> = state.read(NAME, STATE_VERSION)?;
        self.book.restore(&saved.strangers)?;
        (self.tenants, self.forgotten) = (saved.tenants, saved.forgotten);
        Ok(())
    }

    fn stats(&self) -> DetectorStats {
        let tokens: usize = self.tenants.values().map(|tokens| tokens.ledger.len()).sum();
        let open: u64 = self.tenants.values().map(|tokens| tokens.hours.open()).sum();
        let strangers = self.book.stats(Strangers::open);
        DetectorStats {
            keys: strangers.keys + tokens as u64,
            open_episodes: strangers.open_episodes + open,
            evicted_total: strangers.evicted_total + self.forgotten,
            ..strangers
        }
    }
}

#[cfg(test)]
mod tests;
