//! Putting messages into the outbox, inside the transaction that changed the alert.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use event::ids::tagged;
use sqlx::sqlite::SqliteConnection;

use crate::clock::{from_millis, later, millis};
use crate::policy::{NoticeKind, Route, Told, is_old_news, merged};
use crate::{ControlError, StoredAlert, control, row};

/// At most one plain update per destination and episode in this time.
pub(crate) const UPDATE_INTERVAL: Duration = Duration::from_secs(60);
/// How long a message is tried for.
pub(crate) const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The rules of every destination that is configured.
pub(crate) async fn routes(connection: &mut SqliteConnection) -> Result<Vec<Route>, ControlError> {
    let routes: Vec<String> =
        sqlx::query_scalar("SELECT route FROM destinations WHERE configured = 1 ORDER BY name")
            .fetch_all(connection)
            .await?;
    routes
        .iter()
        .map(|route| serde_json::from_str(route).map_err(|e| ControlError::damaged("route", e)))
        .collect()
}

/// Queues what each destination should hear of a detector's change; returns how many messages are new.
pub(crate) async fn tell_all(
    connection: &mut SqliteConnection,
    routes: &[Route],
    before: Option<&StoredAlert>,
    after: &StoredAlert,
    at: DateTime<Utc>,
    page_age_max: Option<TimeDelta>,
) -> Result<usize, ControlError> {
    let mut queued = 0;
    let is_old_news = is_old_news(&after.alert, at, page_age_max);
    for route in routes {
        let told = thread(connection, &route.destination, &after.alert.dedup_key).await?;
        if told.is_none() && is_old_news {
            continue;
        }
        for kind in route.notices(told.map(|t| t.told), before.map(|b| b.state), after) {
            let sent_at = told.and_then(|t| t.sent_at);
            queued += usize::from(put(connection, &route.destination, kind, after, sent_at, at).await?);
        }
    }
    Ok(queued)
}

/// Queues what a person did for each destination that knows of the alert.
pub(crate) async fn tell_those_who_know(
    connection: &mut SqliteConnection,
    routes: &[Route],
    kind: NoticeKind,
    alert: &StoredAlert,
    at: DateTime<Utc>,
) -> Result<(), ControlError> {
    for route in routes {
        let Some(thread) = thread(connection, &route.destination, &alert.alert.dedup_key).await? else {
            continue;
        };
        if !thread.told.closed {
            put(connection, &route.destination, kind, alert, thread.sent_at, at).await?;
        }
    }
    Ok(())
}

/// Holds back what nobody has tried to send yet of an alert that is snoozed.
pub(crate) async fn hold_until(
    connection: &mut SqliteConnection,
    alert: &StoredAlert,
    until: DateTime<Utc>,
) -> Result<(), ControlError> {
    sqlx::query(
        "UPDATE notices SET due_at = $2, expires_at = $3 \
         WHERE alert_id = $1 AND state = 'pending' AND attempts = 0 AND kind IN ('opened', 'updated')",
    )
    .bind(&alert.alert.alert_id)
    .bind(millis(until))
    .bind(millis(later(until, GIVE_UP_AFTER)))
    .execute(connection)
    .await?;
    Ok(())
}

/// A person closed the alert: whoever has not been told of it need not be woken any more.
pub(crate) async fn forget_untried(
    connection: &mut SqliteConnection,
    alert: &StoredAlert,
) -> Result<(), ControlError> {
    sqlx::query(
        "DELETE FROM threads WHERE dedup_key = $1 AND destination IN (SELECT destination FROM notices \
         WHERE alert_id = $2 AND state = 'pending' AND attempts = 0 AND kind = 'opened')",
    )
    .bind(&alert.alert.dedup_key)
    .bind(&alert.alert.alert_id)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM notices WHERE alert_id = $1 AND state = 'pending' AND attempts = 0")
        .bind(&alert.alert.alert_id)
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(Clone, Copy)]
struct Thread {
    told: Told,
    sent_at: Option<DateTime<Utc>>,
}

async fn thread(
    connection: &mut SqliteConnection,
    destination: &str,
    dedup_key: &str,
) -> Result<Option<Thread>, ControlError> {
    let row: Option<(i32, bool, Option<i64>)> = sqlx::query_as(
        "SELECT severity, closed, sent_at FROM threads WHERE destination = $1 AND dedup_key = $2",
    )
    .bind(destination)
    .bind(dedup_key)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(rank, closed, sent_at)| Thread {
        told: Told { severity: row::severity(rank), closed },
        sent_at: sent_at.map(from_millis),
    }))
}

/// Puts one message last in its episode's queue, or into the message that waits there untried.
/// Returns whether it became a message of its own.
async fn put(
    connection: &mut SqliteConnection,
    destination: &str,
    kind: NoticeKind,
    alert: &StoredAlert,
    sent_at: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
) -> Result<bool, ControlError> {
    let waiting = last_waiting(connection, destination, &alert.alert.dedup_key).await?;
    if let Some((id, NoticeKind::Opened)) = waiting
        && kind == NoticeKind::Closed
        && alert.snoozed_until.is_some_and(|until| until > at)
    {
        // It was over before the snooze was: there is nothing left to be woken for.
        forget(connection, id, destination, &alert.alert.dedup_key).await?;
        return Ok(false);
    }
    let merge = waiting.and_then(|(id, waiting)| Some((id, merged(waiting, kind)?)));
    match merge {
        Some((id, merged)) => renew(connection, id, destination, merged, kind, alert).await?,
        None => insert(connection, destination, kind, alert, due(kind, alert, sent_at, at), at).await?,
    }
    sqlx::query(
        "INSERT INTO threads (destination, dedup_key, severity, closed) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (destination, dedup_key) DO UPDATE SET severity = excluded.severity, \
         closed = excluded.closed",
    )
    .bind(destination)
    .bind(&alert.alert.dedup_key)
    .bind(row::rank(alert.alert.severity))
    .bind(kind == NoticeKind::Closed)
    .execute(connection)
    .await?;
    Ok(merge.is_none())
}

