//! Which destinations there are: their rules, their pauses, and whether they are out of service.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::backlog::requeue;
use crate::clock::{from_millis, later, millis};
use crate::outbox::GONE;
use crate::retry::RETRY_AFTER_MAX;
use crate::{Control, ControlError, Destination, row};

/// Whether a destination takes messages now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// It asked us to wait.
    PausedUntil(DateTime<Utc>),
    /// It said that it is gone.
    Disabled,
}

impl Control {
    /// Makes these the destinations that alerts are queued for, from the next [`apply`](Self::apply)
    /// on. Call it before the first one; the rules survive a restart. A destination that was
    /// switched off because it answered 410 is tried again, with what it was owed then and is still
    /// news; messages for one that is not in the list any more stay in the outbox until they expire,
    /// in case it comes back.
    pub async fn set_destinations(&self, destinations: &[Destination]) -> Result<(), ControlError> {
        let names: BTreeSet<&str> = destinations.iter().map(Destination::name).collect();
        if names.len() < destinations.len() {
            return Err(ControlError::Invalid("two destinations have the same name".into()));
        }
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE destinations SET configured = 0").execute(&mut *transaction).await?;
        for destination in destinations {
            let is_gone: Option<i64> = sqlx::query_scalar(
                "SELECT disabled_at FROM destinations WHERE name = $1 AND disabled_at IS NOT NULL",
            )
            .bind(destination.name())
            .fetch_optional(&mut *transaction)
            .await?;
            if is_gone.is_some() {
                requeue(&mut transaction, destination.name(), Some(GONE), self.clock.steady()).await?;
            }
            sqlx::query(
                "INSERT INTO destinations (name, kind, route, configured) VALUES ($1, $2, $3, 1) \
                 ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, route = excluded.route, \
                 configured = 1, disabled_at = NULL, disabled_reason = NULL",
            )
            .bind(destination.name())
            .bind(destination.kind.as_str())
            .bind(row::json(&destination.route)?)
            .execute(&mut *transaction)
            .await?;
        }
        set_aside_the_orphaned(&mut transaction, self.clock.steady()).await?;
        trust_no_far_off_time(&mut transaction, self.clock.steady()).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) async fn readiness(
        &self,
        destination: &str,
        now: DateTime<Utc>,
    ) -> Result<Readiness, ControlError> {
        let row: Option<(Option<i64>, Option<i64>)> =
            sqlx::query_as("SELECT disabled_at, paused_until FROM destinations WHERE name = $1")
                .bind(destination)
                .fetch_optional(self.readers())
                .await?;
        Ok(match row {
            Some((Some(_), _)) => Readiness::Disabled,
            Some((None, Some(until))) if until > millis(now) => Readiness::PausedUntil(from_millis(until)),
            _ => Readiness::Ready,
        })
    }

    /// Sends nothing there until then: the receiver asked for it.
    pub(crate) async fn pause(&self, destination: &str, until: DateTime<Utc>) -> Result<(), ControlError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE destinations SET paused_until = $2 WHERE name = $1")
            .bind(destination)
            .bind(millis(until))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Sends nothing there until the next start: the receiver said that it is gone.
    pub(crate) async fn disable(
        &self,
        destination: &str,
        now: DateTime<Utc>,
        reason: &str,
    ) -> Result<(), ControlError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE destinations SET disabled_at = $2, disabled_reason = $3 WHERE name = $1")
            .bind(destination)
            .bind(millis(now))
            .bind(reason)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}

async fn set_aside_the_orphaned(
    connection: &mut sqlx::SqliteConnection,
    now: DateTime<Utc>,
) -> Result<(), ControlError> {
    sqlx::query(
        "UPDATE notices SET state = 'undelivered', finished_at = $1, \
         last_error = 'the destination is no longer configured' WHERE state = 'pending' AND expires_at < $1 \
         AND destination IN (SELECT name FROM destinations WHERE configured = 0)",
    )
    .bind(millis(now))
    .execute(connection)
    .await?;
    Ok(())
}

/// If the clock was set back while we were down, retries would lie as far off as it was set back.
/// None was ever planned further ahead than the longest pause.
async fn trust_no_far_off_time(
    connection: &mut sqlx::SqliteConnection,
    now: DateTime<Utc>,
) -> Result<(), ControlError> {
    let latest = millis(later(now, RETRY_AFTER_MAX));
    sqlx::query(
        "UPDATE notices SET due_at = $1 WHERE state = 'pending' AND due_at > $1 \
         AND (attempts > 0 OR alert_id NOT IN (SELECT alert_id FROM alerts WHERE snoozed_until IS NOT NULL))",
    )
    .bind(latest)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE destinations SET paused_until = $1 WHERE paused_until > $1")
        .bind(latest)
        .execute(connection)
        .await?;
    Ok(())
}
