//! A session token presented more often, later, or elsewhere than it may be.
//!
//! What is known of a token is a *set* of facts, and the verdict a pure function of that set
//! (`classify.rs`): the rejection may arrive before the redemption and the issue last of all.
//! A token has one episode in its life, so its alert id holds no time, and it never closes by
//! itself: a reuse stays a reuse until a person has looked.
//!
//! A stolen token may come back hours after its end, so the facts are kept for `memory_ms` and
//! then forgotten without a word, unless they were told of. Where a tenant has more tokens than
//! fit, of the coldest only that is kept which a later presentation is compared with
//! (`remembered.rs`).

mod classes;
mod classify;
mod describe;
mod facts;
mod remembered;

use std::mem;

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Tenant};
use serde::{Deserialize, Serialize};

pub use classes::CLASSES;

use crate::config::in_range;
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::episode::{Announced, announce, update_is_due};
use crate::keyed::{Kept, Keyed, Slot, SlotId};
use crate::rows;
use crate::rules::{Parameters, PerTenant, Rules};
use crate::watermark::Watermarks;
use classify::classify;
use describe::describe;
use facts::{Facts, fact_of};
use remembered::{Brief, Remembered};

pub(crate) const NAME: &str = "token_reuse";
const STATE_VERSION: u32 = 3;
/// What a token's fingerprint begins with.
const FINGERPRINT: &str = "hmac256:";

// --- config ------------------------------------------------------------------------------------

/// When a second use is a mistake and when it is a theft.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenReuseConfig {
    /// How long a token lives where its issue record does not say.
    pub ttl_ms: i64,
    /// By how much clocks may differ before a use counts as after the end or after the revocation.
    pub skew_ms: i64,
    /// A second, rejected use of the same browser in the same network within this time is a
    /// double click or a retry.
    pub grace_ms: i64,
    /// A second, rejected use of the same browser from another network within this time is a
    /// phone that changed from Wi-Fi to mobile.
    pub network_switch_ms: i64,
    /// Two records of one redemption, from two logs, lie at most this far apart.
    pub witness_ms: i64,
    /// How long after its end a token is remembered.
    pub memory_ms: i64,
}

impl Default for TokenReuseConfig {
    fn default() -> Self {
        Self {
            ttl_ms: 300_000,
            skew_ms: 30_000,
            grace_ms: 10_000,
            network_switch_ms: 30_000,
            witness_ms: 10_000,
            memory_ms: 86_400_000,
        }
    }
}

impl Parameters for TokenReuseConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        in_range("token_reuse.ttl_ms", self.ttl_ms, 1_000, 86_400_000)?;
        in_range("token_reuse.skew_ms", self.skew_ms, 0, 600_000)?;
        in_range("token_reuse.grace_ms", self.grace_ms, 0, 60_000)?;
        in_range("token_reuse.network_switch_ms", self.network_switch_ms, 0, 600_000)?;
        in_range("token_reuse.witness_ms", self.witness_ms, 0, 60_000)?;
        in_range("token_reuse.memory_ms", self.memory_ms, 0, 30 * 86_400_000)
    }
}

// --- state -------------------------------------------------------------------------------------

/// The detector.
pub(crate) struct TokenReuse {
    rules: PerTenant<TokenReuseConfig>,
    tokens: Keyed<Token>,
    remembered: Remembered,
    totals: Totals,
}

/// One token: what is known, and what was told of it.
#[derive(Default, Serialize, Deserialize)]
struct Token {
    facts: Facts,
    announced: Option<Announced>,
    /// Facts came that are not told yet.
    untold: bool,
    /// It is called by a key that has taken over. Until then its facts are only remembered: they are told
    /// of under the token's other name.
    is_current: bool,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Totals {
    observations: u64,
    late: u64,
    duplicates: u64,
}

#[derive(Deserialize)]
struct Saved {
    tokens: Vec<Slot<Token>>,
    remembered: Remembered,
    totals: Totals,
    evicted: u64,
}

#[derive(Serialize)]
struct Saving<'a> {
    tokens: Vec<&'a Slot<Token>>,
    remembered: &'a Remembered,
    totals: Totals,
    evicted: u64,
}

impl Token {
    /// A new token, or one that was known in brief.
    fn recalled(brief: Option<Brief>) -> Self {
        let (facts, announced) = brief.map(Brief::recall).unwrap_or_default();
        Self { facts, announced, untold: false, is_current: announced.is_some() }
    }
}

impl Kept for Token {
    /// Tokens that were only refused may be anybody's inventions, and go first.
    fn rank(&self) -> u8 {
        let is_real = !self.facts.issues.is_empty() || self.facts.accepted().next().is_some();
        if self.announced.is_some() { 2 } else { u8::from(is_real) }
    }
}

// --- logic -------------------------------------------------------------------------------------

