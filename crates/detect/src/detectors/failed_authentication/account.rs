//! All attempts on one account: brute force, fast, slow or from many places, and the success
//! that follows it.

use std::collections::VecDeque;
use std::sync::Arc;

use event::{EventTime, Severity};
use serde::{Deserialize, Serialize};

use super::FailedAuthenticationConfig;
use super::attempt::{Attempt, RECENT_MS, account_kind};
use super::describe::Entity;
use super::timeline::{Fold, trim};
use super::watch::{Class, Hit, Watch, find, watch};
use crate::keyed::Key;
use crate::stable;

const FAILURES_MAX: usize = 256;
const USUAL_MAX: usize = 8;
/// A network is usual for an account that logged in from it so long before the trouble began,
/// and not longer ago than it is remembered.
const USUAL_AFTER_MS: i64 = 3_600_000;
const USUAL_FOR_MS: i64 = 7 * 86_400_000;

/// Threshold, window and severity, if the newest failures meet a rule.
type Rule = fn(&[&Arc<Attempt>], &FailedAuthenticationConfig) -> Option<(u32, i64, Severity)>;

/// What the attempts on an account amount to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Account {
    failures: VecDeque<Arc<Attempt>>,
    successes: VecDeque<EventTime>,
    usual: Vec<Usual>,
    watches: Vec<Watch>,
}

/// A network that the account logged in from.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Usual {
    net: u64,
    first: EventTime,
    last: EventTime,
}

impl Account {
    fn fail(&mut self, attempt: &Arc<Attempt>, config: &FailedAuthenticationConfig, phase: u64) {
        self.failures.push_back(Arc::clone(attempt));
        trim(&mut self.failures, FAILURES_MAX, |f| attempt.time - f.time > RECENT_MS);
        for watch in &mut self.watches {
            watch.close_if_over(attempt.time);
        }
        self.look_for(Class::Fast, &attempt.net, attempt, config, phase, fast);
        self.look_for(Class::Distributed, "", attempt, config, phase, distributed);
        let mut recent = self.successes.iter().filter(|at| attempt.time - **at < config.slow_window_ms);
        if recent.nth(1).is_none() {
            self.look_for(Class::Slow, "", attempt, config, phase, slow);
        }
    }

    /// Adds a failure to the open episode of a class, or opens one if the rule is met.
    fn look_for(
        &mut self,
        class: Class,
        part: &str,
        attempt: &Arc<Attempt>,
        config: &FailedAuthenticationConfig,
        phase: u64,
        rule: Rule,
    ) {
        let is_open = find(&mut self.watches, class, part).is_some_and(|watch| watch.extend(attempt));
        let known = self.watches.iter().find(|w| w.class == class && *w.part == *part);
        let fresh = |f: &&Arc<Attempt>| known.is_none_or(|watch| watch.is_fresh(f)) && class.is_of(part, f);
        let candidates: Vec<_> = self.failures.iter().filter(fresh).collect();
        let Some((threshold, window_ms, severity)) = rule(&candidates, config) else { return };
        let certain_at = EventTime::MIN;
        if is_open {
            let open = find(&mut self.watches, class, part).and_then(|watch| watch.open.as_mut());
            open.expect("it was just extended").raise(severity, certain_at);
            return;
        }
        let members = within(&candidates, window_ms.max(least_window(class, config)));
        let members = members.into_iter().map(Arc::clone).collect();
        let hit = Hit { class, severity, threshold, window_ms, certain_at, members };
        let gap_ms = if class == Class::Slow { config.slow_window_ms } else { config.episode_gap_ms };
        watch(&mut self.watches, class, part).open(hit, attempt, phase, gap_ms);
    }

