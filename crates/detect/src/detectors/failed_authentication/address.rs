//! All attempts from one address: brute force over several accounts, spraying, stuffing, and the
//! success that follows.
//!
//! A company behind one address mistypes too. So two views: the first counts only what no typo
//! explains (accounts that do not exist, and an account's failures beyond its allowance) and
//! speaks at once; the second waits until the users had time to log in after all, and counts
//! those who did not. Where the second finds an attack, who gets in and never did from here before
//! is a hit, also at the first try.

mod rules;

use std::collections::VecDeque;
use std::sync::Arc;

use event::{EventTime, Severity};
use serde::{Deserialize, Serialize};

use rules::{Rule, hard, is_spraying, key_guess, malformed};

use super::FailedAuthenticationConfig;
use super::at_home::AtHome;
use super::attempt::{Attempt, RECENT_MS};
use super::describe::Entity;
use super::timeline::{Fold, trim};
use super::watch::{Class, Hit, Watch, find, watch};
use crate::keyed::Key;

const FAILURES_MAX: usize = 512;
/// More attempts than this do not wait: the oldest is judged by what is known.
const WAITING_MAX: usize = 4_096;
const PASSED_MAX: usize = 256;
/// Tells the success after spraying from the success after brute force.
const AFTER_SPRAY: &str = "spray";

/// The rules that speak at once.
const RULES: [(Class, Rule); 3] =
    [(Class::Address, hard), (Class::KeyGuess, key_guess), (Class::Malformed, malformed)];

/// What the attempts from an address amount to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Address {
    failures: VecDeque<Arc<Attempt>>,
    waiting: VecDeque<Waiting>,
    unmended: VecDeque<Tried>,
    /// Successes that nobody had reason to look at yet.
    passed: VecDeque<Arc<Attempt>>,
    /// Accounts that got in from here.
    at_home: AtHome,
    watches: Vec<Watch>,
}

/// An attempt that waits until it is known whether the user got in after all.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    attempt: Arc<Attempt>,
    told: bool,
}

/// A failure after the wait.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tried {
    attempt: Arc<Attempt>,
    mended: bool,
}

impl Address {
    fn fail(&mut self, attempt: &Arc<Attempt>, config: &FailedAuthenticationConfig, phase: u64) {
        self.failures.push_back(Arc::clone(attempt));
        trim(&mut self.failures, FAILURES_MAX, |f| attempt.time - f.time > RECENT_MS);
        for (class, rule) in RULES {
            self.look_for(class, rule, attempt, config, phase);
        }
    }

    /// Adds a failure to the open episode of a class, or opens one if the rule is met.
    fn look_for(
        &mut self,
        class: Class,
        rule: Rule,
        attempt: &Arc<Attempt>,
        config: &FailedAuthenticationConfig,
        phase: u64,
    ) {
        if !class.takes(attempt) {
            return;
        }
        let mut is_open = false;
        if let Some(watch) = find(&mut self.watches, class, "") {
            watch.close_if_over(attempt.time);
            is_open = watch.extend(attempt);
        }
        if is_open && !class.rises() {
            return;
        }
        let known = self.watches.iter().find(|watch| watch.class == class);
        let is_candidate = |f: &&Arc<Attempt>| class.takes(f) && known.is_none_or(|watch| watch.is_fresh(f));
        let fresh: Vec<_> = self.failures.iter().filter(is_candidate).collect();
        let Some((threshold, window_ms, severity)) = rule(&fresh, attempt.time, config) else { return };
        let certain_at = EventTime::MIN;
        if is_open {
            let open = find(&mut self.watches, class, "").and_then(|watch| watch.open.as_mut());
            open.expect("it was just extended").raise(severity, certain_at);
            return;
        }
        let shown_ms = window_ms.max(config.sustained_window_ms);
        let members =
            fresh.into_iter().filter(|f| attempt.time - f.time < shown_ms).map(Arc::clone).collect();
        let hit = Hit { class, severity, threshold, window_ms, certain_at, members };
        watch(&mut self.watches, class, "").open(hit, attempt, phase, config.episode_gap_ms);
    }

    /// A success for an account that the brute force had tried. If the account itself failed
    /// often enough its own rule speaks, and this one is silent.
    fn succeed(&mut self, attempt: &Arc<Attempt>, config: &FailedAuthenticationConfig, phase: u64) -> bool {
        let Some(attack) = find(&mut self.watches, Class::Address, "") else { return false };
        attack.close_if_over(attempt.time);
        let is_after = attack.open.as_ref().is_some_and(|open| {
            attempt.time - open.last() <= config.success_window_ms && open.has_tried(attempt.account)
        });
        if !is_after || self.is_the_accounts(attempt, config) {
            return false;
        }
        self.open_success("", attempt, config, phase);
        true
    }

