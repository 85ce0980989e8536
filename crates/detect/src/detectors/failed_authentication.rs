//! Logins and key checks that fail too often, and a success after such failures.
//!
//! Two views of the same attempts, each in its own partition and decided from itself alone:
//! `account.rs` sees all attempts on one account, `address.rs` all attempts from one address.
//! What one address does to one account is the account's; the address speaks up only for
//! attacks on several accounts. Of the classes that one attack can raise at once only one pages.
//!
//! Each key has a timeline (`timeline.rs`): attempts are folded in the order of event time once
//! the watermark has passed them, and looked ahead over before, so that an attack is told when
//! it is seen and yet ends up as if its attempts had come in order.

mod account;
mod address;
mod at_home;
mod attempt;
mod classes;
mod describe;
mod timeline;
mod watch;

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Tenant};
use serde::{Deserialize, Serialize};

pub use classes::CLASSES;

use crate::config::{DetectConfig, in_range};
use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::keyed::{Keyed, Slot};
use crate::rows;
use crate::watermark::Watermarks;
use account::Account;
use address::Address;
use attempt::Attempt;
use timeline::{Arrival, Fold, Setting, Timeline};

pub(crate) const NAME: &str = "failed_authentication";
const STATE_VERSION: u32 = 3;

// --- config ------------------------------------------------------------------------------------

/// How many failures are too many.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailedAuthenticationConfig {
    /// So many failures within `fast_window_ms` are brute force.
    pub fast_failures: u32,
    /// See `fast_failures`.
    pub fast_window_ms: i64,
    /// So many failures within `sustained_window_ms` are brute force too.
    pub sustained_failures: u32,
    /// See `sustained_failures`.
    pub sustained_window_ms: i64,
    /// So many logins that fail within `burst_window_ms` are more than most places let pass.
    pub burst_failures: u32,
    /// See `burst_failures`.
    pub burst_window_ms: i64,
    /// So many that fail within `steady_window_ms`, too, however slowly.
    pub steady_failures: u32,
    /// See `steady_failures`.
    pub steady_window_ms: i64,
    /// Logins of so many accounts that fail within `burst_accounts_window_ms` from one address are no
    /// chance of an office's typos.
    pub burst_accounts: usize,
    /// See `burst_accounts`.
    pub burst_accounts_window_ms: i64,
    /// So many failures of one account within `slow_window_ms`, minutes apart, are slow.
    pub slow_failures: u32,
    /// See `slow_failures`. It is also the gap that ends a slow episode.
    pub slow_window_ms: i64,
    /// The median distance that makes failures slow.
    pub slow_median_gap_ms: i64,
    /// From so many networks ...
    pub distributed_networks: usize,
    /// ... so many failures of one account within `distributed_window_ms` are one attack.
    pub distributed_failures: u32,
    /// See `distributed_failures`.
    pub distributed_window_ms: i64,
    /// A success within `success_window_ms` after so many failures is suspicious.
    pub success_failures: u32,
    /// See `success_failures`.
    pub success_window_ms: i64,
    /// Failures that an account may have from a shared address before they count against it.
    pub address_allowance: u32,
    /// One address must have tried so many accounts; below, the account's own rule speaks.
    pub address_accounts: usize,
    /// So many tries of accounts that do not exist within `probing_window_ms` are probing.
    pub probing_failures: u32,
    /// See `probing_failures`.
    pub probing_window_ms: i64,
    /// One address failing on so many accounts ...
    pub spray_accounts: usize,
    /// ... so often within `spray_window_ms` is spraying.
    pub spray_failures: u32,
    /// See `spray_failures`.
    pub spray_window_ms: i64,
    /// From so many accounts on, with hardly more than one try each, it is stuffing.
    pub stuffing_accounts: usize,
    /// One address trying so many API keys that do not exist ...
    pub key_guess_keys: u32,
    /// ... within so long is guessing.
    pub key_guess_window_ms: i64,
    /// One address presenting so many tokens that do not look like one ...
    pub malformed_tokens: u32,
    /// (from so many on it is worse)
    pub malformed_many: u32,
    /// ... within so long is told.
    pub malformed_window_ms: i64,
    /// A failure that its own user mends within this time was a typo.
    pub typo_ms: i64,
    /// An episode ends after so long without a failure.
    pub episode_gap_ms: i64,
}