    /// A success soon after many failures. It looks at what led up to it and at nothing later.
    fn succeed(&mut self, attempt: &Arc<Attempt>, config: &FailedAuthenticationConfig, phase: u64) {
        let recent = |f: &&Arc<Attempt>| attempt.time - f.time <= config.success_window_ms;
        let before: Vec<_> = self.failures.iter().filter(recent).collect();
        if total(&before) >= u64::from(config.success_failures) {
            let severity = self.severity(attempt, &before, config);
            // An earlier success might still show that the place is one of the account's.
            let began = before.first().map_or(attempt.time, |f| f.time);
            let certain_at =
                if severity == Severity::Critical { began - USUAL_AFTER_MS } else { EventTime::MIN };
            let mut members: Vec<_> = before.into_iter().map(Arc::clone).collect();
            let watch = watch(&mut self.watches, Class::Success, "");
            watch.close_if_over(attempt.time);
            if watch.extend(attempt) {
                watch.open.as_mut().expect("it was just extended").raise(severity, certain_at);
            } else {
                members.push(Arc::clone(attempt));
                let threshold = config.success_failures;
                let window_ms = config.success_window_ms;
                let hit = Hit { class: Class::Success, severity, threshold, window_ms, certain_at, members };
                watch.open(hit, attempt, phase, config.episode_gap_ms);
            }
        }
        self.successes.push_back(attempt.time);
        trim(&mut self.successes, 4, |at| attempt.time - *at > RECENT_MS);
        self.note_usual(attempt);
    }

    /// Critical if it came from where the failures came and that is no place of the account's. Where all
    /// of it was at such a place, and no more often than people try, somebody had forgotten a password.
    fn severity(
        &self,
        attempt: &Attempt,
        before: &[&Arc<Attempt>],
        config: &FailedAuthenticationConfig,
    ) -> Severity {
        let from_there = before.iter().filter(|f| f.net == attempt.net).count();
        let began = before.first().map_or(attempt.time, |f| f.time);
        let net = stable::hash(&[&attempt.net]);
        let usual = self.usual.iter().any(|u| u.net == net && began - u.first >= USUAL_AFTER_MS);
        let few = total(before) < u64::from(config.fast_failures);
        match (from_there, usual) {
            (1.., false) => Severity::Critical,
            (all, true) if all == before.len() && few => Severity::Info,
            _ => Severity::Low,
        }
    }

    fn note_usual(&mut self, attempt: &Attempt) {
        let net = stable::hash(&[&attempt.net]);
        self.usual.retain(|u| attempt.time - u.last < USUAL_FOR_MS);
        match self.usual.iter_mut().find(|u| u.net == net) {
            Some(usual) => usual.last = attempt.time,
            None => {
                if self.usual.len() == USUAL_MAX {
                    let coldest = (0..USUAL_MAX).min_by_key(|&n| (self.usual[n].last, self.usual[n].net));
                    self.usual.swap_remove(coldest.expect("there are eight"));
                }
                self.usual.push(Usual { net, first: attempt.time, last: attempt.time });
            }
        }
    }
}

impl Fold for Account {
    fn entity(key: &Key) -> Entity<'_> {
        let (kind, name) = account_kind(&key.name);
        Entity { kind, name }
    }

    fn step(&mut self, attempt: &Arc<Attempt>, config: &FailedAuthenticationConfig, phase: u64) {
        if attempt.succeeded {
            self.succeed(attempt, config, phase);
        } else {
            self.fail(attempt, config, phase);
        }
    }

    fn expire(&mut self, up_to: EventTime, _: &FailedAuthenticationConfig, _: u64) {
        for watch in &mut self.watches {
            watch.close_if_over(up_to);
        }
        trim(&mut self.failures, FAILURES_MAX, |f| up_to - f.time > RECENT_MS);
        self.watches.retain(|watch| watch.is_needed(up_to));
    }

    fn watches(&self) -> &[Watch] {
        &self.watches
    }

    fn watches_mut(&mut self) -> &mut Vec<Watch> {
        &mut self.watches
    }

    fn is_suspicious(&self, unsettled: &[Arc<Attempt>], config: &FailedAuthenticationConfig) -> bool {
        let least =
            [config.success_failures, config.fast_failures, config.sustained_failures, config.slow_failures];
        let least = least.into_iter().min().unwrap_or(1).min(config.burst_failures);
        let least = u64::from(least.min(config.distributed_failures));
        let failed = |attempts: &mut dyn Iterator<Item = &Arc<Attempt>>| -> u64 {
            attempts.filter(|a| !a.succeeded).map(|a| u64::from(a.weight)).sum()
        };
        failed(&mut self.failures.iter()) + failed(&mut unsettled.iter()) >= least
    }

    fn due(&self, _: &FailedAuthenticationConfig) -> Option<EventTime> {
        let open = self.watches.iter().filter_map(|watch| watch.open.as_ref());
        open.map(|episode| episode.last() + episode.gap_ms).min()
    }

    fn needed_until(&self) -> EventTime {
        let watches = self.watches.iter().map(Watch::needed_until);
        let usual = self.usual.iter().map(|usual| usual.last + USUAL_FOR_MS);
        watches.chain(usual).max().unwrap_or(EventTime::MIN)
    }
}