    fn is_the_accounts(&self, attempt: &Attempt, config: &FailedAuthenticationConfig) -> bool {
        let own = |f: &&Arc<Attempt>| {
            f.account == attempt.account
                && f.time <= attempt.time
                && attempt.time - f.time <= config.success_window_ms
        };
        let failed: u32 = self.failures.iter().filter(own).map(|f| f.weight).sum();
        failed >= config.success_failures
    }

    fn open_success(
        &mut self,
        part: &str,
        attempt: &Arc<Attempt>,
        config: &FailedAuthenticationConfig,
        phase: u64,
    ) {
        let leading =
            |f: &&Arc<Attempt>| f.time <= attempt.time && attempt.time - f.time <= config.success_window_ms;
        let mut members: Vec<_> = self.failures.iter().filter(leading).map(Arc::clone).collect();
        members.push(Arc::clone(attempt));
        // A failure that is still to come may make it the account's own affair.
        let certain_at = attempt.time + 1;
        let watch = watch(&mut self.watches, Class::Success, part);
        watch.close_if_over(attempt.time);
        if watch.extend(attempt) {
            let open = watch.open.as_mut().expect("it was just extended");
            open.certain_at = open.certain_at.max(certain_at);
        } else {
            let hit = Hit {
                class: Class::Success,
                severity: Severity::Critical,
                threshold: config.success_failures,
                window_ms: config.success_window_ms,
                certain_at,
                members,
            };
            watch.open(hit, attempt, phase, config.episode_gap_ms);
        }
    }

    /// Judges the attempts whose users had time to get in.
    fn take_up_waiting(&mut self, up_to: EventTime, config: &FailedAuthenticationConfig, phase: u64) {
        while self.waiting.front().is_some_and(|w| up_to - w.attempt.time > config.typo_ms) {
            self.judge_front(config, phase);
        }
    }

    fn judge_front(&mut self, config: &FailedAuthenticationConfig, phase: u64) {
        let Some(Waiting { attempt, told }) = self.waiting.pop_front() else { return };
        if attempt.succeeded {
            if !told {
                self.got_in(&attempt, config, phase);
            }
            return;
        }
        // A key that does not exist has no owner who could get in after all.
        if attempt.is_guessed_key() || attempt.is_malformed() {
            return;
        }
        let mends = |w: &Waiting| {
            w.attempt.succeeded
                && w.attempt.account == attempt.account
                && w.attempt.time - attempt.time <= config.typo_ms
        };
        let got_in = attempt.account != 0 && self.waiting.iter().any(mends);
        // While an attack is on, who gets in and never did before is no forgetful owner.
        let mended = got_in
            && match self.attack_began(attempt.time) {
                Some(began) => self.at_home.knew(attempt.account, began),
                None => true,
            };
        self.spray(Tried { attempt, mended }, config, phase);
    }

    fn spray(&mut self, tried: Tried, config: &FailedAuthenticationConfig, phase: u64) {
        let attempt = Arc::clone(&tried.attempt);
        let mended = tried.mended;
        self.unmended.push_back(tried);
        trim(&mut self.unmended, FAILURES_MAX, |t| attempt.time - t.attempt.time > config.spray_window_ms);
        if mended {
            return;
        }
        if let Some(watch) = find(&mut self.watches, Class::Spray, "") {
            watch.close_if_over(attempt.time);
            if watch.extend(&attempt) {
                return;
            }
        }
        let known = self.watches.iter().find(|watch| watch.class == Class::Spray);
        let fresh: Vec<_> =
            self.unmended.iter().filter(|t| known.is_none_or(|w| w.is_fresh(&t.attempt))).collect();
        if !is_spraying(&fresh, config) {
            return;
        }
        let members = fresh.into_iter().filter(|t| !t.mended).map(|t| Arc::clone(&t.attempt)).collect();
        let hit = Hit {
            class: Class::Spray,
            severity: Severity::High,
            threshold: config.spray_failures,
            window_ms: config.spray_window_ms,
            certain_at: EventTime::MIN,
            members,
        };
        watch(&mut self.watches, Class::Spray, "").open(hit, &attempt, phase, config.episode_gap_ms);
        for passed in std::mem::take(&mut self.passed) {
            self.got_in(&passed, config, phase);
        }
    }

