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
mod config;
mod describe;
mod timeline;
mod watch;

use event::{EventTime, Observation, ObservationBatch, ObservationKind, Tenant};
use serde::{Deserialize, Serialize};

pub use classes::CLASSES;
pub use config::FailedAuthenticationConfig;

use crate::detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
use crate::keyed::{Keyed, Slot};
use crate::rows;
use crate::rules::{PerTenant, Rules};
use crate::watermark::Watermarks;
use account::Account;
use address::Address;
use attempt::Attempt;
use timeline::{Arrival, Fold, Setting, Timeline};

pub(crate) const NAME: &str = "failed_authentication";
const STATE_VERSION: u32 = 3;

// --- state -------------------------------------------------------------------------------------

/// The detector.
pub(crate) struct FailedAuthentication {
    rules: PerTenant<FailedAuthenticationConfig>,
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
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            rules: rules.failed_authentication.clone(),
            accounts: Keyed::new(rules.config.keys_per_tenant_max),
            addresses: Keyed::new(rules.config.keys_per_tenant_max),
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
    rules: &PerTenant<FailedAuthenticationConfig>,
    watermarks: &Watermarks,
    alerts: &mut AlertChanges,
) {
    touched.sort_unstable();
    touched.dedup();
    for id in touched {
        let Some((key, timeline)) = keys.get_mut(id) else { continue };
        let tenant = key.tenant.as_str();
        let setting = Setting { config: rules.of(tenant), watermark: watermarks.of(tenant) };
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
    rules: &PerTenant<FailedAuthenticationConfig>,
    watermarks: &Watermarks,
    alerts: &mut AlertChanges,
) {
    for mut slot in keys.evict() {
        let tenant = slot.key.tenant.as_str();
        let setting = Setting { config: rules.of(tenant), watermark: watermarks.of(tenant) };
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
        let rules = &self.rules;
        let (mut accounts, mut addresses) = (Vec::new(), Vec::new());
        let kinds = [ObservationKind::AuthByAccount, ObservationKind::AuthByAddress];
        for (kind, o) in rows::of_kind(observations, &kinds) {
            self.totals.observations += 1;
            let tenant = o.tenant.as_deref().unwrap_or_default();
            let setting = Setting { config: rules.of(tenant), watermark: watermarks.of(tenant) };
            if kind == ObservationKind::AuthByAccount {
                let Some(name) = attempt::account_of(&o) else { continue };
                take_in(&mut self.accounts, &name, &o, setting, &mut self.totals, &mut accounts);
            } else {
                let Some(name) = attempt::address_of(&o) else { continue };
                take_in(&mut self.addresses, name, &o, setting, &mut self.totals, &mut addresses);
            }
        }
        look_ahead(&mut self.accounts, accounts, rules, watermarks, alerts);
        look_ahead(&mut self.addresses, addresses, rules, watermarks, alerts);
        evict(&mut self.accounts, rules, watermarks, alerts);
        evict(&mut self.addresses, rules, watermarks, alerts);
    }

    fn on_watermark(&mut self, tenant: &Tenant, up_to: EventTime, alerts: &mut AlertChanges) {
        let setting = Setting { config: self.rules.of(tenant.as_str()), watermark: Some(up_to) };
        settle(&mut self.accounts, tenant, up_to, setting, alerts);
        settle(&mut self.addresses, tenant, up_to, setting, alerts);
    }

    fn learn(&mut self, rules: &Rules) {
        self.rules = rules.failed_authentication.clone();
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
