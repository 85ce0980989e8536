//! How many failures are too many.

use serde::{Deserialize, Serialize};

use super::NAME;
use super::attempt::RECENT_MS;
use crate::config::in_range;
use crate::rules::Parameters;

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

impl Parameters for FailedAuthenticationConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
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
            in_range(&key(name), window_ms, 1_000, RECENT_MS)?;
        }
        in_range(&key("typo_ms"), self.typo_ms, 0, 3_600_000)?;
        in_range(&key("episode_gap_ms"), self.episode_gap_ms, 60_000, RECENT_MS)?;
        in_range(&key("distributed_networks"), self.distributed_networks as i64, 2, 100)?;
        in_range(&key("address_accounts"), self.address_accounts as i64, 1, 100)?;
        in_range(&key("burst_accounts"), self.burst_accounts as i64, 2, 200)?;
        in_range(&key("spray_accounts"), self.spray_accounts as i64, 2, 200)?;
        in_range(&key("stuffing_accounts"), self.stuffing_accounts as i64, 2, 200)
    }
}
