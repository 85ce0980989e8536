//! What may be set.

use event::Signal;
use serde::{Deserialize, Serialize};

use super::NAME;
use super::rule::Rule;
use crate::config::in_range;
use crate::rules::Parameters;

/// How many of what within which window are told of.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThresholdConfig {
    /// Webhooks of one feed with a wrong signature.
    pub webhook_signature_count: u64,
    /// Within which time.
    pub webhook_signature_window_ms: i64,
    /// Frames and scripts that one feed's pages were not allowed to load.
    pub csp_violation_count: u64,
    /// Within which time.
    pub csp_violation_window_ms: i64,
    /// Session tokens for one user.
    pub token_issued_count: u64,
    /// Within which time.
    pub token_issued_window_ms: i64,
    /// Calls of one caller that were refused because there were too many.
    pub rate_limited_count: u64,
    /// Within which time.
    pub rate_limited_window_ms: i64,
    /// Different accounts of one partner that were locked. (Okta, Entra and CrowdSec count by address; a list that
    /// is tried slowly shows in what it locks.)
    pub account_locked_count: u64,
    /// Within which time.
    pub account_locked_window_ms: i64,
    /// Webhooks of one feed that were sent before: with a good signature, and a stamp that is too old.
    pub webhook_replayed_count: u64,
    /// Within which time.
    pub webhook_replayed_window_ms: i64,
    /// Accepted calls of one API key, or of one feed where no key is named, that anybody could read on their way.
    pub plain_credential_count: u64,
    /// Within which time.
    pub plain_credential_window_ms: i64,
    /// The same of one feed, where the credential was not accepted or only the user is named.
    pub plain_call_count: u64,
    /// Within which time.
    pub plain_call_window_ms: i64,
}

impl Default for ThresholdConfig {
    fn default() -> Self {
        Self {
            webhook_signature_count: 5,
            webhook_signature_window_ms: 600_000,
            csp_violation_count: 10,
            csp_violation_window_ms: 3_600_000,
            token_issued_count: 20,
            token_issued_window_ms: 600_000,
            rate_limited_count: 20,
            rate_limited_window_ms: 300_000,
            account_locked_count: 3,
            account_locked_window_ms: 10_800_000,
            webhook_replayed_count: 1,
            webhook_replayed_window_ms: 600_000,
            plain_credential_count: 1,
            plain_credential_window_ms: 600_000,
            plain_call_count: 1,
            plain_call_window_ms: 600_000,
        }
    }
}

impl ThresholdConfig {
    /// The rule for a signal; none for what another detector reads.
    pub(super) fn rule(&self, signal: Signal) -> Option<Rule> {
        let (count, window_ms) = match signal {
            Signal::WebhookSignature => (self.webhook_signature_count, self.webhook_signature_window_ms),
            Signal::CspViolation => (self.csp_violation_count, self.csp_violation_window_ms),
            Signal::TokenIssued => (self.token_issued_count, self.token_issued_window_ms),
            Signal::RateLimited => (self.rate_limited_count, self.rate_limited_window_ms),
            Signal::AccountLocked => (self.account_locked_count, self.account_locked_window_ms),
            Signal::WebhookReplayed => (self.webhook_replayed_count, self.webhook_replayed_window_ms),
            Signal::PlainCredential => (self.plain_credential_count, self.plain_credential_window_ms),
            Signal::PlainCall => (self.plain_call_count, self.plain_call_window_ms),
            Signal::AdminChange => return None,
        };
        Some(Rule { signal, count, window_ms })
    }
}

impl Parameters for ThresholdConfig {
    const DETECTOR: &'static str = NAME;

    fn validate(&self) -> Result<(), String> {
        for rule in Signal::ALL.into_iter().filter_map(|signal| self.rule(signal)) {
            let name = rule.signal.name();
            in_range(&format!("threshold.{name}_count"), rule.count as i64, 1, 1_000_000)?;
            in_range(&format!("threshold.{name}_window_ms"), rule.window_ms, 1_000, 86_400_000)?;
        }
        Ok(())
    }
}
