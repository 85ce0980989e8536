//! `POST /v1/alerts/{id}/actions`, `GET /v1/alerts/{id}/history`: what people do about an alert, and
//! the trail it leaves.

use std::sync::Arc;

use alerting::{Action, Actor};
use axum::Json as JsonAnswer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::{Platform, Reader};
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::App;
use crate::wire::{AlertView, ChangeView, VerdictName};

/// What a person does about an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deed {
    action: ActionName,
    /// Until when, for `snooze`.
    until: Option<DateTime<Utc>>,
    /// What the alert was, for `close`.
    verdict: Option<VerdictName>,
    /// A remark for the audit trail; at most 2,000 characters are kept.
    note: Option<String>,
}

/// The things that can be done.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ActionName {
    Acknowledge,
    Snooze,
    Close,
}

impl Deed {
    fn action(&self) -> Result<Action, ApiError> {
        match (self.action, self.until, self.verdict) {
            (ActionName::Acknowledge, None, None) => Ok(Action::Acknowledge),
            (ActionName::Snooze, Some(until), None) => Ok(Action::Snooze { until }),
            (ActionName::Close, None, Some(verdict)) => Ok(Action::Close { verdict: verdict.into() }),
            _ => Err(ApiError::BadRequest(
                "acknowledge stands alone, snooze has an until, close has a verdict".to_owned(),
            )),
        }
    }
}

/// What happened to an alert; of more than a thousand changes the newest.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History {
    /// The first first.
    changes: Vec<ChangeView>,
}

/// Acknowledges, snoozes or closes an alert.
///
/// Partners read their alerts; working on them is for tokens that see every partner, so that nobody silences
/// what was found about them.
#[utoipa::path(
    post, path = "/v1/alerts/{id}/actions", operation_id = "act_on_alert", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")),
    request_body = Deed,
    responses(
        (status = 200, description = "The alert since", body = AlertView),
        (status = 400, description = "That cannot be done, or not now"),
        (status = 404, description = "There is none"),
    )
)]
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Platform(principal): Platform,
    Path(id): Path<String>,
    Json(deed): Json<Deed>,
) -> Result<JsonAnswer<AlertView>, ApiError> {
    let actor = Actor { name: &principal.name, note: deed.note.as_deref() };
    let alert = app.control.act(&principal.scope, &id, deed.action()?, actor).await?;
    Ok(JsonAnswer(AlertView::new(alert.ok_or(ApiError::NotFound)?, &principal.scope)))
}

/// Reads an alert's history.
///
/// Its audit trail: what detectors and people did, and what became of the alert by it. Of more than a thousand
/// changes the newest.
#[utoipa::path(
    get, path = "/v1/alerts/{id}/history", operation_id = "read_alert_history", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")),
    responses(
        (status = 200, description = "Its changes, by detectors and people", body = History),
        (status = 404, description = "There is none that the token may see"),
    )
)]
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    caller: Reader,
    Path(id): Path<String>,
) -> Result<JsonAnswer<History>, ApiError> {
    let scope = caller.principal.scope;
    let logged = app.control.history(&scope, &id).await?;
    if logged.is_empty() {
        return Err(ApiError::NotFound);
    }
    let changes = logged.into_iter().map(|change| ChangeView::new(change, &scope)).collect();
    Ok(JsonAnswer(History { changes }))
}