impl TokenReuse {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            rules: rules.token_reuse.clone(),
            tokens: Keyed::new(rules.config.keys_per_tenant_max),
            remembered: Remembered::new(rules.config.keys_per_tenant_max.saturating_mul(8)),
            totals: Totals::default(),
        }
    }

    /// Adds a fact to its token; returns the token if it was news.
    fn take_in(&mut self, o: &Observation<'_>, watermarks: &Watermarks) -> Option<SlotId> {
        let (tenant, token_fp, time) = (o.tenant.as_deref()?, o.token_fp.as_deref()?, o.time?);
        // What is no fingerprint (a session id, a word such as "none") would join strangers.
        if !token_fp.starts_with(FINGERPRINT) || fact_of(o).is_none() {
            return None;
        }
        let id = match self.tokens.find(tenant, token_fp) {
            Some(id) => id,
            None => {
                let brief = self.remembered.take(tenant, token_fp);
                self.tokens.find_or_insert(tenant, token_fp, || Token::recalled(brief))?
            }
        };
        let late = watermarks.of(tenant).is_some_and(|watermark| time < watermark);
        let (_, token) = self.tokens.get_mut(id)?;
        let over_at = token.facts.over_at(self.rules.of(tenant));
        if time >= over_at {
            // Forgotten by rights, though the watermark has not got there yet.
            let brief = token.announced.map(|told| Brief::of(&token.facts, Some(told), over_at));
            *token = Token::recalled(brief);
        }
        token.is_current |= o.rehearsal.is_none();
        let news = token.facts.add(o, late);
        token.untold |= news;
        self.totals.late += u64::from(late && news);
        self.totals.duplicates += u64::from(!news);
        self.tokens.touch(id, time);
        news.then_some(id)
    }

    /// Tells of a token, if there is something to tell.
    fn tell(
        &mut self,
        id: SlotId,
        now: EventTime,
        watermark: impl Fn(&Tenant) -> Option<EventTime>,
        alerts: &mut AlertChanges,
    ) {
        let Some((key, token)) = self.tokens.get_mut(id) else { return };
        if !mem::take(&mut token.untold) {
            return;
        }
        let config = self.rules.of(key.tenant.as_str());
        let mut wake = token.facts.over_at(config);
        if !token.is_current {
            self.tokens.wake_at(id, wake);
            return;
        }
        let watermark = watermark(&key.tenant);
        if let Some(verdict) = classify(&token.facts, config, watermark) {
            let alert = describe(key, &token.facts, &verdict, config);
            let due = update_is_due(token.announced.as_ref(), now);
            let change = announce(&mut token.announced, alert, now);
            // Held back for the rest of the minute: told when the watermark gets there.
            token.untold = change.is_none() && !due;
            alerts.extend(change);
            if let Some(announced) = token.announced.filter(|_| token.untold) {
                wake = wake.min(announced.next_minute());
            }
        }
        if let Some(at) = classify::settles_at(&token.facts, config, watermark) {
            token.untold = true;
            wake = wake.min(at);
        }
        self.tokens.wake_at(id, wake);
    }

    /// A token's time has come: tell what was held back, or forget it.
    fn wake(&mut self, id: SlotId, up_to: EventTime, alerts: &mut AlertChanges) {
        self.tell(id, up_to, |_| Some(up_to), alerts);
        let Some((key, token)) = self.tokens.get_mut(id) else { return };
        let over_at = token.facts.over_at(self.rules.of(key.tenant.as_str()));
        if up_to < over_at {
            self.tokens.wake_at(id, over_at);
            return;
        }
        if let Some(Slot { key, value: token, .. }) = self.tokens.remove(id)
            && token.announced.is_some()
        {
            self.remembered.put(&key.tenant, &key.name, Brief::of(&token.facts, token.announced, over_at));
        }
    }

    /// Too many tokens: of the coldest only what a later presentation is compared with is kept.
    fn shorten(&mut self) {
        for Slot { key, value: token, .. } in self.tokens.evict() {
            let over_at = token.facts.over_at(self.rules.of(key.tenant.as_str()));
            self.remembered.put(&key.tenant, &key.name, Brief::of(&token.facts, token.announced, over_at));
        }
    }
}

impl Detector for TokenReuse {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let mut news = Vec::new();
        for (_, o) in rows::of_kind(observations, &[ObservationKind::Token]) {
            self.totals.observations += 1;
            news.extend(self.take_in(&o, watermarks).map(|id| (id, o.time.unwrap_or_default())));
        }
        for (id, time) in news {
            self.tell(id, time, |tenant| watermarks.of(tenant.as_str()), alerts);
        }
        self.shorten();
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        for id in self.tokens.take_due(tenant, up_to) {
            self.wake(id, up_to, alerts);
        }
        self.remembered.forget(tenant, up_to);
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.token_reuse.clone();
    }

    fn snapshot(&self) -> DetectorState {
        let saving = Saving {
            tokens: self.tokens.slots(),
            remembered: &self.remembered,
            totals: self.totals,
            evicted: self.tokens.evicted_total,
        };
        DetectorState::write(NAME, STATE_VERSION, &saving)
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        let saved: Saved = state.read(NAME, STATE_VERSION)?;
        self.tokens.restore(saved.tokens, saved.evicted);
        self.remembered.restore(saved.remembered);
        self.totals = saved.totals;
        Ok(())
    }

    fn stats(&self) -> DetectorStats {
        DetectorStats {
            name: NAME,
            keys: (self.tokens.len() + self.remembered.len()) as u64,
            open_episodes: self.tokens.values().filter(|token| token.announced.is_some()).count() as u64,
            observations_total: self.totals.observations,
            late_total: self.totals.late,
            duplicates_total: self.totals.duplicates,
            evicted_total: self.tokens.evicted_total,
        }
    }
}

#[cfg(test)]
mod tests;
