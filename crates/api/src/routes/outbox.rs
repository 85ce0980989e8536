//! `GET /v1/outbox`, `POST /v1/outbox/requeue`: what on-call has not been told, and another try at it.

use std::sync::Arc;

use alerting::{DestinationStats, NoticeEntry, Requeued};
use axum::Json as JsonAnswer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Platform;
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::App;
use crate::wire::SeverityName;

/// How many of the messages that were given up are shown.
const UNDELIVERED_SHOWN: u32 = 100;

/// The outbox.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Outbox {
    destinations: Vec<DestinationView>,
    /// The newest hundred messages that were given up.
    undelivered: Vec<MessageView>,
}

/// How one destination stands.
#[derive(Debug, Serialize, ToSchema)]
struct DestinationView {
    #[schema(example = "on-call")]
    destination: String,
    /// Whether it is in the configuration that runs.
    configured: bool,
    /// Messages that wait, or are tried again.
    pending: i64,
    /// Of these, those that were tried at least once.
    failing: i64,
    /// Messages that were given up. Requeue them once the trouble is mended.
    undelivered: i64,
    /// What the newest message that is tried again was told, or else the newest given up.
    last_error: Option<String>,
    /// When the oldest pending message was queued.
    oldest_queued_at: Option<DateTime<Utc>>,
    /// When it was switched off because it answered 410.
    disabled_at: Option<DateTime<Utc>>,
    /// Until when it asked us to wait.
    paused_until: Option<DateTime<Utc>>,
}

impl From<DestinationStats> for DestinationView {
    fn from(stats: DestinationStats) -> Self {
        Self {
            destination: stats.destination,
            configured: stats.configured,
            pending: stats.pending,
            failing: stats.failing,
            undelivered: stats.undelivered,
            last_error: stats.last_error,
            oldest_queued_at: stats.oldest_queued_at,
            disabled_at: stats.disabled_at,
            paused_until: stats.paused_until,
        }
    }
}

/// A message that was given up.
#[derive(Debug, Serialize, ToSchema)]
struct MessageView {
    message_id: String,
    destination: String,
    alert_id: String,
    tenant: String,
    /// `opened`, `raised`, `updated`, `acknowledged` or `closed`.
    kind: String,
    severity: SeverityName,
    queued_at: DateTime<Utc>,
    attempts: i64,
    /// When it was given up.
    finished_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

impl From<NoticeEntry> for MessageView {
    fn from(entry: NoticeEntry) -> Self {
        Self {
            message_id: entry.message_id,
            destination: entry.destination,
            alert_id: entry.alert_id,
            tenant: entry.tenant.to_string(),
            kind: entry.kind,
            severity: entry.severity.into(),
            queued_at: entry.queued_at,
            attempts: entry.attempts,
            finished_at: entry.finished_at,
            last_error: entry.last_error,
        }
    }
}

/// Whose messages to try again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    /// The destination's name.
    #[schema(example = "on-call")]
    destination: String,
}

/// What became of the messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RequeuedView {
    /// They are tried again, for another day.
    requeued: u64,
    /// They are not: the destination knows something newer of their episode, or that it is over.
    overtaken: u64,
}

impl From<Requeued> for RequeuedView {
    fn from(Requeued { requeued, overtaken }: Requeued) -> Self {
        Self { requeued, overtaken }
    }
}

/// Shows what destinations have not been told.
///
/// For tokens that see every partner.
#[utoipa::path(
    get, path = "/v1/outbox", operation_id = "read_outbox", tag = "operations",
    responses((status = 200, description = "Every destination, and what was given up", body = Outbox))
)]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    Platform(caller): Platform,
) -> Result<JsonAnswer<Outbox>, ApiError> {
    let destinations = app.control.outbox_stats().await?;
    let undelivered = app.control.undelivered(&caller.scope, UNDELIVERED_SHOWN).await?;
    Ok(JsonAnswer(Outbox {
        destinations: destinations.into_iter().map(DestinationView::from).collect(),
        undelivered: undelivered.into_iter().map(MessageView::from).collect(),
    }))
}

/// Tries what one destination did not get once more.
///
/// What has been overtaken since is not sent: a page that came after its end would never be resolved. A destination
/// that was switched off is switched on. For tokens that see every partner.
#[utoipa::path(
    post, path = "/v1/outbox/requeue", operation_id = "requeue_undelivered", tag = "operations", request_body = Again,
    responses(
        (status = 200, description = "They leave within seconds", body = RequeuedView),
        (status = 404, description = "No destination has that name"),
    )
)]
pub(crate) async fn requeue(
    State(app): State<Arc<App>>,
    Platform(caller): Platform,
    Json(again): Json<Again>,
) -> Result<JsonAnswer<RequeuedView>, ApiError> {
    let requeued = app.control.requeue_undelivered(&again.destination).await?.ok_or(ApiError::NotFound)?;
    tracing::info!(
        destination = again.destination,
        by = caller.name,
        ?requeued,
        "undelivered messages requeued"
    );
    Ok(JsonAnswer(requeued.into()))
}
