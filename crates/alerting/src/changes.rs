//! The change log: what live listeners are sent, and one alert's history.

use event::Scope;
use sqlx::{QueryBuilder, Sqlite};

use crate::list::push_scope;
use crate::{Control, ControlError, LoggedChange, clock};

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
        self.logged(query, limit).await
    }

    /// Everything that ever happened to one alert, in order: its audit trail.
    pub async fn history(&self, scope: &Scope, alert_id: &str) -> Result<Vec<LoggedChange>, ControlError> {
        let mut query = select(scope);
        query.push(" AND alert_id = ").push_bind(alert_id);
        self.logged(query, LIMIT_MAX).await
    }

    async fn logged(
        &self,
        mut query: QueryBuilder<Sqlite>,
        limit: usize,
    ) -> Result<Vec<LoggedChange>, ControlError> {
        let limit = i64::try_from(limit.min(LIMIT_MAX)).expect("a thousand fits");
        query.push(" ORDER BY sequence LIMIT ").push_bind(limit);
        let rows: Vec<ChangeRow> = query.build_query_as().fetch_all(self.readers()).await?;
        rows.into_iter().map(LoggedChange::try_from).collect()
    }
}

fn select(scope: &Scope) -> QueryBuilder<Sqlite> {
    let mut query =
        QueryBuilder::new("SELECT sequence, change, at, action, actor, note FROM alert_changes WHERE ");
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
        })
    }
}
