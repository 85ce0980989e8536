//! Every route, in one list.

mod alert_actions;
mod alert_stream;
mod alerts;
mod coverage;
mod detectors;
mod docs;
mod events;
mod health;
mod logs;
pub(crate) mod metrics;
mod outbox;
mod partners;
mod query;
mod reports;
mod saved_queries;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::authenticate;
use crate::error::ApiError;
use crate::observe::{deadline, observe};
use crate::state::App;
use crate::{ApiConfig, ApiState, openapi};

/// The whole API over these parts.
pub fn router(state: ApiState) -> Router {
    let app = App::new(state);
    let (v1, _) = v1(&app.config).split_for_parts();
    let (open, _) = open(&app.config).split_for_parts();
    let panicked = |_| ApiError::Internal.into_response();
    v1.route_layer(from_fn_with_state(Arc::clone(&app), authenticate))
        .merge(open)
        .merge(docs::page())
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(SetSensitiveRequestHeadersLayer::new([axum::http::header::AUTHORIZATION]))
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .with_state(app)
}

/// Everything that is described in the OpenAPI text.
pub(crate) fn documented() -> OpenApiRouter<Arc<App>> {
    let config = ApiConfig::default();
    OpenApiRouter::with_openapi(openapi::head()).merge(v1(&config)).merge(open(&config))
}

/// What needs a token.
fn v1(config: &ApiConfig) -> OpenApiRouter<Arc<App>> {
    let reads = OpenApiRouter::new()
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::read))
        .routes(routes!(alert_actions::act))
        .routes(routes!(alert_actions::history))
        .routes(routes!(alert_stream::follow))
        .routes(routes!(partners::list))
        .routes(routes!(detectors::list))
        .routes(routes!(outbox::read))
        .routes(routes!(outbox::requeue))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .layer(from_fn_with_state(config.request_timeout, deadline));
    let query = OpenApiRouter::new()
        .routes(routes!(query::run))
        .routes(routes!(saved_queries::list))
        .routes(routes!(saved_queries::read, saved_queries::save, saved_queries::delete))
        .routes(routes!(saved_queries::run))
        .layer(DefaultBodyLimit::max(config.query_text_bytes_max))
        .layer(from_fn_with_state(config.query_timeout, deadline));
    let events = OpenApiRouter::new()
        .routes(routes!(events::read))
        .routes(routes!(coverage::read))
        .routes(routes!(reports::key))
        .layer(from_fn_with_state(config.query_timeout, deadline));
    // The intake keeps its own time and counts its own bytes: see `logs.rs`.
    let intake = OpenApiRouter::new().routes(routes!(logs::send)).layer(DefaultBodyLimit::disable());
    reads.merge(query).merge(events).merge(intake)
}

/// What needs none.
fn open(config: &ApiConfig) -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::print))
        .layer(from_fn_with_state(config.request_timeout, deadline))
}
