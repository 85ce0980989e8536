//! `GET /v1/reports/key/{fingerprint}`: what one credential did.
//!
//! The statements are files in `reports/`, and `docs/reports.md` shows them to whoever wants to ask further.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use event::Scope;
use query::{Parameter, ParameterType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::uses::{
    AddressUse, CredentialUse, EndpointUse, KeyAlert, Listed, OutcomeUse, Period, PeriodRow, UserUse,
};
use crate::auth::Reader;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::rows::rows;
use crate::state::App;

mod uses;

/// Entries of one list.
const ENTRIES_MAX: usize = 100;
/// Letters of a credential's name.
const KEY_MAX: usize = 256;
/// How far back is looked if nothing is said.
const DAYS_BACK: TimeDelta = TimeDelta::days(30);
/// The moment that use is compared at where no alert names the credential.
const HOURS_BACK: TimeDelta = TimeDelta::hours(24);

/// When.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct When {
    /// The moment that use before and after it is told apart by (RFC 3339): when the earliest alert that names
    /// the credential was triggered if this is left out, and 24 hours before `until` if there is none.
    at: Option<DateTime<Utc>>,
    /// From when on events and alerts count (RFC 3339): 30 days before `until`, or before `at` if that is earlier.
    since: Option<DateTime<Utc>>,
    /// Until when (RFC 3339): now.
    until: Option<DateTime<Utc>>,
}

/// What one credential did: the reach of whoever holds it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyReport {
    #[schema(example = "hmac256:k1:0f3a9c…")]
    key: String,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    /// What is before, and what is after.
    at: DateTime<Utc>,
    at_is: AtIs,
    before: Period,
    after: Period,
    /// What it called.
    endpoints: Listed<EndpointUse>,
    /// Where from.
    addresses: Listed<AddressUse>,
    /// As whom.
    users: Listed<UserUse>,
    /// Keys, tokens and sessions that came with it, itself included.
    credentials: Listed<CredentialUse>,
    /// How it ended.
    outcomes: Listed<OutcomeUse>,
    /// What detectors said of it, the earliest first.
    alerts: Listed<KeyAlert>,
}

/// Where the moment comes from.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AtIs {
    /// The parameter `at`.
    Asked,
    /// The earliest alert.
    FirstAlert,
    /// A day before the end.
    DayBefore,
}

/// Tells what a credential did.
///
/// Of an API key's id or fingerprint, or a session's or token's fingerprint: which endpoints it called, from
/// which addresses, as whom, with what outcome, before and after a moment, and the alerts that name it. Within the
/// partners that the token may see; a credential that is another partner's is answered like one that does not
/// exist. Lists have at most 100 entries, those most used after the moment first. The same can be asked in SQL:
/// docs/reports.md.
#[utoipa::path(
    get, path = "/v1/reports/key/{fingerprint}", operation_id = "report_key", tag = "query",
    params(("fingerprint" = String, Path, description = "The credential, as events and alerts name it"), When),
    responses(
        (status = 200, description = "What it did", body = KeyReport),
        (status = 400, description = "A parameter is not valid"),
        (status = 404, description = "There is no trace of it that the token may see"),
        (status = 422, description = "The search met its limit of time or memory"),
        (status = 429, description = "As many queries run as may"),
        (status = 503, description = "The tables cannot be read for now"),
    )
)]
pub(crate) async fn key(
    State(app): State<Arc<App>>,
    caller: Reader,
    Path(key): Path<String>,
    Query(when): Query<When>,
) -> Result<Json<KeyReport>, ApiError> {
    if key.is_empty() || key.chars().count() > KEY_MAX {
        return Err(ApiError::BadRequest(format!("a credential's name has 1 to {KEY_MAX} letters")));
    }
    let window = Window::of(&when, app.control.now())?;
    let asking = Asking { app: &app, scope: &caller.principal.scope, key: &key };
    let alerts: Listed<KeyAlert> = asking.alerts(&window).await?;
    let (at, at_is) = window.at(&when, alerts.entries.first().map(|alert| alert.triggered_at))?;
    let of = [Some(window.since), Some(window.until), Some(at)];
    let periods: Vec<PeriodRow> = asking.ask(include_str!("reports/periods.sql"), &of, None).await?;
    if periods.is_empty() && alerts.entries.is_empty() {
        return Err(ApiError::NotFound);
    }
    let period = |is_after| periods.iter().find(|row| row.is_after == is_after).map(Period::from);
    Ok(Json(KeyReport {
        since: window.since,
        until: window.until,
        at,
        at_is,
        before: period(false).unwrap_or_default(),
        after: period(true).unwrap_or_default(),
        endpoints: asking.list(include_str!("reports/endpoints.sql"), &of).await?,
        addresses: asking.list(include_str!("reports/addresses.sql"), &of).await?,
        users: asking.list(include_str!("reports/users.sql"), &of).await?,
        credentials: asking.list(include_str!("reports/credentials.sql"), &of).await?,
        outcomes: asking.list(include_str!("reports/outcomes.sql"), &of).await?,
        alerts,
        key,
    }))
}

