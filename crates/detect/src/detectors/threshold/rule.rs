//! What is counted, and what many of it are called.

use event::{Observation, Severity, Signal};

use super::config::ThresholdConfig;
use crate::class::ClassInfo;

/// So many within a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) signal: Signal,
    pub(super) count: u64,
    pub(super) window_ms: i64,
}

/// Every class, in the order of the signals.
pub const CLASSES: &[ClassInfo] = &[
    ClassInfo {
        class: "webhook.signature_failed",
        severity: Severity::Medium,
        description: "Many webhooks of one feed had a wrong signature: somebody forges them, or a secret was changed on \
                      one side only.",
        techniques: &["T1565.001"],
        owasp_api: Some("API10"),
        owasp_event: Some("input_validation_fail"),
    },
    ClassInfo {
        class: "csp.violation",
        severity: Severity::Medium,
        description: "Pages that embed the platform try to load frames or scripts that their policy forbids.",
        techniques: &["T1659"],
        owasp_api: Some("API8"),
        owasp_event: Some("malicious_csp_violation"),
    },
    ClassInfo {
        class: "user.token_flood",
        severity: Severity::Medium,
        description: "One user was issued many session tokens within minutes: they are harvested, or an integration asks \
                      again and again.",
        techniques: &["T1528"],
        owasp_api: Some("API6"),
        owasp_event: None,
    },
    ClassInfo {
        class: "abuse.rate_limit",
        severity: Severity::Low,
        description: "One caller goes on although it is refused for calling too often; medium at ten times as many.",
        techniques: &["T1499.002"],
        owasp_api: Some("API4"),
        owasp_event: Some("excess_rate_limit_exceeded"),
    },
];

impl Rule {
    pub(super) fn info(self) -> &'static ClassInfo {
        &CLASSES[self.signal as usize]
    }

    /// What happened, for the evidence.
    pub(super) fn said(self, o: &Observation<'_>) -> String {
        let host = o.origin_host.as_deref();
        match (self.signal, host) {
            (Signal::WebhookSignature, _) => "webhook signature refused".to_owned(),
            (Signal::CspViolation, Some(host)) => format!("policy stopped {host}"),
            (Signal::CspViolation, None) => "policy stopped a load".to_owned(),
            (Signal::TokenIssued, _) => "session token issued".to_owned(),
            (Signal::RateLimited, _) => "refused for too many calls".to_owned(),
        }
    }
}

/// What holds the parts of a key apart.
const BETWEEN: char = '\u{1f}';

/// The key that a signal of an entity is counted under.
pub(super) fn key(signal: Signal, entity: &str) -> String {
    format!("{}{BETWEEN}{entity}", signal.name())
}

/// The entity of a key.
pub(super) fn entity(key: &str) -> &str {
    key.split_once(BETWEEN).map_or(key, |(_, entity)| entity)
}

/// The rule that a key is counted by.
pub(super) fn of(key: &str, config: &ThresholdConfig) -> Option<Rule> {
    Signal::from_name(key.split_once(BETWEEN)?.0).map(|signal| config.rule(signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_its_own_class() {
        let classes = Signal::ALL.map(|signal| ThresholdConfig::default().rule(signal).info().class);
        assert_eq!(
            classes,
            ["webhook.signature_failed", "csp.violation", "user.token_flood", "abuse.rate_limit"]
        );
    }
}
