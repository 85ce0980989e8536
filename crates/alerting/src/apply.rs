//! Applying what the alerts topic says: alerts, change log, outbox and offsets in one transaction.

use chrono::{DateTime, Utc};
use event::{AlertChange, Positions};
use sqlx::sqlite::SqliteConnection;

use crate::changes::Entry;
use crate::fold::fold;
use crate::policy::Route;
use crate::{AlertState, Control, ControlError, StoredAlert, changes, control, enqueue, row};

/// What came of a batch of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Alerts seen for the first time.
    pub new: usize,
    /// Changes that altered an alert that was there and went on.
    pub updated: usize,
    /// Changes that ended an alert's episode.
    pub closed: usize,
    /// Changes that were applied before, or came after a newer one.
    pub ignored: usize,
    /// Messages newly put into the outbox.
    pub queued: usize,
}

impl Control {
    /// Applies a batch of changes and moves the offsets to `positions`, or does neither.
    ///
    /// Applying the same batch again, in whole or in part, in this order or another, is harmless.
    pub async fn apply(
        &self,
        changes: &[AlertChange],
        positions: &Positions,
        received_at: DateTime<Utc>,
    ) -> Result<Applied, ControlError> {
        let mut transaction = self.write().await?;
        let mut applied = Applied::default();
        let mut newest = 0;
        let routes = enqueue::routes(&mut transaction).await?;
        for change in changes {
            let sequence =
                self.apply_one(&mut transaction, &routes, change, received_at, &mut applied).await?;
            newest = sequence.max(newest);
        }
        advance(&mut transaction, positions).await?;
        transaction.commit().await?;
        self.announce(newest);
        Ok(applied)
    }

    /// The next offset to read of one partition; `None` if none of it was ever applied.
    pub async fn committed(&self, topic: &str, partition: i32) -> Result<Option<i64>, ControlError> {
        let next =
            sqlx::query_scalar("SELECT next_offset FROM positions WHERE topic = $1 AND kafka_partition = $2")
                .bind(topic)
                .bind(partition)
                .fetch_optional(self.readers())
                .await?;
        Ok(next)
    }

    /// Returns the change's number in the log, or 0 if it was there before.
    async fn apply_one(
        &self,
        connection: &mut SqliteConnection,
        routes: &[Route],
        change: &AlertChange,
        at: DateTime<Utc>,
        applied: &mut Applied,
    ) -> Result<i64, ControlError> {
        if was_applied(connection, change).await? {
            applied.ignored += 1;
            return Ok(0);
        }
        let before = row::read(connection, &change.alert.alert_id).await?;
        let mut after = fold(before.as_ref(), change, at);
        after.sequence = control::next(connection, "change").await?;
        row::write(connection, &after).await?;
        changes::log(connection, &Entry::of_detector(change, &after, at)).await?;
        let outcome = outcome(before.as_ref(), &after);
        applied.count(outcome);
        if outcome != Outcome::Late {
            let before = before.as_ref();
            applied.queued +=
                enqueue::tell_all(connection, routes, before, &after, at, self.page_age_max).await?;
        }
        Ok(after.sequence)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    New,
    Updated,
    Closed,
    /// A newer revision was there already, and this one does not make it worse.
    Late,
}

fn outcome(before: Option<&StoredAlert>, after: &StoredAlert) -> Outcome {
    let Some(before) = before else { return Outcome::New };
    if before.revision == after.revision && before.alert.severity == after.alert.severity {
        Outcome::Late
    } else if after.state == AlertState::Closed && before.state != AlertState::Closed {
        Outcome::Closed
    } else {
        Outcome::Updated
    }
}

impl Applied {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::New => self.new += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Closed => self.closed += 1,
            Outcome::Late => self.ignored += 1,
        }
    }
}

async fn was_applied(connection: &mut SqliteConnection, change: &AlertChange) -> Result<bool, ControlError> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT sequence FROM alert_changes WHERE alert_id = $1 AND revision = $2")
            .bind(&change.alert.alert_id)
            .bind(i64::from(change.revision))
            .fetch_optional(connection)
            .await?;
    Ok(found.is_some())
}

/// Offsets only go forward: a batch that is read again does not take back what came after it.
async fn advance(connection: &mut SqliteConnection, positions: &Positions) -> Result<(), ControlError> {
    for (topic, partition, next) in positions.iter() {
        sqlx::query(
            "INSERT INTO positions (topic, kafka_partition, next_offset) VALUES ($1, $2, $3) \
             ON CONFLICT (topic, kafka_partition) DO UPDATE SET next_offset = excluded.next_offset \
             WHERE excluded.next_offset > positions.next_offset",
        )
        .bind(&**topic)
        .bind(partition)
        .bind(next)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
