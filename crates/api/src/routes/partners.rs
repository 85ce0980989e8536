//! `GET /v1/partners`: which partners there are, and how they stand.

use std::sync::Arc;

use alerting::TenantAlerts;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Reader;
use crate::error::ApiError;
use crate::state::App;
use crate::wire::SeverityName;

/// The partners.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Partners {
    partners: Vec<PartnerView>,
}

/// How one partner stands.
#[derive(Debug, Serialize, ToSchema)]
struct PartnerView {
    #[schema(example = "prt_acme")]
    tenant: String,
    alerts: AlertCounts,
    /// The worst alert that is not over.
    severity_max: Option<SeverityName>,
    /// When the last event of any alert happened.
    last_seen: DateTime<Utc>,
}

/// Alerts by state.
#[derive(Debug, Serialize, ToSchema)]
struct AlertCounts {
    open: i64,
    acknowledged: i64,
    closed: i64,
}

impl From<TenantAlerts> for PartnerView {
    fn from(seen: TenantAlerts) -> Self {
        Self {
            tenant: seen.tenant.to_string(),
            alerts: AlertCounts { open: seen.open, acknowledged: seen.acknowledged, closed: seen.closed },
            severity_max: seen.severity_max.map(SeverityName::from),
            last_seen: seen.last_seen,
        }
    }
}

/// Lists partners.
///
/// Those that ever had an alert, within what the token may see, by name.
#[utoipa::path(
    get, path = "/v1/partners", operation_id = "list_partners", tag = "partners",
    responses((status = 200, description = "The partners", body = Partners))
)]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Reader) -> Result<Json<Partners>, ApiError> {
    let seen = app.control.tenants_seen(&caller.principal.scope).await?;
    Ok(Json(Partners { partners: seen.into_iter().map(PartnerView::from).collect() }))
}
