//! How the outbox stands, for people: counts, what could not be delivered, and another try at it.

use chrono::{DateTime, Utc};
use event::{Scope, Severity, Tenant};
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use crate::clock::{from_millis, later, millis};
use crate::enqueue::GIVE_UP_AFTER;
use crate::list::push_scope;
use crate::{Control, ControlError, row};

/// How one destination stands. What arrived is in [`OutboxCounters`](crate::OutboxCounters).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DestinationStats {
    /// Its name.
    pub destination: String,
    /// Whether it is in the configuration that runs.
    pub configured: bool,
    /// Messages that wait or are tried again.
    pub pending: i64,
    /// Of these, those that were tried at least once.
    pub failing: i64,
    /// Messages that were given up.
    pub undelivered: i64,
    /// What the newest message that waits for another try was told, or else the newest given up.
    pub last_error: Option<String>,
    /// When the oldest pending message was queued.
    pub oldest_queued_at: Option<DateTime<Utc>>,
    /// When it was switched off because it answered 410.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Until when it asked us to wait.
    pub paused_until: Option<DateTime<Utc>>,
}

/// A message and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoticeEntry {
    /// What the receiver knows it by.
    pub message_id: String,
    /// Where it goes.
    pub destination: String,
    /// Which alert it is about.
    pub alert_id: String,
    /// Whose alert.
    pub tenant: Tenant,
    /// `opened`, `raised`, `updated`, `acknowledged` or `closed`.
    pub kind: String,
    /// How bad the alert was then.
    pub severity: Severity,
    /// `pending`, `delivered`, `undelivered`, or `overtaken`: given up, and needless since.
    pub state: String,
    /// When it was queued.
    pub queued_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i64,
    /// When it arrived or was given up.
    pub finished_at: Option<DateTime<Utc>>,
    /// What the last attempt that failed was told.
    pub last_error: Option<String>,
}

/// The most entries that are listed at once.
const LIMIT_MAX: u32 = 500;

impl Control {
    /// Every destination that has, or ever had, messages, by name.
    pub async fn outbox_stats(&self) -> Result<Vec<DestinationStats>, ControlError> {
        let rows: Vec<StatsRow> = sqlx::query_as(
            "SELECT d.name, d.configured, d.disabled_at, d.paused_until, COALESCE(p.pending, 0) AS pending, \
             COALESCE(p.failing, 0) AS failing, p.oldest_queued_at, COALESCE(u.undelivered, 0) AS undelivered, \
             COALESCE((SELECT failing.last_error FROM notices failing WHERE failing.state = 'pending' \
             AND failing.destination = d.name AND failing.last_error IS NOT NULL \
             ORDER BY failing.id DESC LIMIT 1), \
             (SELECT last.last_error FROM notices last WHERE last.id = u.newest)) AS last_error \
             FROM destinations d \
             LEFT JOIN (SELECT destination, COUNT(*) AS pending, MIN(queued_at) AS oldest_queued_at, \
             SUM(CASE WHEN attempts > 0 THEN 1 ELSE 0 END) AS failing \
             FROM notices WHERE state = 'pending' GROUP BY destination) p ON p.destination = d.name \
             LEFT JOIN (SELECT destination, COUNT(*) AS undelivered, MAX(id) AS newest \
             FROM notices WHERE state = 'undelivered' GROUP BY destination) u ON u.destination = d.name \
             ORDER BY d.name",
        )
        .fetch_all(self.readers())
        .await?;
        Ok(rows.into_iter().map(DestinationStats::from).collect())
    }

    /// The messages that were given up, newest first.
    pub async fn undelivered(&self, scope: &Scope, limit: u32) -> Result<Vec<NoticeEntry>, ControlError> {
        let mut query = select(scope);
        query.push(" AND state = 'undelivered' ORDER BY id DESC LIMIT ");
        query.push_bind(i64::from(limit.min(LIMIT_MAX)));
        entries(query.build_query_as().fetch_all(self.readers()).await?)
    }

    /// Who was told what of one alert, in order.
    pub async fn notices(&self, scope: &Scope, alert_id: &str) -> Result<Vec<NoticeEntry>, ControlError> {
        let mut query = select(scope);
        query.push(" AND alert_id = ").push_bind(alert_id);
        query.push(" ORDER BY id LIMIT ").push_bind(i64::from(LIMIT_MAX));
        entries(query.build_query_as().fetch_all(self.readers()).await?)
    }

    /// Tries what one destination did not get for another day, once its trouble is mended. `None` if
    /// no destination has that name.
    pub async fn requeue_undelivered(&self, destination: &str) -> Result<Option<Requeued>, ControlError> {
        let mut transaction = self.write().await?;
        let found = sqlx::query(
            "UPDATE destinations SET disabled_at = NULL, disabled_reason = NULL, paused_until = NULL \
             WHERE name = $1",
        )
        .bind(destination)
        .execute(&mut *transaction)
        .await?;
        if found.rows_affected() == 0 {
            return Ok(None);
        }
        let requeued = requeue(&mut transaction, destination, None, self.clock.steady()).await?;
        transaction.commit().await?;
        Ok(Some(requeued))
    }
}

