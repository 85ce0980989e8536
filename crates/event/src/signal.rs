//! Signals: what a line may tell that is only worth a word when there is much of it.

/// A thing that is counted, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// A webhook whose signature was not the one it should have. Counted by feed.
    WebhookSignature,
    /// A browser's report of a frame or script that the page's policy forbids. Counted by feed.
    CspViolation,
    /// A session token that was issued. Counted by user.
    TokenIssued,
    /// A call that was refused because there were too many (429). Counted by API key, user or network.
    RateLimited,
    /// An account that was locked because of failed logins. Counted by tenant.
    AccountLocked,
    /// A webhook whose signature is good and whose stamp is too old: it was sent before. Counted by feed.
    WebhookReplayed,
    /// A call without encryption, or with one that is broken, that carried a credential and was accepted. Counted
    /// by API key, else by feed.
    PlainCredential,
    /// The same where the credential was not accepted, or only the user is named. Counted by feed.
    PlainCall,
    /// A key that was made or changed, or a right that was given. By tenant; it is not counted, but held against
    /// where from and when such things are usually done.
    AdminChange,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 9] = [
        Self::WebhookSignature,
        Self::CspViolation,
        Self::TokenIssued,
        Self::RateLimited,
        Self::AccountLocked,
        Self::WebhookReplayed,
        Self::PlainCredential,
        Self::PlainCall,
        Self::AdminChange,
    ];

    /// Its name in the `reason` column of an observation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebhookSignature => "webhook_signature",
            Self::CspViolation => "csp_violation",
            Self::TokenIssued => "token_issued",
            Self::RateLimited => "rate_limited",
            Self::AccountLocked => "account_locked",
            Self::WebhookReplayed => "webhook_replayed",
            Self::PlainCredential => "plain_credential",
            Self::PlainCall => "plain_call",
            Self::AdminChange => "admin_change",
        }
    }

    /// The signal of a name; `None` for one from a newer version.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_its_name() {
        for signal in Signal::ALL {
            assert_eq!(Signal::from_name(signal.name()), Some(signal));
        }
        assert_eq!(Signal::from_name("mood"), None);
    }
}
