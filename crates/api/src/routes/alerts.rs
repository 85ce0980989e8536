//! `GET /v1/alerts`, `GET /v1/alerts/{id}`: alerts as they stand.

use std::sync::Arc;

use alerting::{AlertFilter, PageRequest, StoredAlert};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use event::{AlertChange, Change, Tenant};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Reader;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::state::App;
use crate::wire::{AlertView, SeverityName, StateName};

const LIMIT_DEFAULT: u32 = 50;

/// Which alerts, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only this partner's.
    partner: Option<String>,
    /// Only this detector's.
    detector: Option<String>,
    /// This bad or worse.
    #[param(inline)]
    severity: Option<SeverityName>,
    /// Only in this state.
    #[param(inline)]
    state: Option<StateName>,
    /// Whose last event happened at this moment or after it (RFC 3339).
    since: Option<DateTime<Utc>>,
    /// Whose last event happened before this moment (RFC 3339).
    until: Option<DateTime<Utc>>,
    /// How many, 50 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of alerts, the last opened first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page {
    alerts: Vec<AlertView>,
    /// Asks for the next page; absent on the last.
    next_cursor: Option<String>,
}

/// Lists alerts.
///
/// The last opened first, within the partners that the token may see.
#[utoipa::path(
    get, path = "/v1/alerts", operation_id = "list_alerts", tag = "alerts", params(Which),
    responses(
        (status = 200, description = "A page of alerts", body = Page),
        (status = 400, description = "A parameter is not valid"),
    )
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Reader,
    Query(which): Query<Which>,
) -> Result<Json<Page>, ApiError> {
    let scope = caller.principal.scope;
    let page = PageRequest::new(which.limit.unwrap_or(LIMIT_DEFAULT), which.cursor)?;
    let filter = AlertFilter {
        tenant: which.partner.as_deref().map(partner).transpose()?,
        detector: which.detector,
        severity_min: which.severity.map(Into::into),
        state: which.state.map(Into::into),
        since: which.since,
        until: which.until,
        ..AlertFilter::new(scope.clone())
    };
    let found = app.control.alerts(&filter, &page).await?;
    let alerts = found.alerts.into_iter().map(|alert| AlertView::new(alert, &scope)).collect();
    Ok(Json(Page { alerts, next_cursor: found.next_cursor }))
}

/// Reads one alert.
///
/// Another partner's alert is answered like one that does not exist.
#[utoipa::path(
    get, path = "/v1/alerts/{id}", operation_id = "read_alert", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id"), Shown),
    responses(
        (status = 200, description = "The alert", body = AlertView),
        (status = 404, description = "There is none that the token may see"),
    )
)]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    caller: Reader,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> Result<Response, ApiError> {
    let scope = caller.principal.scope;
    let alert = app.control.alert(&scope, &id).await?.ok_or(ApiError::NotFound)?;
    Ok(match shown.format {
        Shape::Watchfire => Json(AlertView::new(alert, &scope)).into_response(),
        Shape::Ocsf => Json(finding(alert)).into_response(),
    })
}

/// What an alert looks like.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Shape {
    /// As in the list of alerts.
    #[default]
    Watchfire,
    /// A Detection Finding that OCSF 1.8.0 calls valid.
    Ocsf,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Shown {
    /// `watchfire`, the default, or `ocsf`: a Detection Finding of OCSF 1.8.0.
    #[serde(default)]
    #[param(inline)]
    format: Shape,
}

/// What the detector said last.
fn finding(stored: StoredAlert) -> serde_json::Value {
    let change = match (stored.alert.episode_open, stored.revision) {
        (false, _) => Change::Close,
        (true, 0) => Change::Create,
        (true, _) => Change::Update,
    };
    event::ocsf::of_change(&AlertChange { change, revision: stored.revision, alert: stored.alert })
}

fn partner(name: &str) -> Result<Tenant, ApiError> {
    Tenant::parse(name).map_err(|error| ApiError::BadRequest(error.to_string()))
}
