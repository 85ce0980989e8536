//! The outbox as its couriers use it: what is due, taking it, and how it ended.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;

use crate::clock::{from_millis, later, millis};
use crate::destination::message::Message;
use crate::enqueue::UPDATE_INTERVAL;
use crate::policy::NoticeKind;
use crate::{Control, ControlError};

/// Why messages for a receiver that has answered 410 are given up.
pub(crate) const GONE: &str = "answered 410 Gone";

/// A message that a courier is about to send.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    id: i64,
    destination: String,
    dedup_key: String,
    /// This attempt's number, from 1.
    pub(crate) attempts: u32,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) message: Message,
}

#[derive(sqlx::FromRow)]
struct NoticeRow {
    message_id: String,
    destination: String,
    dedup_key: String,
    kind: String,
    alert: String,
    queued_at: i64,
    expires_at: i64,
    attempts: i64,
}

/// Only the oldest message of an episode may be sent: the next one waits until it is done with.
const IS_HEAD: &str = "NOT EXISTS (SELECT 1 FROM notices earlier WHERE earlier.state = 'pending' \
     AND earlier.destination = n.destination AND earlier.dedup_key = n.dedup_key AND earlier.id < n.id)";

impl Control {
    /// The messages that may be sent now, the worst first.
    pub(crate) async fn due(
        &self,
        destination: &str,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<i64>, ControlError> {
        let mut query = sqlx::QueryBuilder::new("SELECT n.id FROM notices n WHERE n.state = 'pending' ");
        query.push(" AND n.destination = ").push_bind(destination);
        query.push(" AND n.due_at <= ").push_bind(millis(now));
        query.push(" AND ").push(IS_HEAD);
        query.push(" ORDER BY n.severity DESC, n.id LIMIT ").push_bind(limit as i64);
        Ok(query.build_query_scalar().fetch_all(self.readers()).await?)
    }

    /// When the next message falls due.
    pub(crate) async fn next_due(&self, destination: &str) -> Result<Option<DateTime<Utc>>, ControlError> {
        let mut query =
            sqlx::QueryBuilder::new("SELECT MIN(n.due_at) FROM notices n WHERE n.state = 'pending' ");
        query.push(" AND n.destination = ").push_bind(destination);
        query.push(" AND ").push(IS_HEAD);
        let due_at: Option<i64> = query.build_query_scalar().fetch_one(self.readers()).await?;
        Ok(due_at.map(from_millis))
    }

    /// Takes one message to send it. From here on nothing is merged into it: whatever it says has
    /// perhaps arrived. `None` if it is not due any more.
    pub(crate) async fn claim(&self, id: i64, now: DateTime<Utc>) -> Result<Option<Claimed>, ControlError> {
        let mut transaction = self.write().await?;
        let row: Option<NoticeRow> = sqlx::query_as(
            "UPDATE notices SET attempts = attempts + 1 WHERE id = $1 AND state = 'pending' AND due_at <= $2 \
             RETURNING message_id, destination, dedup_key, kind, alert, queued_at, expires_at, attempts",
        )
        .bind(id)
        .bind(millis(now))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let claimed = claimed(id, row);
        if let Err(unreadable) = &claimed {
            // It will not become readable by waiting, and those behind it must not wait for it.
            finish(&mut transaction, id, "undelivered", now, Some(&unreadable.to_string())).await?;
            tracing::error!(id, error = %unreadable, "set a message aside that cannot be read");
        }
        transaction.commit().await?;
        Ok(claimed.ok())
    }

    /// It arrived. Updates that wait behind it keep their distance.
    pub(crate) async fn delivered(&self, claimed: &Claimed, now: DateTime<Utc>) -> Result<(), ControlError> {
        let mut transaction = self.write().await?;
        finish(&mut transaction, claimed.id, "delivered", now, None).await?;
        sqlx::query("UPDATE threads SET sent_at = $3 WHERE destination = $1 AND dedup_key = $2")
            .bind(&claimed.destination)
            .bind(&claimed.dedup_key)
            .bind(millis(now))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "UPDATE notices SET due_at = $3 WHERE destination = $1 AND dedup_key = $2 \
             AND state = 'pending' AND kind = 'updated' AND attempts = 0 AND due_at < $3",
        )
        .bind(&claimed.destination)
        .bind(&claimed.dedup_key)
        .bind(millis(later(now, UPDATE_INTERVAL)))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// It did not arrive; it is tried again at `due_at`.
    pub(crate) async fn postpone(
        &self,
        claimed: &Claimed,
        due_at: DateTime<Utc>,
        reason: &str,
    ) -> Result<(), ControlError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE notices SET due_at = $2, last_error = $3 WHERE id = $1")
            .bind(claimed.id)
            .bind(millis(due_at))
            .bind(reason)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// It will not arrive: set aside where people see it.
    pub(crate) async fn give_up(
        &self,
        claimed: &Claimed,
        now: DateTime<Utc>,
        reason: &str,
    ) -> Result<(), ControlError> {
        let mut transaction = self.write().await?;
        finish(&mut transaction, claimed.id, "undelivered", now, Some(reason)).await?;
        transaction.commit().await?;
        Ok(())
    }
}

impl Control {
    /// Gives up everything that one destination is still owed. Returns how many messages that is.
    pub(crate) async fn give_up_all(
        &self,
        destination: &str,
        now: DateTime<Utc>,
        reason: &str,
    ) -> Result<u64, ControlError> {
        let mut transaction = self.write().await?;
        let given_up = sqlx::query(
            "UPDATE notices SET state = 'undelivered', finished_at = $2, last_error = $3 \
             WHERE destination = $1 AND state = 'pending'",
        )
        .bind(destination)
        .bind(millis(now))
        .bind(reason)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(given_up.rows_affected())
    }
}

fn claimed(id: i64, row: NoticeRow) -> Result<Claimed, ControlError> {
    let kind = NoticeKind::parse(&row.kind).ok_or_else(|| ControlError::damaged("notice kind", &row.kind))?;
    let alert = serde_json::from_str(&row.alert).map_err(|e| ControlError::damaged("notice", e))?;
    Ok(Claimed {
        id,
        destination: row.destination,
        dedup_key: row.dedup_key,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        expires_at: from_millis(row.expires_at),
        message: Message { message_id: row.message_id, kind, alert, queued_at: from_millis(row.queued_at) },
    })
}

async fn finish(
    connection: &mut SqliteConnection,
    id: i64,
    state: &str,
    now: DateTime<Utc>,
    error: Option<&str>,
) -> Result<(), ControlError> {
    sqlx::query("UPDATE notices SET state = $2, finished_at = $3, last_error = $4 WHERE id = $1")
        .bind(id)
        .bind(state)
        .bind(millis(now))
        .bind(error)
        .execute(connection)
        .await?;
    Ok(())
}
