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

/// Every class.
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
    ClassInfo {
        class: "auth.lockout_wave",
        severity: Severity::Medium,
        description: "Several accounts of one partner were locked for failed logins within hours: somebody tries a list \
                      on them, slowly enough for every other rule.",
        techniques: &["T1110"],
        owasp_api: Some("API2"),
        owasp_event: Some("authn_login_lock"),
    },
    ClassInfo {
        class: "webhook.replayed",
        severity: Severity::High,
        description: "A webhook had a good signature and a stamp that is too old: somebody sends again what was sent \
                      before.",
        techniques: &["T1565.001", "T1557"],
        owasp_api: Some("API10"),
        owasp_event: Some("input_validation_fail"),
    },
    ClassInfo {
        class: "transport.plaintext",
        severity: Severity::High,
        description: "A call with an API key or a token that was accepted went over http, or over TLS before 1.2: anybody \
                      on the way could read the credential. Low where it was not accepted, or only the user is named.",
        techniques: &["T1040", "T1557"],
        owasp_api: Some("API8"),
        owasp_event: None,
    },
];

impl Rule {
    pub(super) fn info(self) -> &'static ClassInfo {
        let place = match self.signal {
            Signal::WebhookSignature => 0,
            Signal::CspViolation => 1,
            Signal::TokenIssued => 2,
            Signal::RateLimited => 3,
            Signal::AccountLocked => 4,
            Signal::WebhookReplayed => 5,
            Signal::PlainCredential | Signal::PlainCall | Signal::AdminChange => 6,
        };
        &CLASSES[place]
    }

    /// Whether different accounts are counted, and not how often. Several controllers tell of one lock, and a
    /// job with an old password locks its account again and again.
    pub(super) fn counts_accounts(self) -> bool {
        self.signal == Signal::AccountLocked
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
            (Signal::AccountLocked, _) => "account locked".to_owned(),
            (Signal::WebhookReplayed, _) => "webhook with a stamp that is too old refused".to_owned(),
            (Signal::PlainCredential, _) => "accepted over a wire that anybody can read".to_owned(),
            (Signal::PlainCall | Signal::AdminChange, _) => {
                "called over a wire that anybody can read".to_owned()
            }
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
    config.rule(Signal::from_name(key.split_once(BETWEEN)?.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_its_own_class() {
        let config = ThresholdConfig::default();
        let rules = Signal::ALL.into_iter().filter_map(|signal| config.rule(signal));
        let classes: Vec<_> = rules.map(|rule| rule.info().class).collect();
        assert_eq!(
            classes,
            [
                "webhook.signature_failed",
                "csp.violation",
                "user.token_flood",
                "abuse.rate_limit",
                "auth.lockout_wave",
                "webhook.replayed",
                "transport.plaintext",
                "transport.plaintext",
            ]
        );
    }
}
