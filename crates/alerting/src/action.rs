//! What a person does with an alert: acknowledge it, snooze it, close it with a verdict.

use chrono::{DateTime, Utc};
use event::{AlertChange, Change, Scope};
use serde::Deserialize;
use sqlx::sqlite::SqliteConnection;

use crate::changes::Entry;
use crate::policy::NoticeKind;
use crate::{AlertState, Control, ControlError, StoredAlert, Verdict, changes, control, enqueue, row};

/// What a person wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// "I am at it." Holds until the alert gets worse.
    Acknowledge,
    /// "Not now." Nobody is told of it until then, unless it gets worse.
    Snooze {
        /// When it wakes up.
        until: DateTime<Utc>,
    },
    /// "It is over." Holds until the alert gets worse.
    Close {
        /// What it was.
        verdict: Verdict,
    },
}

/// Who does it, and what they say.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// The name of their API token.
    pub name: &'a str,
    /// A remark for the audit trail; at most 2,000 characters are kept.
    pub note: Option<&'a str>,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Snooze { .. } => "snooze",
            Self::Close { .. } => "close",
        }
    }

    /// What it is to those who follow alerts.
    const fn change(self) -> Change {
        match self {
            Self::Acknowledge | Self::Snooze { .. } => Change::Update,
            Self::Close { .. } => Change::Close,
        }
    }

    /// Whether the alert is already as the person wants it.
    fn is_done(self, alert: &StoredAlert) -> bool {
        match self {
            Self::Acknowledge => alert.state == AlertState::Acknowledged,
            Self::Snooze { until } => alert.snoozed_until == Some(until),
            Self::Close { verdict } => alert.verdict == Some(verdict),
        }
    }

    fn refusal(self, alert: &StoredAlert, at: DateTime<Utc>) -> Option<&'static str> {
        match self {
            Self::Acknowledge | Self::Snooze { .. } if alert.state == AlertState::Closed => {
                Some("the alert is closed")
            }
            Self::Snooze { until } if until <= at => Some("until must lie in the future"),
            _ => None,
        }
    }

    fn alter(self, alert: &mut StoredAlert, actor: &str, at: DateTime<Utc>) {
        match self {
            Self::Acknowledge => alert.state = AlertState::Acknowledged,
            Self::Snooze { until } => alert.snoozed_until = Some(until),
            Self::Close { verdict } => {
                alert.state = AlertState::Closed;
                alert.closed_at = alert.closed_at.or(Some(at));
                alert.closed_by = Some(actor.to_owned());
                alert.verdict = Some(verdict);
                alert.snoozed_until = None;
            }
        }
        alert.updated_at = at;
    }
}

impl Control {
    /// Does it, logs it and lets receivers know, or none of these. `None` where this scope sees no
    /// such alert. An alert whose episode ended can still be closed by a person, for the verdict.
    pub async fn act(
        &self,
        scope: &Scope,
        alert_id: &str,
        action: Action,
        actor: Actor<'_>,
    ) -> Result<Option<StoredAlert>, ControlError> {
        let at = self.clock.wall();
        let mut transaction = self.write().await?;
        let found = row::read(&mut transaction, alert_id).await?;
        let Some(mut alert) = found.filter(|found| scope.allows(&found.alert.tenant)) else {
            return Ok(None);
        };
        if let Some(refusal) = action.refusal(&alert, at) {
            return Err(ControlError::Invalid(refusal.into()));
        }
        if action.is_done(&alert) {
            return Ok(Some(alert));
        }
        action.alter(&mut alert, actor.name, at);
        alert.sequence = control::next(&mut transaction, "change").await?;
        row::write(&mut transaction, &alert).await?;
        let change =
            AlertChange { change: action.change(), revision: alert.revision, alert: alert.alert.clone() };
        let entry = Entry { change: &change, after: &alert, at, by: Some((action.as_str(), actor)) };
        changes::log(&mut transaction, &entry).await?;
        tell(&mut transaction, &alert, action, at).await?;
        transaction.commit().await?;
        self.announce(alert.sequence);
        Ok(Some(alert))
    }
}

async fn tell(
    connection: &mut SqliteConnection,
    alert: &StoredAlert,
    action: Action,
    at: DateTime<Utc>,
) -> Result<(), ControlError> {
    let kind = match action {
        Action::Acknowledge => NoticeKind::Acknowledged,
        Action::Close { .. } => {
            enqueue::forget_untried(connection, alert).await?;
            NoticeKind::Closed
        }
        Action::Snooze { until } => return enqueue::hold_until(connection, alert, until).await,
    };
    let routes = enqueue::routes(connection).await?;
    enqueue::tell_those_who_know(connection, &routes, kind, alert, at).await
}
