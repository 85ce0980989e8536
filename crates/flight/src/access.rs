//! Who asks: every call brings a token, and every call is checked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use alerting::{Principal, Role};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use listener::OfToken;
use sha2::{Digest, Sha256};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Status};

use crate::pulse::{Call, Pulse};
use crate::server::Shared;

/// Tokens that may come over one connection.
const TOKENS_MAX: usize = 8;

/// What is known of the connection that a call came over.
pub(crate) struct Line {
    peer: SocketAddr,
    is_safe: bool,
    pulse: Arc<Pulse>,
    /// The tokens that came over it, each counted once.
    tokens: Mutex<HashMap<String, OfToken>>,
}

/// Who makes a call.
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    /// The token that came, to give back to whoever asked for one.
    token: String,
}

/// Whose something is: a token's digest. A name may be another token's once the first is revoked.
pub(crate) type Owner = [u8; 32];

impl Line {
    pub(crate) fn new(peer: SocketAddr, encrypted: bool, pulse: Arc<Pulse>, shared: &Shared) -> Self {
        let is_safe = encrypted || peer.ip().to_canonical().is_loopback() || shared.config.allow_insecure;
        Self { peer, is_safe, pulse, tokens: Mutex::default() }
    }

    /// A call over it begins.
    pub(crate) fn call(&self) -> Call {
        self.pulse.call()
    }

    /// Counts a token that came over it, the first time.
    fn enter(&self, principal: &Principal, shared: &Shared) -> Result<(), Status> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.contains_key(&principal.name) {
            return Ok(());
        }
        let max = shared.config.connections_per_token_max;
        let entered =
            if tokens.len() < TOKENS_MAX { shared.by_token.enter(&principal.name, max) } else { None };
        let Some(of_token) = entered else {
            shared.metrics.refused("too_many");
            let text = format!(
                "this token has {max} connections open already, or this connection brought {TOKENS_MAX} tokens"
            );
            return Err(Status::resource_exhausted(text));
        };
        tokens.insert(principal.name.clone(), of_token);
        Ok(())
    }
}

impl Caller {
    /// Whoever's token a call brings, if it is in force and may ask.
    pub(crate) async fn of(
        metadata: &MetadataMap,
        extensions: &Extensions,
        shared: &Shared,
    ) -> Result<Self, Status> {
        let no_line = || Status::internal("the call came over no connection");
        let line: &Arc<Line> = extensions.get().ok_or_else(no_line)?;
        if !line.is_safe {
            shared.metrics.refused("unencrypted");
            let text = "a token may not travel unencrypted; give the server a certificate \
                        (flight.tls_certificate, flight.tls_key)";
            return Err(Status::unauthenticated(text));
        }
        let token = token(metadata)?;
        let principal = identify(&token, line, shared).await?;
        line.enter(&principal, shared)?;
        line.pulse.is_known();
        Ok(Self { principal, token })
    }

    /// Whose things are this caller's.
    pub(crate) fn owner(&self) -> Owner {
        Sha256::digest(self.token.as_bytes()).into()
    }

    /// What a client has to send with its further calls.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

/// The token of a call: a bearer, or the password of basic authentication.
fn token(metadata: &MetadataMap) -> Result<String, Status> {
    let missing = || Status::unauthenticated("send `authorization: Bearer wf_…`, or the token as password");
    let header = metadata.get("authorization").and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    let (scheme, rest) = header.split_once(' ').ok_or_else(missing)?;
    let token = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => rest.trim().to_owned(),
        "basic" => {
            let decoded = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or_else(missing)?;
            decoded.split_once(':').ok_or_else(missing)?.1.trim().to_owned()
        }
        _ => return Err(missing()),
    };
    Ok(token)
}

async fn identify(token: &str, line: &Line, shared: &Shared) -> Result<Principal, Status> {
    let verified = shared.control.verify_token(token).await;
    let verified = verified.map_err(|error| {
        tracing::warn!(%error, "tokens cannot be looked up");
        Status::unavailable("tokens cannot be looked up at the moment")
    })?;
    let Some(principal) = verified else {
        shared.metrics.refused("wrong_token");
        let text = match shared.wrong_tokens.count(line.peer.ip()) {
            Some(wait) => {
                let seconds = wait.as_secs() + 1;
                format!("too many wrong tokens came from this address; wait {seconds} s before the next")
            }
            None => "this token is unknown, revoked or expired".to_owned(),
        };
        return Err(Status::unauthenticated(text));
    };
    match principal.role {
        Role::Analyst | Role::Admin => Ok(principal),
        Role::Shipper => {
            shared.metrics.refused("wrong_role");
            Err(Status::permission_denied("a shipper's token may only send logs"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tonic::metadata::MetadataValue;

    use super::*;

    fn token_of(header: &str) -> Option<String> {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", MetadataValue::try_from(header).ok()?);
        token(&metadata).ok()
    }

    #[test]
    fn a_token_is_a_bearer_or_a_password() {
        assert_eq!(token_of("Bearer wf_x").as_deref(), Some("wf_x"));
        let basic = format!("Basic {}", STANDARD.encode("anybody:wf_a:b"));
        assert_eq!(token_of(&basic).as_deref(), Some("wf_a:b"));
        assert_eq!(token_of("Basic !"), None);
        assert_eq!(token_of("wf_x"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_a_token_or_none(header in "(Basic |Bearer |)[ -~]{0,60}") {
            token_of(&header);
        }
    }
}