/// The whole of what counts as brute force is shown, whichever of its two windows was full first.
fn least_window(class: Class, config: &FailedAuthenticationConfig) -> i64 {
    if class == Class::Fast { config.sustained_window_ms } else { 0 }
}

/// The failures that lie in the window that ends with the last of them.
fn within<'a>(failures: &[&'a Arc<Attempt>], window_ms: i64) -> Vec<&'a Arc<Attempt>> {
    let Some(last) = failures.last() else { return Vec::new() };
    failures.iter().filter(|f| last.time - f.time < window_ms).copied().collect()
}

fn total(failures: &[&Arc<Attempt>]) -> u64 {
    failures.iter().map(|f| u64::from(f.weight)).sum()
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> usize {
    let mut values: Vec<T> = values.collect();
    values.sort();
    values.dedup();
    values.len()
}

fn fast(failures: &[&Arc<Attempt>], config: &FailedAuthenticationConfig) -> Option<(u32, i64, Severity)> {
    let rules = [
        (config.fast_failures, config.fast_window_ms),
        (config.sustained_failures, config.sustained_window_ms),
    ];
    let met =
        |(threshold, window_ms): &(u32, i64)| total(&within(failures, *window_ms)) >= u64::from(*threshold);
    let medium = rules.into_iter().find(met);
    let medium = medium.map(|(threshold, window_ms)| (threshold, window_ms, Severity::Medium));
    medium.or_else(|| burst(failures, config))
}

/// Logins that fail about as often as it takes for an account to be locked elsewhere, or more slowly and
/// for longer.
fn burst(failures: &[&Arc<Attempt>], config: &FailedAuthenticationConfig) -> Option<(u32, i64, Severity)> {
    let rules =
        [(config.burst_failures, config.burst_window_ms), (config.steady_failures, config.steady_window_ms)];
    let met = |(threshold, window_ms): &(u32, i64)| {
        let recent = within(failures, *window_ms);
        let logins: Vec<_> = recent.into_iter().filter(|f| f.is_login).collect();
        total(&logins) >= u64::from(*threshold)
    };
    rules.into_iter().find(met).map(|(threshold, window_ms)| (threshold, window_ms, Severity::Low))
}

fn distributed(
    failures: &[&Arc<Attempt>],
    config: &FailedAuthenticationConfig,
) -> Option<(u32, i64, Severity)> {
    let members = within(failures, config.distributed_window_ms);
    let nets = distinct(members.iter().map(|f| &f.net));
    if total(&members) < u64::from(config.distributed_failures) || nets < config.distributed_networks {
        return None;
    }
    let browsers = distinct(members.iter().filter_map(|f| f.browser));
    let severity = match browsers {
        3.. => Severity::High,
        // With one browser, or none that is known, twice the networks must speak for it.
        _ if nets >= 2 * config.distributed_networks => Severity::Medium,
        _ => return None,
    };
    Some((config.distributed_failures, config.distributed_window_ms, severity))
}

fn slow(failures: &[&Arc<Attempt>], config: &FailedAuthenticationConfig) -> Option<(u32, i64, Severity)> {
    let members = within(failures, config.slow_window_ms);
    if total(&members) < u64::from(config.slow_failures) || members.len() < 2 {
        return None;
    }
    let mut gaps: Vec<i64> = members.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    gaps.sort_unstable();
    if gaps[gaps.len() / 2] < config.slow_median_gap_ms {
        return None;
    }
    let nets = distinct(members.iter().map(|f| &f.net));
    let severity = if nets >= 3 { Severity::Medium } else { Severity::Low };
    Some((config.slow_failures, config.slow_window_ms, severity))
}
