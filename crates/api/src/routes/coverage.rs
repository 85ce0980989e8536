//! `GET /v1/coverage`: what each detector sees of each partner.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Reader;
use crate::error::ApiError;
use crate::rows::rows;
use crate::state::App;

/// The matrix.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Coverage {
    coverage: Vec<Sight>,
}

/// What one detector sees of one partner.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
struct Sight {
    #[schema(example = "prt_acme")]
    tenant: String,
    #[schema(example = "token_reuse")]
    detector: String,
    state: SightState,
    /// Why it is not armed, or what it cannot see although it is. Empty where it sees everything.
    #[schema(example = "no line names a session token")]
    reason: String,
    /// When the last event that it reads happened, within 30 days.
    #[serde(default)]
    last_seen: Option<DateTime<Utc>>,
    /// When the first event of the partner happened, within 30 days.
    #[serde(default)]
    since: Option<DateTime<Utc>>,
}

/// Whether a detector can see.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SightState {
    /// It gets what it reads.
    Armed,
    /// It gets that, and knows too little of the past.
    Learning,
    /// It gets nothing, so its silence means nothing.
    Blind,
}

/// Lists what detectors can see.
///
/// One entry for each partner that the token may see and each detector: armed, learning, or blind, and why. The
/// same as the view `coverage` in SQL; it looks at 30 days of stored events.
#[utoipa::path(
    get, path = "/v1/coverage", operation_id = "read_coverage", tag = "detectors",
    responses(
        (status = 200, description = "The matrix of partners and detectors", body = Coverage),
        (status = 422, description = "The search met its limit of time or memory"),
        (status = 429, description = "As many queries run as may"),
        (status = 503, description = "The tables cannot be read for now"),
    )
)]
pub(crate) async fn read(State(app): State<Arc<App>>, caller: Reader) -> Result<Json<Coverage>, ApiError> {
    let sql = "SELECT * FROM coverage ORDER BY tenant, detector";
    Ok(Json(Coverage { coverage: rows(&app, &caller.principal.scope, sql, Vec::new()).await? }))
}