/// From when to when.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Window {
    fn of(when: &When, now: DateTime<Utc>) -> Result<Self, ApiError> {
        let until = when.until.unwrap_or(now);
        let from = when.at.map_or(until, |at| at.min(until));
        let back = from.checked_sub_signed(DAYS_BACK).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let since = when.since.unwrap_or(back);
        match since < until {
            true => Ok(Self { since, until }),
            false => Err(ApiError::BadRequest("since must be before until".to_owned())),
        }
    }

    fn at(&self, when: &When, first_alert: Option<DateTime<Utc>>) -> Result<(DateTime<Utc>, AtIs), ApiError> {
        let is_within = |at: &DateTime<Utc>| (self.since..=self.until).contains(at);
        match (when.at, first_alert) {
            (Some(at), _) if is_within(&at) => Ok((at, AtIs::Asked)),
            (Some(_), _) => Err(ApiError::BadRequest("at must lie between since and until".to_owned())),
            (None, Some(at)) => Ok((at.max(self.since), AtIs::FirstAlert)),
            (None, None) => {
                let day_before = self.until.checked_sub_signed(HOURS_BACK).unwrap_or(self.since);
                Ok((day_before.max(self.since), AtIs::DayBefore))
            }
        }
    }
}

/// Who asks, and of what.
struct Asking<'a> {
    app: &'a App,
    scope: &'a Scope,
    key: &'a str,
}

impl Asking<'_> {
    async fn alerts(&self, window: &Window) -> Result<Listed<KeyAlert>, ApiError> {
        let of = [Some(window.since), Some(window.until), None];
        self.list(include_str!("reports/alerts.sql"), &of).await
    }

    /// At most so many rows, and whether there are more.
    async fn list<T: DeserializeOwned>(
        &self,
        sql: &str,
        moments: &[Option<DateTime<Utc>>],
    ) -> Result<Listed<T>, ApiError> {
        let entries = self.ask(sql, moments, Some(ENTRIES_MAX + 1)).await?;
        Ok(Listed::of(entries, ENTRIES_MAX))
    }

    /// The credential is `$1`, moments are what follows, and how many rows there may be is the last.
    async fn ask<T: DeserializeOwned>(
        &self,
        sql: &str,
        moments: &[Option<DateTime<Utc>>],
        rows_max: Option<usize>,
    ) -> Result<Vec<T>, ApiError> {
        let text = |value: &str| Parameter { kind: ParameterType::Text, value: Some(value.to_owned()) };
        let mut parameters = vec![text(self.key)];
        parameters.extend(moments.iter().flatten().map(|moment| Parameter {
            kind: ParameterType::TimestampTz,
            value: Some(moment.to_rfc3339_opts(SecondsFormat::Micros, true)),
        }));
        parameters.extend(
            rows_max.map(|rows| Parameter { kind: ParameterType::Int64, value: Some(rows.to_string()) }),
        );
        rows(self.app, self.scope, sql, parameters).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_shows_the_statements_as_they_are() {
        let documentation = include_str!("../../../../docs/reports.md");
        for sql in [
            include_str!("reports/alerts.sql"),
            include_str!("reports/periods.sql"),
            include_str!("reports/endpoints.sql"),
            include_str!("reports/addresses.sql"),
            include_str!("reports/users.sql"),
            include_str!("reports/credentials.sql"),
            include_str!("reports/outcomes.sql"),
        ] {
            assert!(documentation.contains(sql), "docs/reports.md lacks\n{sql}");
        }
    }

    #[test]
    fn the_moment_is_what_was_asked_or_the_first_alert_or_a_day_ago() {
        let now: DateTime<Utc> = "2026-03-14T12:00:00Z".parse().unwrap();
        let when = |at| When { at, since: None, until: None };
        let window = Window::of(&when(None), now).unwrap();
        assert_eq!(window.at(&when(None), None).unwrap().0, now - HOURS_BACK);
        let alert = now - TimeDelta::hours(1);
        assert_eq!(window.at(&when(None), Some(alert)).unwrap().0, alert);
        let asked = when(Some(now - TimeDelta::days(90)));
        let window = Window::of(&asked, now).unwrap();
        assert_eq!(window.since, now - TimeDelta::days(120));
        assert_eq!(window.at(&asked, Some(alert)).unwrap().0, now - TimeDelta::days(90));
        let late = When { at: Some(now + TimeDelta::days(1)), since: None, until: None };
        assert!(Window::of(&late, now).unwrap().at(&late, None).is_err());
    }
}
