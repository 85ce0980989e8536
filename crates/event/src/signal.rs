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
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 4] =
        [Self::WebhookSignature, Self::CspViolation, Self::TokenIssued, Self::RateLimited];

    /// Its name in the `reason` column of an observation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WebhookSignature => "webhook_signature",
            Self::CspViolation => "csp_violation",
            Self::TokenIssued => "token_issued",
            Self::RateLimited => "rate_limited",
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
