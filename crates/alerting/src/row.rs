//! How a stored alert is written to and read from its table.

use event::Severity;
use sqlx::sqlite::SqliteConnection;

use crate::clock::{from_millis, millis};
use crate::{AlertState, ControlError, StoredAlert, Verdict};

/// The columns that make a stored alert, for every `SELECT` of one.
pub(crate) const COLUMNS: &str = "alert, revision, state, opened_at, updated_at, closed_at, \
     closed_by, verdict, snoozed_until, opened_sequence, sequence";

#[derive(sqlx::FromRow)]
pub(crate) struct AlertRow {
    alert: String,
    revision: i64,
    state: String,
    opened_at: i64,
    updated_at: i64,
    closed_at: Option<i64>,
    closed_by: Option<String>,
    verdict: Option<String>,
    snoozed_until: Option<i64>,
    pub(crate) opened_sequence: i64,
    sequence: i64,
}

impl TryFrom<AlertRow> for StoredAlert {
    type Error = ControlError;

    fn try_from(row: AlertRow) -> Result<Self, ControlError> {
        let state = AlertState::parse(&row.state);
        Ok(Self {
            alert: serde_json::from_str(&row.alert).map_err(|e| ControlError::damaged("alert", e))?,
            revision: u32::try_from(row.revision).map_err(|e| ControlError::damaged("alert revision", e))?,
            state: state.ok_or_else(|| ControlError::damaged("alert state", &row.state))?,
            opened_at: from_millis(row.opened_at),
            updated_at: from_millis(row.updated_at),
            closed_at: row.closed_at.map(from_millis),
            closed_by: row.closed_by,
            verdict: row.verdict.as_deref().and_then(Verdict::parse),
            snoozed_until: row.snoozed_until.map(from_millis),
            sequence: row.sequence,
        })
    }
}

/// Reads one alert, whoever's it is.
pub(crate) async fn read(
    connection: &mut SqliteConnection,
    alert_id: &str,
) -> Result<Option<StoredAlert>, ControlError> {
    let row: Option<AlertRow> = sqlx::query_as(
        "SELECT alert, revision, state, opened_at, updated_at, closed_at, closed_by, verdict, snoozed_until, \
         opened_sequence, sequence FROM alerts WHERE alert_id = $1",
    )
    .bind(alert_id)
    .fetch_optional(connection)
    .await?;
    row.map(StoredAlert::try_from).transpose()
}

/// Writes one alert as it now stands. Its place in lists is that of its first change.
pub(crate) async fn write(
    connection: &mut SqliteConnection,
    stored: &StoredAlert,
) -> Result<(), ControlError> {
    let alert = &stored.alert;
    sqlx::query(
        "INSERT INTO alerts (alert_id, dedup_key, tenant, detector, class, severity, state, revision, \
         last_seen, opened_at, updated_at, closed_at, closed_by, verdict, snoozed_until, opened_sequence, \
         sequence, alert) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16, $17) \
         ON CONFLICT (alert_id) DO UPDATE SET severity = excluded.severity, state = excluded.state, \
         revision = excluded.revision, class = excluded.class, last_seen = excluded.last_seen, \
         opened_at = excluded.opened_at, updated_at = excluded.updated_at, closed_at = excluded.closed_at, \
         closed_by = excluded.closed_by, verdict = excluded.verdict, snoozed_until = excluded.snoozed_until, \
         sequence = excluded.sequence, alert = excluded.alert",
    )
    .bind(&alert.alert_id)
    .bind(&alert.dedup_key)
    .bind(alert.tenant.as_str())
    .bind(&alert.detector)
    .bind(&alert.class)
    .bind(rank(alert.severity))
    .bind(stored.state.as_str())
    .bind(i64::from(stored.revision))
    .bind(alert.last_seen.millis())
    .bind(millis(stored.opened_at))
    .bind(millis(stored.updated_at))
    .bind(stored.closed_at.map(millis))
    .bind(stored.closed_by.as_deref())
    .bind(stored.verdict.map(Verdict::as_str))
    .bind(stored.snoozed_until.map(millis))
    .bind(stored.sequence)
    .bind(json(alert)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// A severity as the database orders it: 1 to 5.
pub(crate) fn rank(severity: Severity) -> i32 {
    severity.id()
}

/// The severity of a rank; what is out of range counts as the nearest.
pub(crate) fn severity(rank: i32) -> Severity {
    match rank {
        ..=1 => Severity::Info,
        2 => Severity::Low,
        3 => Severity::Medium,
        4 => Severity::High,
        5.. => Severity::Critical,
    }
}

/// Anything of ours as JSON text.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, ControlError> {
    serde_json::to_string(value).map_err(|e| ControlError::Invalid(format!("write as JSON: {e}")))
}
