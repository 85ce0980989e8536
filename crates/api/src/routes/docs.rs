//! `GET /openapi.json`, `GET /docs`: the API, described by itself.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::openapi;

/// The page loads only what this server serves; it sets styles from scripts, hence the one exception.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The text and the page.
pub(crate) fn page<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let config = Config::new(["/openapi.json"]).validator_url("none").with_credentials(false);
    let page = SwaggerUi::new("/docs").url("/openapi.json", openapi()).config(config);
    Router::from(page)
        .layer(SetResponseHeaderLayer::overriding(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
}