impl Default for FailedAuthenticationConfig {
    fn default() -> Self {
        Self {
            fast_failures: 10,
            fast_window_ms: 60_000,
            sustained_failures: 20,
            sustained_window_ms: 600_000,
            burst_failures: 6,
            burst_window_ms: 60_000,
            steady_failures: 11,
            steady_window_ms: 600_000,
            burst_accounts: 6,
            burst_accounts_window_ms: 20_000,
            slow_failures: 12,
            slow_window_ms: 21_600_000,
            slow_median_gap_ms: 300_000,
            distributed_networks: 5,
            distributed_failures: 10,
            distributed_window_ms: 1_800_000,
            success_failures: 5,
            success_window_ms: 900_000,
            address_allowance: 2,
            address_accounts: 2,
            probing_failures: 30,
            probing_window_ms: 21_600_000,
            spray_accounts: 8,
            spray_failures: 15,
            spray_window_ms: 900_000,
            stuffing_accounts: 25,
            key_guess_keys: 5,
            key_guess_window_ms: 300_000,
            malformed_tokens: 20,
            malformed_many: 200,
            malformed_window_ms: 300_000,
            typo_ms: 300_000,
            episode_gap_ms: 1_800_000,
        }
    }
}

impl FailedAuthenticationConfig {
    pub(crate) fn validate(&self) -> Result<(), String> {
        let key = |name: &str| format!("{NAME}.{name}");
        for (name, failures) in [
            ("fast_failures", self.fast_failures),
            ("sustained_failures", self.sustained_failures),
            ("burst_failures", self.burst_failures),
            ("steady_failures", self.steady_failures),
            ("slow_failures", self.slow_failures),
            ("distributed_failures", self.distributed_failures),
            ("success_failures", self.success_failures),
            ("probing_failures", self.probing_failures),
            ("spray_failures", self.spray_failures),
            ("key_guess_keys", self.key_guess_keys),
            ("malformed_tokens", self.malformed_tokens),
            ("malformed_many", self.malformed_many),
        ] {
            in_range(&key(name), i64::from(failures), 2, 200)?;
        }
        for (name, window_ms) in [
            ("fast_window_ms", self.fast_window_ms),
            ("sustained_window_ms", self.sustained_window_ms),
            ("burst_window_ms", self.burst_window_ms),
            ("steady_window_ms", self.steady_window_ms),
            ("burst_accounts_window_ms", self.burst_accounts_window_ms),
            ("slow_window_ms", self.slow_window_ms),
            ("distributed_window_ms", self.distributed_window_ms),
            ("success_window_ms", self.success_window_ms),
            ("probing_window_ms", self.probing_window_ms),
            ("spray_window_ms", self.spray_window_ms),
            ("key_guess_window_ms", self.key_guess_window_ms),
            ("malformed_window_ms", self.malformed_window_ms),
        ] {
            in_range(&key(name), window_ms, 1_000, attempt::RECENT_MS)?;
        }
        in_range(&key("typo_ms"), self.typo_ms, 0, 3_600_000)?;
        in_range(&key("episode_gap_ms"), self.episode_gap_ms, 60_000, attempt::RECENT_MS)?;
        in_range(&key("distributed_networks"), self.distributed_networks as i64, 2, 100)?;
        in_range(&key("address_accounts"), self.address_accounts as i64, 1, 100)?;
        in_range(&key("burst_accounts"), self.burst_accounts as i64, 2, 200)?;
        in_range(&key("spray_accounts"), self.spray_accounts as i64, 2, 200)?;
        in_range(&key("stuffing_accounts"), self.stuffing_accounts as i64, 2, 200)
    }
}

// --- state -------------------------------------------------------------------------------------

/// The detector.
pub(crate) struct FailedAuthentication {
    config: FailedAuthenticationConfig,
    accounts: Keyed<Timeline<Account>>,
    addresses: Keyed<Timeline<Address>>,
    totals: Totals,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Totals {
    observations: u64,
    late: u64,
    duplicates: u64,
}

#[derive(Deserialize)]
struct Saved {
    accounts: Vec<Slot<Timeline<Account>>>,
    addresses: Vec<Slot<Timeline<Address>>>,
    totals: Totals,
    evicted: (u64, u64),
}

#[derive(Serialize)]
struct Saving<'a> {
    accounts: Vec<&'a Slot<Timeline<Account>>>,
    addresses: Vec<&'a Slot<Timeline<Address>>>,
    totals: Totals,
    evicted: (u64, u64),
}

// --- logic -------------------------------------------------------------------------------------

impl FailedAuthentication {
    pub(crate) fn new(config: &DetectConfig) -> Self {
        Self {
            config: config.failed_authentication.clone(),
            accounts: Keyed::new(config.keys_per_tenant_max),
            addresses: Keyed::new(config.keys_per_tenant_max),
            totals: Totals::default(),
        }
    }
}

/// Brings one attempt onto its timeline.
fn take_in<F: Fold>(
    keys: &mut Keyed<Timeline<F>>,
    name: &str,
    o: &Observation<'_>,
    setting: Setting<'_>,
    totals: &mut Totals,
    touched: &mut Vec<u32>,
) {
    let Some(tenant) = o.tenant.as_deref() else { return };
    let Some(attempt) = Attempt::new(o) else { return };
    let Some(id) = keys.find_or_insert(tenant, name, Timeline::default) else { return };
    keys.touch(id, attempt.time);
    let Some((_, timeline)) = keys.get_mut(id) else { return };
    match timeline.insert(attempt, setting) {
        Arrival::Duplicate => totals.duplicates += 1,
        Arrival::Late => {
            totals.late += 1;
            touched.push(id);
        }
        Arrival::InTime => touched.push(id),
    }
}

