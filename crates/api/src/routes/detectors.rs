//! `GET /v1/detectors`: what is looked for, and with which thresholds.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::auth::Reader;
use crate::state::App;

/// Lists the detectors.
///
/// The catalogue of this installation: each detector with its classes and the parameters in force.
#[utoipa::path(
    get, path = "/v1/detectors", operation_id = "list_detectors", tag = "detectors",
    responses((status = 200, description = "The catalogue", body = Value))
)]
pub(crate) async fn list(State(app): State<Arc<App>>, _: Reader) -> Json<Value> {
    Json((app.detectors)())
}
