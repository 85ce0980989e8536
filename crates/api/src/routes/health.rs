//! `GET /healthz`, `GET /readyz`: for load balancers and orchestrators.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::is_operator;
use crate::problem::Answered;
use crate::server::{Closing, Peer};
use crate::state::App;

/// Whether the process does its work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    ready: bool,
    parts: Vec<PartView>,
}

/// One part of the process.
#[derive(Debug, Serialize, ToSchema)]
struct PartView {
    name: String,
    ready: bool,
    /// Why not, or what it is at. Only shown to operators: from loopback, or with a token that reads
    /// every partner's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Says that the process lives.
#[utoipa::path(
    get, path = "/healthz", operation_id = "is_live", tag = "operations", security(()),
    responses((status = 200, description = "It lives", body = String, content_type = "text/plain"))
)]
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Says whether the process is ready, and which of its parts are.
#[utoipa::path(
    get, path = "/readyz", operation_id = "is_ready", tag = "operations", security((), ("token" = [])),
    responses(
        (status = 200, description = "Every part is ready", body = Readiness),
        (status = 503, description = "A part is not", body = Readiness),
    )
)]
pub(crate) async fn ready(
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
) -> Response {
    let operator = is_operator(&app, &headers, peer.map(|Extension(peer)| peer)).await;
    let closing = closing.is_some_and(|Extension(Closing(closing))| *closing.borrow());
    let parts: Vec<_> = app.health.parts();
    let ready = !closing && parts.iter().all(|part| part.ready);
    let view = |part: crate::PartHealth| PartView {
        name: part.name,
        ready: part.ready,
        detail: operator.then_some(part.detail).filter(|detail| !detail.is_empty()),
    };
    let readiness = Readiness { ready, parts: parts.into_iter().map(view).collect() };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Extension(Answered), Json(readiness)).into_response()
}
