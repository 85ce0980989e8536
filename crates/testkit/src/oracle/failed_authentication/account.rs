//! The attempts on one account: brute force, fast, slow or from many places, and what follows it.

use std::collections::BTreeSet;

use event::Severity;

use super::episodes::{Met, episodes};
use super::{
    Attempt, BURST_FAILURES, BURST_WINDOW_MS, GAP_MS, HOUR_MS, Key, MINUTE_MS, Rule, STEADY_FAILURES,
    SUCCESS_FAILURES, SUCCESS_WINDOW_MS, SUSTAINED_WINDOW_MS, just_before, success_episodes, weight, window,
};
use crate::oracle::Verdict;

const SLOW_WINDOW_MS: i64 = 6 * HOUR_MS;
const DISTRIBUTED_WINDOW_MS: i64 = 30 * MINUTE_MS;

/// The verdicts on one account.
pub(super) fn verdicts(key: &Key<'_>, attempts: &[Attempt<'_>]) -> Vec<Verdict> {
    let (successes, failures): (Vec<_>, Vec<_>) = attempts.iter().partition(|attempt| attempt.succeeded);
    let mut verdicts = Vec::new();
    for net in failures.iter().map(|f| f.net).collect::<BTreeSet<_>>() {
        let of_net: Vec<_> = failures.iter().copied().filter(|f| f.net == net).collect();
        let from = if net.is_empty() { String::new() } else { format!(" from {net}") };
        let rule = Rule { family: "auth.bruteforce.fast", from: &from, part: "" };
        verdicts.extend(key.verdicts(&rule, &episodes(&of_net, GAP_MS, |_| true, fast)));
    }
    let rule = |family| Rule { family, from: "", part: "" };
    let distributed = episodes(&failures, GAP_MS, |_| true, distributed);
    verdicts.extend(key.verdicts(&rule("auth.bruteforce.distributed"), &distributed));
    // Who gets in again and again is no guesser.
    let is_a_guess = |f: &Attempt<'_>| just_before(&successes, f.time, SLOW_WINDOW_MS - 1).len() < 2;
    let slow = episodes(&failures, SLOW_WINDOW_MS, is_a_guess, slow);
    verdicts.extend(key.verdicts(&rule("auth.bruteforce.slow"), &slow));
    let suspicious = successes.iter().filter_map(|s| Some((*s, suspicion(s, &failures, &successes)?)));
    let success = success_episodes(&failures, suspicious);
    verdicts.extend(key.verdicts(&rule("auth.success_after_failures"), &success));
    verdicts
}

/// Ten failures from one network within a minute, or twenty within ten; or a burst of logins.
fn fast(failures: &[&Attempt<'_>]) -> Option<Met> {
    let is_fast =
        weight(&window(failures, MINUTE_MS)) >= 10 || weight(&window(failures, SUSTAINED_WINDOW_MS)) >= 20;
    let logins = |window_ms| {
        let mut recent = window(failures, window_ms);
        recent.retain(|f| f.is_login);
        weight(&recent)
    };
    let is_burst =
        logins(BURST_WINDOW_MS) >= BURST_FAILURES || logins(SUSTAINED_WINDOW_MS) >= STEADY_FAILURES;
    let severity = match (is_fast, is_burst) {
        (true, _) => Severity::Medium,
        (false, true) => Severity::Low,
        _ => return None,
    };
    Some(Met { severity, shown_ms: SUSTAINED_WINDOW_MS })
}

/// Ten failures within half an hour, from five networks and three browsers or from ten networks.
fn distributed(failures: &[&Attempt<'_>]) -> Option<Met> {
    let recent = window(failures, DISTRIBUTED_WINDOW_MS);
    let networks = recent.iter().map(|f| f.net).collect::<BTreeSet<_>>().len();
    let browsers = recent.iter().filter_map(|f| f.browser).collect::<BTreeSet<_>>().len();
    let severity = match (networks, browsers) {
        (5.., 3..) => Severity::High,
        (10.., _) => Severity::Medium,
        _ => return None,
    };
    (weight(&recent) >= 10).then_some(Met { severity, shown_ms: DISTRIBUTED_WINDOW_MS })
}

/// Twelve failures within six hours, of which the median distance is five minutes or more.
fn slow(failures: &[&Attempt<'_>]) -> Option<Met> {
    let recent = window(failures, SLOW_WINDOW_MS);
    let mut gaps: Vec<_> = recent.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    gaps.sort();
    let is_slow = gaps.get(gaps.len() / 2).is_some_and(|median| *median >= 5 * MINUTE_MS);
    let networks = recent.iter().map(|f| f.net).collect::<BTreeSet<_>>().len();
    let severity = if networks >= 3 { Severity::Medium } else { Severity::Low };
    (is_slow && weight(&recent) >= 12).then_some(Met { severity, shown_ms: SLOW_WINDOW_MS })
}

/// A success soon after five failures or more: critical from where they came, unless the account
/// had logged in from there an hour before they began. For the record where all were from there, and
/// fewer than ten.
fn suspicion(
    success: &Attempt<'_>,
    failures: &[&Attempt<'_>],
    successes: &[&Attempt<'_>],
) -> Option<Severity> {
    let before = just_before(failures, success.time, SUCCESS_WINDOW_MS);
    if weight(&before) < SUCCESS_FAILURES {
        return None;
    }
    let began = before.first()?.time;
    let is_attacker = before.iter().any(|f| f.net == success.net);
    let is_usual = successes.iter().any(|s| s.net == success.net && began - s.time >= HOUR_MS);
    let is_own = is_usual && before.iter().all(|f| f.net == success.net);
    Some(match (is_attacker, is_usual) {
        (true, false) => Severity::Critical,
        _ if is_own && weight(&before) < 10 => Severity::Info,
        _ => Severity::Low,
    })
}
