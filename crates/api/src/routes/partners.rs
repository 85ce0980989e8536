//! `GET /v1/partners`: which partners there are, and how they stand.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::TenantAlerts;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use event::Tenant;
use serde::Serialize;
use utoipa::ToSchema;

use crate::KnownPartner;
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
#[derive(Debug, Default, Serialize, ToSchema)]
struct PartnerView {
    #[schema(example = "prt_acme")]
    tenant: String,
    /// Whether something is agreed with it in the configuration.
    contract: bool,
    /// Whom to tell, as the configuration says.
    #[schema(example = json!(["security@acme.example"]))]
    contacts: Vec<String>,
    /// How many of its events are stored.
    events: u64,
    /// When the last of these happened.
    last_event_at: Option<DateTime<Utc>>,
    alerts: AlertCounts,
    /// The worst alert that is not over.
    severity_max: Option<SeverityName>,
    /// When the last event of any alert happened.
    last_seen: Option<DateTime<Utc>>,
}

/// Alerts by state.
#[derive(Debug, Default, Serialize, ToSchema)]
struct AlertCounts {
    open: i64,
    acknowledged: i64,
    closed: i64,
}

impl PartnerView {
    fn is_known(&mut self, known: KnownPartner) {
        self.contract = known.has_contract;
        self.contacts = known.contacts;
        self.events = known.events;
        self.last_event_at = known.last_event_at;
    }

    fn has_alerts(&mut self, seen: &TenantAlerts) {
        self.alerts = AlertCounts { open: seen.open, acknowledged: seen.acknowledged, closed: seen.closed };
        self.severity_max = seen.severity_max.map(SeverityName::from);
        self.last_seen = Some(seen.last_seen);
    }
}

/// Lists partners.
///
/// Those that have sent logs, have a contract or ever had an alert, within what the token may see, by name. How
/// many events are stored may be a minute old.
#[utoipa::path(
    get, path = "/v1/partners", operation_id = "list_partners", tag = "partners",
    responses((status = 200, description = "The partners", body = Partners))
)]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Reader) -> Result<Json<Partners>, ApiError> {
    let scope = &caller.principal.scope;
    let known = app.partners.known().await;
    let known = known.map_err(|cause| ApiError::unavailable("the tables cannot be read", cause))?;
    let mut partners: BTreeMap<Tenant, PartnerView> = BTreeMap::new();
    for partner in known.into_iter().filter(|partner| scope.allows(&partner.tenant)) {
        partners.entry(partner.tenant.clone()).or_default().is_known(partner);
    }
    for seen in app.control.tenants_seen(scope).await? {
        partners.entry(seen.tenant.clone()).or_default().has_alerts(&seen);
    }
    let named = |(tenant, view): (Tenant, PartnerView)| PartnerView { tenant: tenant.to_string(), ..view };
    Ok(Json(Partners { partners: partners.into_iter().map(named).collect() }))
}
