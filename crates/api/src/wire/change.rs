//! A change of an alert, as the live stream sends it.

use alerting::LoggedChange;
use chrono::{DateTime, Utc};
use event::{Change, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::alert::{Findings, StateName, VerdictName};

/// One change of one alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeView {
    /// Its number in the change log; the event's `id`.
    sequence: i64,
    /// When it was applied.
    at: DateTime<Utc>,
    /// What happened; the event's name.
    change: ChangeName,
    /// Counts the detector's changes of this alert from 0.
    revision: u32,
    /// What a person did, e.g. `acknowledge`; absent where a detector spoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    /// Who that was. Only shown to callers that see every partner.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// What they had to say. Only shown to callers that see every partner.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Where the alert was in its life since; absent in entries of versions that did not keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateName>,
    /// What the person who closed it had found.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<VerdictName>,
    /// Until when nobody was to be told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    snoozed_until: Option<DateTime<Utc>>,
    /// The whole alert after the change, as its detector told it.
    alert: Findings,
}

impl ChangeView {
    /// The change for a caller of this scope.
    pub(crate) fn new(logged: LoggedChange, scope: &Scope) -> Self {
        let inside = *scope == Scope::All;
        Self {
            sequence: logged.sequence,
            at: logged.at,
            change: logged.change.change.into(),
            revision: logged.change.revision,
            action: logged.action,
            actor: logged.actor.filter(|_| inside),
            note: logged.note.filter(|_| inside),
            state: logged.state.map(StateName::from),
            verdict: logged.verdict.map(VerdictName::from),
            snoozed_until: logged.snoozed_until,
            alert: logged.change.alert.into(),
        }
    }
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChangeName {
    Create,
    Update,
    Close,
}

impl From<Change> for ChangeName {
    fn from(change: Change) -> Self {
        match change {
            Change::Create => Self::Create,
            Change::Update => Self::Update,
            Change::Close => Self::Close,
        }
    }
}