/// What became of messages that had been given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requeued {
    /// They are tried again.
    pub requeued: u64,
    /// They are not: the destination knows something newer of their episode, or that it is over.
    pub overtaken: u64,
}

/// A trigger that went out after its resolve would page for nothing, and nobody would resolve it.
const IS_OVERTAKEN: &str = "kind <> 'closed' AND (EXISTS (SELECT 1 FROM threads told \
     WHERE told.destination = notices.destination AND told.dedup_key = notices.dedup_key AND told.closed = 1) \
     OR EXISTS (SELECT 1 FROM notices newer WHERE newer.state = 'delivered' AND newer.kind <> 'acknowledged' \
     AND newer.destination = notices.destination AND newer.dedup_key = notices.dedup_key \
     AND newer.id > notices.id))";

/// Puts back what one destination did not get and is still news: everything, or what was given up
/// for this reason and whose day is not over.
pub(crate) async fn requeue(
    connection: &mut SqliteConnection,
    destination: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Requeued, ControlError> {
    let mut done = Requeued::default();
    let mut overtaken = sqlx::QueryBuilder::new("UPDATE notices SET state = 'overtaken'");
    push_given_up(&mut overtaken, destination, reason, now);
    overtaken.push(" AND ").push(IS_OVERTAKEN);
    done.overtaken = overtaken.build().execute(&mut *connection).await?.rows_affected();
    let mut requeued =
        sqlx::QueryBuilder::new("UPDATE notices SET state = 'pending', due_at = 0, expires_at = ");
    requeued.push_bind(millis(later(now, GIVE_UP_AFTER))).push(", finished_at = NULL");
    push_given_up(&mut requeued, destination, reason, now);
    done.requeued = requeued.build().execute(connection).await?.rows_affected();
    Ok(done)
}

fn push_given_up(
    query: &mut sqlx::QueryBuilder<sqlx::Sqlite>,
    destination: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
) {
    query.push(" WHERE state = 'undelivered' AND destination = ").push_bind(destination.to_owned());
    if let Some(reason) = reason {
        query.push(" AND last_error = ").push_bind(reason.to_owned());
        query.push(" AND expires_at > ").push_bind(millis(now));
    }
}

fn select(scope: &Scope) -> sqlx::QueryBuilder<sqlx::Sqlite> {
    let mut query = sqlx::QueryBuilder::new(
        "SELECT message_id, destination, alert_id, tenant, kind, severity, state, queued_at, attempts, \
         finished_at, last_error FROM notices WHERE ",
    );
    push_scope(&mut query, scope);
    query
}

#[derive(sqlx::FromRow)]
struct StatsRow {
    name: String,
    configured: bool,
    disabled_at: Option<i64>,
    paused_until: Option<i64>,
    pending: i64,
    failing: i64,
    undelivered: i64,
    last_error: Option<String>,
    oldest_queued_at: Option<i64>,
}

impl From<StatsRow> for DestinationStats {
    fn from(row: StatsRow) -> Self {
        Self {
            destination: row.name,
            configured: row.configured,
            pending: row.pending,
            failing: row.failing,
            undelivered: row.undelivered,
            last_error: row.last_error,
            oldest_queued_at: row.oldest_queued_at.map(from_millis),
            disabled_at: row.disabled_at.map(from_millis),
            paused_until: row.paused_until.map(from_millis),
        }
    }
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    message_id: String,
    destination: String,
    alert_id: String,
    tenant: String,
    kind: String,
    severity: i32,
    state: String,
    queued_at: i64,
    attempts: i64,
    finished_at: Option<i64>,
    last_error: Option<String>,
}

fn entries(rows: Vec<EntryRow>) -> Result<Vec<NoticeEntry>, ControlError> {
    rows.into_iter().map(NoticeEntry::try_from).collect()
}

impl TryFrom<EntryRow> for NoticeEntry {
    type Error = ControlError;

    fn try_from(row: EntryRow) -> Result<Self, ControlError> {
        Ok(Self {
            message_id: row.message_id,
            destination: row.destination,
            alert_id: row.alert_id,
            tenant: Tenant::parse(&row.tenant).map_err(|e| ControlError::damaged("tenant", e))?,
            kind: row.kind,
            severity: row::severity(row.severity),
            state: row.state,
            queued_at: from_millis(row.queued_at),
            attempts: row.attempts,
            finished_at: row.finished_at.map(from_millis),
            last_error: row.last_error,
        })
    }
}