    /// A success while the address sprays, or soon after: of an account that it had tried, or that
    /// never got in from here before. (A list of stolen passwords hits at the first try.)
    fn got_in(&mut self, attempt: &Arc<Attempt>, config: &FailedAuthenticationConfig, phase: u64) {
        let Some(began) = self.attack_began(attempt.time) else {
            self.passed.push_back(Arc::clone(attempt));
            trim(&mut self.passed, PASSED_MAX, |p| attempt.time - p.time > config.spray_window_ms);
            return;
        };
        let attack = self.watches.iter().find(|watch| watch.class == Class::Spray);
        let Some(attack) = attack.and_then(|watch| watch.open.as_ref()) else { return };
        let is_during = attempt.time >= began && attempt.time - attack.last() <= config.success_window_ms;
        let is_hit = attack.has_tried(attempt.account) || !self.at_home.knew(attempt.account, began);
        if is_during && is_hit && attempt.account != 0 && !self.is_the_accounts(attempt, config) {
            self.open_success(AFTER_SPRAY, attempt, config, phase);
        }
    }

    /// When the spraying that is still on at this time began.
    fn attack_began(&mut self, time: EventTime) -> Option<EventTime> {
        let attack = find(&mut self.watches, Class::Spray, "")?;
        attack.close_if_over(time);
        attack.open.as_ref().and_then(|open| open.tally.first_seen())
    }
}

impl Fold for Address {
    fn entity(key: &Key) -> Entity<'_> {
        Entity { kind: "address", name: &key.name }
    }

    fn step(&mut self, attempt: &Arc<Attempt>, config: &FailedAuthenticationConfig, phase: u64) {
        let told = if attempt.succeeded {
            self.at_home.note(attempt);
            self.succeed(attempt, config, phase)
        } else {
            self.fail(attempt, config, phase);
            false
        };
        self.waiting.push_back(Waiting { attempt: Arc::clone(attempt), told });
        if self.waiting.len() > WAITING_MAX {
            self.judge_front(config, phase);
        }
    }

    fn expire(&mut self, up_to: EventTime, config: &FailedAuthenticationConfig, phase: u64) {
        self.take_up_waiting(up_to, config, phase);
        for watch in &mut self.watches {
            // What is taken up later is older by the wait.
            let behind_ms =
                if watch.class.is_eager() && &*watch.part != AFTER_SPRAY { 0 } else { config.typo_ms };
            watch.close_if_over(up_to - behind_ms);
        }
        trim(&mut self.failures, FAILURES_MAX, |f| up_to - f.time > RECENT_MS);
        self.at_home.forget(up_to);
        self.watches.retain(|watch| watch.is_needed(up_to));
    }

    fn watches(&self) -> &[Watch] {
        &self.watches
    }

    fn watches_mut(&mut self) -> &mut Vec<Watch> {
        &mut self.watches
    }

    fn is_suspicious(&self, unsettled: &[Arc<Attempt>], config: &FailedAuthenticationConfig) -> bool {
        let failed = |attempts: &mut dyn Iterator<Item = &Arc<Attempt>>| -> u64 {
            attempts.filter(|a| !a.succeeded).map(|a| u64::from(a.weight)).sum()
        };
        let least = config.fast_failures.min(config.sustained_failures).min(config.probing_failures);
        let least = least.min(config.burst_failures).min(config.spray_failures).min(config.malformed_tokens);
        let least = least.min(u32::try_from(config.burst_accounts).unwrap_or(u32::MAX));
        let guessed = self.failures.iter().chain(unsettled).filter(|a| a.is_guessed_key()).count();
        failed(&mut self.failures.iter()) + failed(&mut unsettled.iter()) >= u64::from(least)
            || guessed >= config.key_guess_keys as usize
    }

    fn due(&self, config: &FailedAuthenticationConfig) -> Option<EventTime> {
        let open = self.watches.iter().filter_map(|watch| watch.open.as_ref());
        let closes = open.map(|episode| episode.last() + episode.gap_ms + config.typo_ms).min();
        let waits = self.waiting.front().map(|w| (w.attempt.time + config.typo_ms).floor(1_000) + 1_000);
        closes.into_iter().chain(waits).min()
    }

    fn needed_until(&self) -> EventTime {
        let watches = self.watches.iter().map(Watch::needed_until);
        watches.chain(self.at_home.needed_until()).max().unwrap_or(EventTime::MIN)
    }
}
