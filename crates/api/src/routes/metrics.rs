//! `GET /metrics`: numbers for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::auth::is_operator;
use crate::error::ApiError;
use crate::server::Peer;
use crate::state::App;

/// Prints the metrics.
///
/// In the OpenMetrics text format. Without a token from loopback only, unless the configuration opens it: the
/// numbers name partners. With a token it is one that reads every partner's data.
#[utoipa::path(
    get, path = "/metrics", operation_id = "print_metrics", tag = "operations", security((), ("token" = [])),
    responses(
        (status = 200, description = "Every metric", body = String, content_type = "application/openmetrics-text"),
        (status = 401, description = "Not from here, and without a token for it"),
    )
)]
pub(crate) async fn print(
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !is_operator(&app, &headers, peer.map(|Extension(peer)| peer)).await {
        return Err(ApiError::Unauthenticated(
            "metrics are for loopback, or for a token that reads every partner's data",
        ));
    }
    text(&app.registry)
}

/// `/metrics` alone, for everybody.
pub(crate) fn router(registry: Registry) -> Router {
    let registry = Arc::new(registry);
    Router::new().route("/metrics", get(async move || text(&registry)))
}

fn text(registry: &Registry) -> Result<Response, ApiError> {
    let mut text = String::new();
    encode(&mut text, registry).map_err(ApiError::internal)?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}
