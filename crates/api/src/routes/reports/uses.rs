//! What a credential's use looks like in the report, one type for each list.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A list that ends somewhere.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    pub(super) entries: Vec<T>,
    /// Whether there are more than are listed.
    truncated: bool,
}

impl<T> Listed<T> {
    pub(super) fn of(mut entries: Vec<T>, max: usize) -> Self {
        let truncated = entries.len() > max;
        entries.truncate(max);
        Self { entries, truncated }
    }
}

/// A row of `periods.sql`.
#[derive(Debug, Deserialize)]
pub(super) struct PeriodRow {
    pub(super) is_after: bool,
    #[serde(flatten)]
    period: Period,
}

impl From<&PeriodRow> for Period {
    fn from(row: &PeriodRow) -> Self {
        row.period.clone()
    }
}

/// All that it did in a time.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub(super) struct Period {
    events: u64,
    /// How many of them failed.
    failures: u64,
    /// How many different ones of each.
    endpoints: u64,
    addresses: u64,
    countries: u64,
    users: u64,
    #[serde(default)]
    first_seen: Option<DateTime<Utc>>,
    #[serde(default)]
    last_seen: Option<DateTime<Utc>>,
}

/// How often, and when.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
struct Use {
    #[schema(example = "prt_acme")]
    tenant: String,
    /// Events before the moment.
    before: u64,
    /// Events from the moment on.
    after: u64,
    failures: u64,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
}

/// An endpoint that was called.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct EndpointUse {
    #[schema(example = "POST /v1/sessions")]
    route: String,
    #[serde(flatten)]
    used: Use,
}

/// An address that it was used from.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct AddressUse {
    #[schema(example = "203.0.113.9")]
    address: String,
    /// ISO 3166-1, where it is known.
    #[serde(default)]
    country: Option<String>,
    /// The number of its autonomous system, where it is known.
    #[serde(default)]
    asn: Option<i64>,
    #[serde(default)]
    as_name: Option<String>,
    #[serde(flatten)]
    used: Use,
}

/// A user that it was used as.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct UserUse {
    user_ref: String,
    #[serde(flatten)]
    used: Use,
}

/// Credentials that came together.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct CredentialUse {
    #[serde(default)]
    api_key_id: Option<String>,
    #[serde(default)]
    api_key_fp: Option<String>,
    #[serde(default)]
    token_fp: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(flatten)]
    used: Use,
}

/// How events ended.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct OutcomeUse {
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    /// Of HTTP.
    #[serde(default)]
    status: Option<i32>,
    #[serde(flatten)]
    used: Use,
}

/// An alert that names it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(super) struct KeyAlert {
    alert_id: String,
    tenant: String,
    detector: String,
    class: String,
    severity: String,
    title: String,
    pub(super) triggered_at: DateTime<Utc>,
    last_seen: DateTime<Utc>,
}
