//! The attempts from one address: brute force over several accounts, guessed keys, what is no
//! token, spraying, and who gets in meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use event::{EventTime, Severity};

use super::episodes::{Episode, Met, episodes};
use super::{
    Attempt, BURST_FAILURES, BURST_WINDOW_MS, GAP_MS, HOUR_MS, Key, MINUTE_MS, Rule, STEADY_FAILURES,
    SUCCESS_FAILURES, SUCCESS_WINDOW_MS, SUSTAINED_WINDOW_MS, just_before, success_episodes, weight, window,
};
use crate::oracle::Verdict;

const PROBING_WINDOW_MS: i64 = 6 * HOUR_MS;
/// Failures of an account that exists up to which its owner may have mistyped.
const ALLOWANCE: u64 = 2;
const SPRAY_WINDOW_MS: i64 = 15 * MINUTE_MS;
/// Logins of so many accounts that fail ...
const AT_ONCE_ACCOUNTS: usize = 6;
/// ... within so long are no chance.
const AT_ONCE_MS: i64 = 20_000;
/// A failure that its own user mends within this time was a typo.
const TYPO_MS: i64 = 5 * MINUTE_MS;

/// The verdicts on one address.
pub(super) fn verdicts(key: &Key<'_>, attempts: &[Attempt<'_>]) -> Vec<Verdict> {
    let log = Log::of(attempts);
    let failures = |counts: fn(&Attempt<'_>) -> bool| -> Vec<&Attempt<'_>> {
        log.failures.iter().copied().filter(|f| counts(f)).collect()
    };
    let brute = episodes(&failures(|f| !f.is_malformed), GAP_MS, |_| true, brute_force);
    let guessed = episodes(&failures(|f| f.is_unknown && f.is_api_key), GAP_MS, |_| true, key_guess);
    let malformed = episodes(&failures(|f| f.is_malformed), GAP_MS, |_| true, malformed);
    let sprays = log.sprays();
    let (after_brute, others): (Vec<_>, Vec<_>) =
        log.successes.iter().copied().partition(|s| log.is_hit_of_brute_force(s, &brute));
    let after_spray = others.into_iter().filter(|s| log.is_hit_of_spraying(s, &sprays));

    let critical = |success| (success, Severity::Critical);
    let after_brute = success_episodes(&log.failures, after_brute.into_iter().map(critical));
    let after_spray = success_episodes(&log.failures, after_spray.map(critical));
    let told = [
        ("auth.bruteforce.address", "", brute),
        ("auth.key_guess", "", guessed),
        ("token.malformed", "", malformed),
        ("auth.spray", "", sprays),
        ("auth.success_after_failures", "", after_brute),
        ("auth.success_after_failures", ".spray", after_spray),
    ];
    told.iter()
        .flat_map(|(family, part, of_rule)| key.verdicts(&Rule { family, from: "", part }, of_rule))
        .collect()
}

/// What no typo explains: ten failures within a minute, twenty within ten, or over six hours thirty
/// of accounts that do not exist; or a burst of logins. Failures of one account alone are that account's affair.
fn brute_force(failures: &[&Attempt<'_>]) -> Option<Met> {
    let fast = |window_ms| window(failures, window_ms);
    let named = |f: &&Attempt<'_>| f.account.is_some();
    let probing: Vec<_> = window(failures, PROBING_WINDOW_MS).into_iter().filter(named).collect();
    let mut burst = window(failures, BURST_WINDOW_MS);
    burst.retain(|f| f.is_login);
    let met = |shown_ms| Some(Met { severity: Severity::Medium, shown_ms });
    if is_over(&fast(MINUTE_MS), ALLOWANCE, 10) || is_over(&fast(SUSTAINED_WINDOW_MS), ALLOWANCE, 20) {
        return met(SUSTAINED_WINDOW_MS);
    }
    if is_over(&probing, u64::MAX, 30) {
        return met(PROBING_WINDOW_MS);
    }
    let at_once: BTreeSet<_> = window(failures, AT_ONCE_MS)
        .into_iter()
        .filter(|f| f.is_login)
        .filter_map(|f| f.account.as_deref())
        .collect();
    let is_at_once = at_once.len() >= AT_ONCE_ACCOUNTS;
    let mut steady = window(failures, SUSTAINED_WINDOW_MS);
    steady.retain(|f| f.is_login && f.account.is_some());
    let is_burst = is_over(&burst, ALLOWANCE, BURST_FAILURES)
        || is_over(&steady, ALLOWANCE, STEADY_FAILURES)
        || is_at_once;
    is_burst.then_some(Met { severity: Severity::Low, shown_ms: SUSTAINED_WINDOW_MS })
}

/// Whether so many failures are left when each account that exists has been forgiven its typos.
fn is_over(failures: &[&Attempt<'_>], allowance: u64, threshold: u64) -> bool {
    let accounts: BTreeSet<_> = failures.iter().map(|f| &f.account).collect();
    let is_hard = |f: &&&Attempt<'_>| f.is_unknown || f.account.is_none();
    let hard: u64 = failures.iter().filter(is_hard).map(|f| f.weight).sum();
    let soft = accounts.iter().map(|account| {
        let of_account = failures.iter().filter(|f| !is_hard(f) && f.account == **account);
        of_account.map(|f| f.weight).sum::<u64>().saturating_sub(allowance)
    });
    hard + soft.sum::<u64>() >= threshold && (accounts.contains(&None) || accounts.len() >= 2)
}

/// Five API keys that do not exist within five minutes.
fn key_guess(failures: &[&Attempt<'_>]) -> Option<Met> {
    let keys: BTreeSet<_> = window(failures, 5 * MINUTE_MS).iter().map(|f| &f.account).collect();
    (keys.len() >= 5).then_some(Met { severity: Severity::High, shown_ms: SUSTAINED_WINDOW_MS })
}

/// Twenty tokens within five minutes that do not look like one; two hundred are worse.
fn malformed(failures: &[&Attempt<'_>]) -> Option<Met> {
    let severity = match weight(&window(failures, 5 * MINUTE_MS)) {
        200.. => Severity::Medium,
        20.. => Severity::Low,
        _ => return None,
    };
    Some(Met { severity, shown_ms: SUSTAINED_WINDOW_MS })
}

/// The attempts from the address, in order.
struct Log<'a, 'o> {
    failures: Vec<&'a Attempt<'o>>,
    successes: Vec<&'a Attempt<'o>>,
}

impl<'a, 'o> Log<'a, 'o> {
    fn of(attempts: &'a [Attempt<'o>]) -> Self {
        let (successes, failures) = attempts.iter().partition(|attempt| attempt.succeeded);
        Self { failures, successes }
    }

    /// Whether the account got in from here before.
    fn knew(&self, account: &Option<String>, before: EventTime) -> bool {
        self.successes.iter().any(|s| s.account == *account && s.time < before)
    }

    /// The account alone failed often enough just before, so that its own rule speaks.
    fn is_the_accounts(&self, success: &Attempt<'_>) -> bool {
        let before = just_before(&self.failures, success.time, SUCCESS_WINDOW_MS);
        let own: Vec<_> = before.into_iter().filter(|f| f.account == success.account).collect();
        weight(&own) >= SUCCESS_FAILURES
    }

    /// A success soon after brute force that had tried its account.
    fn is_hit_of_brute_force(&self, success: &Attempt<'_>, brute: &[Episode<'_, '_>]) -> bool {
        let begun = brute.iter().rfind(|attack| attack.start <= success.time);
        let known = begun.map(|attack| attack.until(success.time));
        let is_after = |attack: Episode<'_, '_>| {
            success.time - attack.last() <= SUCCESS_WINDOW_MS
                && attack.tried().contains(&success.account.as_deref())
        };
        known.is_some_and(is_after) && !self.is_the_accounts(success)
    }

    /// Failures spread over accounts as no users' own typos are.
    fn sprays(&self) -> Vec<Episode<'a, 'o>> {
        let mut sprays: Vec<Episode<'a, 'o>> = Vec::new();
        let mut unused: Vec<Tried<'a, 'o>> = Vec::new();
        let is_tried = |f: &Attempt<'_>| !(f.is_malformed || f.is_unknown && f.is_api_key);
        for failure in self.failures.iter().copied().filter(|f| is_tried(f)) {
            let attack = sprays.last_mut().filter(|attack| failure.time - attack.last() < GAP_MS);
            let mended = self.is_mended(failure, attack.as_ref().map(|attack| attack.first()));
            match attack {
                Some(attack) if !mended => {
                    attack.members.push(failure);
                    unused.clear();
                }
                attack => {
                    unused.push(Tried { failure, mended });
                    unused.retain(|tried| failure.time - tried.failure.time <= SPRAY_WINDOW_MS);
                    if attack.is_none() && !mended && is_spraying(&unused) {
                        let members = unused.drain(..).filter(|tried| !tried.mended);
                        sprays.push(Episode {
                            start: failure.time,
                            severity: Severity::High,
                            members: members.map(|tried| tried.failure).collect(),
                        });
                    }
                }
            }
        }
        sprays
    }

    /// Whether its user got in soon after. While an attack is on, who never got in before it is no
    /// forgetful owner.
    fn is_mended(&self, failure: &Attempt<'_>, attacked_since: Option<EventTime>) -> bool {
        let mends = |s: &&Attempt<'_>| {
            s.account == failure.account && (0..=TYPO_MS).contains(&(s.time - failure.time))
        };
        failure.account.is_some()
            && self.successes.iter().any(mends)
            && attacked_since.is_none_or(|began| self.knew(&failure.account, began))
    }

    /// A success during the spraying or soon after: of an account that it tried, or of one that
    /// never got in before it.
    fn is_hit_of_spraying(&self, success: &Attempt<'_>, sprays: &[Episode<'_, '_>]) -> bool {
        let Some(attack) = attack_at(success.time, sprays) else { return false };
        let is_during = success.time >= attack.first() && success.time - attack.last() <= SUCCESS_WINDOW_MS;
        let is_tried = attack.tried().contains(&success.account.as_deref());
        is_during
            && success.account.is_some()
            && (is_tried || !self.knew(&success.account, attack.first()))
            && !self.is_the_accounts(success)
    }
}

/// The spraying that a success is held against, as it was then: the one that was on, or else the
/// next, whose first tries may lie before the success.
fn attack_at<'a, 'o>(time: EventTime, sprays: &[Episode<'a, 'o>]) -> Option<Episode<'a, 'o>> {
    let begun = sprays.iter().rfind(|attack| attack.start <= time).map(|attack| attack.until(time));
    let is_on = begun.filter(|attack| time - attack.last() < GAP_MS);
    let next = || sprays.iter().find(|attack| attack.start > time);
    is_on.or_else(|| next().map(|attack| attack.until(attack.start)))
}

/// A failure, and whether its user got in after all.
struct Tried<'a, 'o> {
    failure: &'a Attempt<'o>,
    mended: bool,
}

/// Eight accounts and fifteen failures that nobody mended; they are most of the accounts that were
/// tried, most of them failed a few times, and none has more than half of the failures.
fn is_spraying(tried: &[Tried<'_, '_>]) -> bool {
    let mut accounts: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for Tried { failure, mended } in tried {
        let Some(account) = failure.account.as_deref() else { continue };
        let (failures, is_mended) = accounts.entry(account).or_default();
        *failures += failure.weight;
        *is_mended |= mended;
    }
    let unmended: Vec<u64> = accounts.values().filter(|(_, mended)| !mended).map(|(n, _)| *n).collect();
    let few = unmended.iter().filter(|failures| **failures <= 6).count();
    let (all, most) = (unmended.iter().sum::<u64>(), unmended.iter().max().copied().unwrap_or_default());
    unmended.len() >= 8
        && all >= 15
        && unmended.len() * 10 >= accounts.len() * 6
        && few * 10 >= unmended.len() * 6
        && most * 2 <= all
}
