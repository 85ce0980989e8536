//! The change log: what live listeners are sent, and one alert's history.

use chrono::{DateTime, Utc};
use event::{AlertChange, Scope};
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};

use crate::clock::millis;
use crate::list::push_scope;
use crate::{Actor, AlertState, Control, ControlError, LoggedChange, StoredAlert, Verdict, clock, row};

/// The most entries that are read at once.
const LIMIT_MAX: usize = 1_000;

#[derive(sqlx::FromRow)]
struct ChangeRow {
    sequence: i64,
    change: String,
    at: i64,
    action: Option<String>,
    actor: Option<String>,
    note: Option<String>,
    state: Option<String>,
    verdict: Option<String>,
    snoozed_until: Option<i64>,
}

/// One entry as it is written.
pub(crate) struct Entry<'a> {
    pub(crate) change: &'a AlertChange,
    /// The alert since.
    pub(crate) after: &'a StoredAlert,
    pub(crate) at: DateTime<Utc>,
    /// What a person did, and who that was; a detector's change has its revision instead.
    pub(crate) by: Option<(&'static str, Actor<'a>)>,
}

impl<'a> Entry<'a> {
    pub(crate) fn of_detector(change: &'a AlertChange, after: &'a StoredAlert, at: DateTime<Utc>) -> Self {
        Self { change, after, at, by: None }
    }
}

const NOTE_CHARS_MAX: usize = 2_000;

/// Writes an entry, inside the caller's transaction. What became of the alert stands in it, so that a
/// verdict is in the trail even when the alert was opened again.
pub(crate) async fn log(connection: &mut SqliteConnection, entry: &Entry<'_>) -> Result<(), ControlError> {
    let Entry { change, after, at, by } = entry;
    let note = by.and_then(|(_, actor)| actor.note);
    sqlx::query(
        "INSERT INTO alert_changes (sequence, alert_id, revision, tenant, at, change, action, actor, note, \
         state, verdict, snoozed_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(after.sequence)
    .bind(&change.alert.alert_id)
    .bind(by.is_none().then_some(i64::from(change.revision)))
    .bind(change.alert.tenant.as_str())
    .bind(millis(*at))
    .bind(row::json(change)?)
    .bind(by.map(|(action, _)| action))
    .bind(by.map(|(_, actor)| actor.name))
    .bind(note.map(|note| note.chars().take(NOTE_CHARS_MAX).collect::<String>()))
    .bind(after.state.as_str())
    .bind(after.verdict.map(Verdict::as_str))
    .bind(after.snoozed_until.map(millis))
    .execute(connection)
    .await?;
    Ok(())
}

impl Control {
    /// The changes that came after a number, in order. A listener that was away goes on from the
    /// last number it has seen. Revisions of one alert may be out of order; the highest counts.
    pub async fn changes_after(
        &self,
        scope: &Scope,
        sequence: i64,
        limit: usize,
    ) -> Result<Vec<LoggedChange>, ControlError> {
        let mut query = select(scope);
        query.push(" AND sequence > ").push_bind(sequence);
        query.push(" ORDER BY sequence LIMIT ");
        self.logged(query, limit).await
    }

    /// What happened to one alert, in order: its audit trail. Of more than a thousand entries the
    /// newest, because who closed it matters more than the first of many updates.
    pub async fn history(&self, scope: &Scope, alert_id: &str) -> Result<Vec<LoggedChange>, ControlError> {
        let mut query = select(scope);
        query.push(" AND alert_id = ").push_bind(alert_id);
        query.push(" ORDER BY sequence DESC LIMIT ");
        let mut newest_first = self.logged(query, LIMIT_MAX).await?;
        newest_first.reverse();
        Ok(newest_first)
    }

    async fn logged(
        &self,
        mut query: QueryBuilder<Sqlite>,
        limit: usize,
    ) -> Result<Vec<LoggedChange>, ControlError> {
        query.push_bind(i64::try_from(limit.min(LIMIT_MAX)).expect("a thousand fits"));
        let rows: Vec<ChangeRow> = query.build_query_as().fetch_all(self.readers()).await?;
        rows.into_iter().map(LoggedChange::try_from).collect()
    }
}

fn select(scope: &Scope) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT sequence, change, at, action, actor, note, state, verdict, snoozed_until \
         FROM alert_changes WHERE ",
    );
    push_scope(&mut query, scope);
    query
}

impl TryFrom<ChangeRow> for LoggedChange {
    type Error = ControlError;

    fn try_from(row: ChangeRow) -> Result<Self, ControlError> {
        Ok(Self {
            sequence: row.sequence,
            change: serde_json::from_str(&row.change)
                .map_err(|e| ControlError::damaged("alert change", e))?,
            at: clock::from_millis(row.at),
            action: row.action,
            actor: row.actor,
            note: row.note,
            state: row.state.as_deref().and_then(AlertState::parse),
            verdict: row.verdict.as_deref().and_then(Verdict::parse),
            snoozed_until: row.snoozed_until.map(clock::from_millis),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_partners_changes_are_found_without_reading_everybodys() {
        let control = Control::in_memory().await.unwrap();
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
            "EXPLAIN QUERY PLAN SELECT sequence FROM alert_changes \
             WHERE tenant IN ('prt_acme') AND sequence > 7 ORDER BY sequence LIMIT 32",
        )
        .fetch_all(control.readers())
        .await
        .unwrap();
        assert!(plan[0].3.contains("alert_changes_by_tenant (tenant=? AND sequence>?)"), "{plan:?}");
    }
}
