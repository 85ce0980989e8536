//! What an address is told that comes with a wrong token.

use alerting::WrongTokens;

use crate::error::ApiError;
use crate::server::Peer;

/// Counts wrong tokens by address.
pub(crate) struct FailedAuth(WrongTokens);

impl FailedAuth {
    pub(crate) fn new(per_minute_max: u32) -> Self {
        Self(WrongTokens::new(per_minute_max))
    }

    /// The answer to a wrong token: 401, or 429 from an address that has tried too often.
    pub(crate) fn refuse(&self, peer: Option<Peer>) -> ApiError {
        let wait = peer.and_then(|peer| self.0.count(peer.ip()));
        match wait {
            Some(retry_after) => ApiError::TooManyRequests {
                detail: "too many wrong tokens came from this address; wait before the next",
                retry_after,
            },
            None => ApiError::Unauthenticated("this token is unknown, revoked or expired"),
        }
    }
}