async fn forget(
    connection: &mut SqliteConnection,
    id: i64,
    destination: &str,
    dedup_key: &str,
) -> Result<(), ControlError> {
    sqlx::query("DELETE FROM notices WHERE id = $1").bind(id).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM threads WHERE destination = $1 AND dedup_key = $2")
        .bind(destination)
        .bind(dedup_key)
        .execute(connection)
        .await?;
    Ok(())
}

async fn last_waiting(
    connection: &mut SqliteConnection,
    destination: &str,
    dedup_key: &str,
) -> Result<Option<(i64, NoticeKind)>, ControlError> {
    let last: Option<(i64, String, i32)> = sqlx::query_as(
        "SELECT id, kind, attempts FROM notices \
         WHERE destination = $1 AND dedup_key = $2 AND state = 'pending' ORDER BY id DESC LIMIT 1",
    )
    .bind(destination)
    .bind(dedup_key)
    .fetch_optional(connection)
    .await?;
    Ok(last.and_then(|(id, kind, attempts)| (attempts == 0).then_some((id, NoticeKind::parse(&kind)?))))
}

/// When a message may first be sent, in milliseconds. What is urgent is due since ever, rather
/// than now: it must not wait because two clocks differ.
fn due(kind: NoticeKind, alert: &StoredAlert, sent_at: Option<DateTime<Utc>>, at: DateTime<Utc>) -> i64 {
    let coalesced = match (kind, sent_at) {
        (NoticeKind::Updated, Some(sent_at)) => millis(later(sent_at, UPDATE_INTERVAL)),
        _ => 0,
    };
    let snoozed = match (kind, alert.snoozed_until) {
        (NoticeKind::Opened | NoticeKind::Updated, Some(until)) if until > at => millis(until),
        _ => 0,
    };
    coalesced.max(snoozed)
}

async fn insert(
    connection: &mut SqliteConnection,
    destination: &str,
    kind: NoticeKind,
    alert: &StoredAlert,
    due_at: i64,
    at: DateTime<Utc>,
) -> Result<(), ControlError> {
    let id = control::next(connection, "notice").await?;
    let expires_at = later(from_millis(due_at.max(millis(at))), GIVE_UP_AFTER);
    sqlx::query(
        "INSERT INTO notices (id, message_id, destination, dedup_key, alert_id, tenant, kind, severity, \
         alert, queued_at, due_at, expires_at, attempts, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 'pending') \
         ON CONFLICT (message_id) DO NOTHING",
    )
    .bind(id)
    .bind(message_id(destination, kind, alert))
    .bind(destination)
    .bind(&alert.alert.dedup_key)
    .bind(&alert.alert.alert_id)
    .bind(alert.alert.tenant.as_str())
    .bind(kind.as_str())
    .bind(row::rank(alert.alert.severity))
    .bind(row::json(alert)?)
    .bind(millis(at))
    .bind(due_at)
    .bind(millis(expires_at))
    .execute(connection)
    .await?;
    Ok(())
}

/// The message that waits now says what has come to pass since. Anything but a plain update sends it off.
async fn renew(
    connection: &mut SqliteConnection,
    id: i64,
    destination: &str,
    kind: NoticeKind,
    cause: NoticeKind,
    alert: &StoredAlert,
) -> Result<(), ControlError> {
    let urgent = cause != NoticeKind::Updated;
    sqlx::query(
        "UPDATE notices SET message_id = $2, kind = $3, severity = $4, alert = $5, \
         due_at = CASE WHEN $6 THEN 0 ELSE due_at END WHERE id = $1",
    )
    .bind(id)
    .bind(message_id(destination, kind, alert))
    .bind(kind.as_str())
    .bind(row::rank(alert.alert.severity))
    .bind(row::json(alert)?)
    .bind(urgent)
    .execute(connection)
    .await?;
    Ok(())
}

/// What the receiver knows the message by, however often it is sent. It follows from the log, so
/// that even a lost database does not make a second message of the first; what a person did is in
/// no log but ours and goes by its number there.
fn message_id(destination: &str, kind: NoticeKind, alert: &StoredAlert) -> String {
    let by_a_person = kind == NoticeKind::Acknowledged || alert.closed_by.is_some();
    let cause = if by_a_person { alert.sequence } else { i64::from(alert.revision) };
    tagged(
        "msg_",
        &[
            destination.as_bytes(),
            alert.alert.alert_id.as_bytes(),
            kind.as_str().as_bytes(),
            alert.alert.severity.as_str().as_bytes(),
            &cause.to_be_bytes(),
            &[u8::from(by_a_person)],
        ],
    )
}
