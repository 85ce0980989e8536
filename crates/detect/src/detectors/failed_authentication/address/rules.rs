//! When the failures from an address are an attack: pure functions of the failures.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{EventTime, Severity};
use hashbrown::HashMap;

use super::Tried;
use crate::detectors::failed_authentication::FailedAuthenticationConfig;
use crate::detectors::failed_authentication::attempt::Attempt;

/// Threshold, window and severity, if the failures up to now meet a rule.
pub(super) type Rule =
    fn(&[&Arc<Attempt>], EventTime, &FailedAuthenticationConfig) -> Option<(u32, i64, Severity)>;

/// One of the windows in which failures are counted.
struct Window {
    threshold: u32,
    window_ms: i64,
    severity: Severity,
    /// Failures that an account which may exist has before they count.
    allowance: u32,
    counts: fn(&Attempt) -> bool,
}

/// An allowance that no account uses up.
const PROBING: u32 = u32::MAX;

/// What no typo explains, within one of five windows: the first that is full. Fewer accounts than
/// `address_accounts` are those accounts' own affair.
pub(super) fn hard(
    failures: &[&Arc<Attempt>],
    now: EventTime,
    config: &FailedAuthenticationConfig,
) -> Option<(u32, i64, Severity)> {
    let allowance = config.address_allowance;
    let window = |threshold, window_ms, allowance, counts| Window {
        threshold,
        window_ms,
        severity: Severity::Medium,
        allowance,
        counts,
    };
    let windows = [
        window(config.fast_failures, config.fast_window_ms, allowance, |_| true),
        window(config.sustained_failures, config.sustained_window_ms, allowance, |_| true),
        // Over hours only accounts that do not exist count: no failure of one that may exist, and
        // none that names no account, of which an office has some in the course of a day.
        window(config.probing_failures, config.probing_window_ms, PROBING, |f| f.account != 0),
        Window {
            severity: Severity::Low,
            ..window(config.burst_failures, config.burst_window_ms, allowance, |f| f.is_login)
        },
        Window {
            severity: Severity::Low,
            ..window(config.steady_failures, config.steady_window_ms, allowance, |f| {
                f.is_login && f.account != 0
            })
        },
    ];
    let met = windows.into_iter().find(|window| window.is_full(failures, now, config.address_accounts));
    met.map(|window| (window.threshold, window.window_ms, window.severity))
        .or_else(|| many_at_once(failures, now, config))
}

/// Logins of several accounts that fail within seconds.
fn many_at_once(
    failures: &[&Arc<Attempt>],
    now: EventTime,
    config: &FailedAuthenticationConfig,
) -> Option<(u32, i64, Severity)> {
    let window_ms = config.burst_accounts_window_ms;
    let recent = failures.iter().filter(|f| now - f.time < window_ms && f.is_login && f.account != 0);
    let accounts: BTreeSet<u64> = recent.map(|f| f.account).collect();
    let threshold = u32::try_from(config.burst_accounts).unwrap_or(u32::MAX);
    (accounts.len() >= config.burst_accounts).then_some((threshold, window_ms, Severity::Low))
}

impl Window {
    fn is_full(&self, failures: &[&Arc<Attempt>], now: EventTime, accounts_min: usize) -> bool {
        let mut by_account: HashMap<u64, u32> = HashMap::new();
        let (mut beyond, mut nameless) = (0, false);
        for f in failures.iter().filter(|f| now - f.time < self.window_ms && (self.counts)(f)) {
            let known = by_account.entry(f.account).or_default();
            if f.no_such_account || f.account == 0 {
                nameless |= f.account == 0;
                beyond += u64::from(f.weight);
            } else {
                let before = known.saturating_sub(self.allowance);
                *known = known.saturating_add(f.weight);
                beyond += u64::from(known.saturating_sub(self.allowance) - before);
            }
        }
        beyond >= u64::from(self.threshold) && (nameless || by_account.len() >= accounts_min)
    }
}

/// Several API keys that do not exist.
pub(super) fn key_guess(
    failures: &[&Arc<Attempt>],
    now: EventTime,
    config: &FailedAuthenticationConfig,
) -> Option<(u32, i64, Severity)> {
    let recent = failures.iter().filter(|f| now - f.time < config.key_guess_window_ms);
    let keys: BTreeSet<u64> = recent.map(|f| f.account).collect();
    let threshold = config.key_guess_keys;
    (keys.len() >= threshold as usize).then_some((threshold, config.key_guess_window_ms, Severity::High))
}

/// Many tokens that do not look like one.
pub(super) fn malformed(
    failures: &[&Arc<Attempt>],
    now: EventTime,
    config: &FailedAuthenticationConfig,
) -> Option<(u32, i64, Severity)> {
    let recent = failures.iter().filter(|f| now - f.time < config.malformed_window_ms);
    let tokens: u64 = recent.map(|f| u64::from(f.weight)).sum();
    let ladder = [(config.malformed_many, Severity::Medium), (config.malformed_tokens, Severity::Low)];
    let met = ladder.into_iter().find(|(threshold, _)| tokens >= u64::from(*threshold));
    met.map(|(threshold, severity)| (threshold, config.malformed_window_ms, severity))
}

/// Whether the failures of the window are spread over accounts as no user's own typos are.
pub(super) fn is_spraying(tried: &[&Tried], config: &FailedAuthenticationConfig) -> bool {
    let mut by_account: HashMap<u64, (u64, bool)> = HashMap::new();
    for t in tried.iter().filter(|t| t.attempt.account != 0) {
        let (failures, mended) = by_account.entry(t.attempt.account).or_default();
        *failures += u64::from(t.attempt.weight);
        *mended |= t.mended;
    }
    let accounts = by_account.len();
    let unmended: Vec<u64> = by_account.values().filter(|(_, mended)| !mended).map(|(n, _)| *n).collect();
    let failures: u64 = unmended.iter().sum();
    let few = unmended.iter().filter(|n| (1..=6).contains(*n)).count();
    let most = unmended.iter().copied().max().unwrap_or_default();
    unmended.len() >= config.spray_accounts
        && failures >= u64::from(config.spray_failures)
        && unmended.len() * 10 >= accounts * 6
        && few * 10 >= unmended.len() * 6
        && most * 2 <= failures
}
