//! Who is asking, and what they may do.
//!
//! Everything under `/v1` passes [`authenticate`]; a handler then names the role it needs by the
//! extractor it takes: [`Reader`], [`Platform`], [`Administrator`] or [`Shipper`]. A handler that takes
//! none does not compile into anything that knows its caller's scope.

use std::sync::Arc;

use alerting::{Principal, Role};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use event::Scope;

pub(crate) use self::failed::FailedAuth;
use crate::error::ApiError;
use crate::server::Peer;
use crate::state::App;

mod failed;

/// The caller, once its token was verified.
#[derive(Clone)]
struct Caller {
    principal: Principal,
    token: Token,
}

/// A bearer token. It has no `Debug`, so it gets into no log.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

impl Token {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Lets requests with a valid token pass, and notes whose it is.
pub(crate) async fn authenticate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let peer = request.extensions().get::<Peer>().copied();
    let caller = identify(&app, request.headers(), peer).await?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

async fn identify(app: &App, headers: &HeaderMap, peer: Option<Peer>) -> Result<Caller, ApiError> {
    let Some(token) = bearer(headers)? else {
        return Err(ApiError::Unauthenticated("send the header Authorization: Bearer wf_…"));
    };
    match app.control.verify_token(token.expose()).await? {
        Some(principal) => Ok(Caller { principal, token }),
        None => Err(app.failed_auth.refuse(peer)),
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<Token>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::Unauthenticated("send one Authorization header"));
    }
    let text = value.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ApiError::Unauthenticated("send the header Authorization: Bearer wf_…"));
    }
    Ok(Some(Token(token.trim().into())))
}

/// Whether this caller may see how the process is from within: it is on this machine, or has a token
/// that reads everybody's data.
pub(crate) async fn is_operator(app: &App, headers: &HeaderMap, peer: Option<Peer>) -> bool {
    // What a proxy on this machine passes on comes from loopback, too, but not from here.
    let forwarded = app.config.behind_proxy || FORWARDED.iter().any(|name| headers.contains_key(*name));
    if app.config.metrics_public || (!forwarded && peer.is_some_and(Peer::is_loopback)) {
        return true;
    }
    match identify(app, headers, peer).await {
        Ok(caller) => may_read(&caller.principal) && caller.principal.scope == Scope::All,
        Err(_) => false,
    }
}

/// What proxies write on what they pass on.
const FORWARDED: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

fn may_read(principal: &Principal) -> bool {
    matches!(principal.role, Role::Analyst | Role::Admin)
}

/// A caller who may read: analysts and administrators, each within their scope.
pub(crate) struct Reader {
    pub(crate) principal: Principal,
    pub(crate) token: Token,
}

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Caller { principal, token } = caller(parts)?;
        if !may_read(&principal) {
            return Err(ApiError::Forbidden("a shipper's token may only send logs"));
        }
        Ok(Self { principal, token })
    }
}

/// A caller who may read what concerns every partner: how on-call is told, who works on alerts.
pub(crate) struct Platform(pub(crate) Principal);

impl<S: Sync> FromRequestParts<S> for Platform {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Reader { principal, .. } = Reader::from_request_parts(parts, state).await?;
        if principal.scope != Scope::All {
            return Err(ApiError::Forbidden("this is for tokens that see every partner"));
        }
        Ok(Self(principal))
    }
}

/// A caller who may say who may come in: administrators of the whole platform.
pub(crate) struct Administrator(pub(crate) Principal);

impl<S: Sync> FromRequestParts<S> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Caller { principal, .. } = caller(parts)?;
        if principal.role != Role::Admin || principal.scope != Scope::All {
            return Err(ApiError::Forbidden("this is for administrators who see every partner"));
        }
        Ok(Self(principal))
    }
}

/// A caller who may send logs: shippers and administrators, each for the partners in their scope.
pub(crate) struct Shipper(pub(crate) Principal);

impl<S: Sync> FromRequestParts<S> for Shipper {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Caller { principal, .. } = caller(parts)?;
        if !matches!(principal.role, Role::Shipper | Role::Admin) {
            return Err(ApiError::Forbidden("an analyst's token may not send logs"));
        }
        Ok(Self(principal))
    }
}

fn caller(parts: &Parts) -> Result<Caller, ApiError> {
    let caller = parts.extensions.get::<Caller>().cloned();
    caller.ok_or_else(|| ApiError::internal("a route needs a caller but stands outside of /v1"))
}