/// Looks ahead on every timeline that got an attempt.
fn look_ahead<F: Fold>(
    keys: &mut Keyed<Timeline<F>>,
    mut touched: Vec<u32>,
    config: &FailedAuthenticationConfig,
    watermarks: &Watermarks,
    alerts: &mut AlertChanges,
) {
    touched.sort_unstable();
    touched.dedup();
    for id in touched {
        let Some((key, timeline)) = keys.get_mut(id) else { continue };
        let setting = Setting { config, watermark: watermarks.of(key.tenant.as_str()) };
        timeline.look_ahead(key, setting, alerts);
        let due = timeline.due(setting);
        keys.wake_at(id, due);
    }
}

/// Settles every timeline of a tenant whose time has come, and forgets those that hold nothing any more.
fn settle<F: Fold>(
    keys: &mut Keyed<Timeline<F>>,
    tenant: &Tenant,
    up_to: EventTime,
    setting: Setting<'_>,
    alerts: &mut AlertChanges,
) {
    for id in keys.take_due(tenant, up_to) {
        let Some((key, timeline)) = keys.get_mut(id) else { continue };
        timeline.settle(key, up_to, setting, alerts);
        if timeline.is_over(up_to) {
            keys.remove(id);
        } else {
            let due = timeline.due(setting);
            keys.wake_at(id, due.max(up_to + 1));
        }
    }
}

/// Says goodbye to timelines that had to go.
fn evict<F: Fold>(
    keys: &mut Keyed<Timeline<F>>,
    config: &FailedAuthenticationConfig,
    watermarks: &Watermarks,
    alerts: &mut AlertChanges,
) {
    for mut slot in keys.evict() {
        let setting = Setting { config, watermark: watermarks.of(slot.key.tenant.as_str()) };
        slot.value.close_all(&slot.key, setting, alerts);
    }
}

impl Detector for FailedAuthentication {
    fn name(&self) -> &'static str {
        NAME
    }

    fn on_batch(
        &mut self,
        observations: &ObservationBatch,
        watermarks: &Watermarks,
        alerts: &mut AlertChanges,
    ) {
        let config = &self.config;
        let (mut accounts, mut addresses) = (Vec::new(), Vec::new());
        let kinds = [ObservationKind::AuthByAccount, ObservationKind::AuthByAddress];
        for (kind, o) in rows::of_kind(observations, &kinds) {
            self.totals.observations += 1;
            let watermark = watermarks.of(o.tenant.as_deref().unwrap_or_default());
            let setting = Setting { config, watermark };
            if kind == ObservationKind::AuthByAccount {
                let Some(name) = attempt::account_of(&o) else { continue };
                take_in(&mut self.accounts, &name, &o, setting, &mut self.totals, &mut accounts);
            } else {
                let Some(name) = attempt::address_of(&o) else { continue };
                take_in(&mut self.addresses, name, &o, setting, &mut self.totals, &mut addresses);
            }
        }
        look_ahead(&mut self.accounts, accounts, config, watermarks, alerts);
        look_ahead(&mut self.addresses, addresses, config, watermarks, alerts);
        evict(&mut self.accounts, config, watermarks, alerts);
        evict(&mut self.addresses, config, watermarks, alerts);
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        let setting = Setting { config: &self.config, watermark: Some(up_to) };
        settle(&mut self.accounts, tenant, up_to, setting, alerts);
        settle(&mut self.addresses, tenant, up_to, setting, alerts);
    }

    fn snapshot(&self) -> DetectorState {
        let saving = Saving {
            accounts: self.accounts.slots(),
            addresses: self.addresses.slots(),
            totals: self.totals,
            evicted: (self.accounts.evicted_total, self.addresses.evicted_total),
        };
        DetectorState::write(NAME, STATE_VERSION, &saving)
    }

    fn restore(&mut self, state: DetectorState) -> Result<(), BadState> {
        let saved: Saved = state.read(NAME, STATE_VERSION)?;
        self.accounts.restore(saved.accounts, saved.evicted.0);
        self.addresses.restore(saved.addresses, saved.evicted.1);
        self.totals = saved.totals;
        Ok(())
    }

    fn stats(&self) -> DetectorStats {
        let open = self.accounts.values().map(Timeline::open_episodes).sum::<u64>()
            + self.addresses.values().map(Timeline::open_episodes).sum::<u64>();
        DetectorStats {
            name: NAME,
            keys: (self.accounts.len() + self.addresses.len()) as u64,
            open_episodes: open,
            observations_total: self.totals.observations,
            late_total: self.totals.late,
            duplicates_total: self.totals.duplicates,
            evicted_total: self.accounts.evicted_total + self.addresses.evicted_total,
        }
    }
}

#[cfg(test)]
mod tests;
