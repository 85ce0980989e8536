//! `alerts`: the newest state of every alert, a view of `alert_changes`.

use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use store::Table;

/// The view's name.
pub(crate) const ALERTS: &str = "alerts";

const NEWEST: &str = "wf_newest";

/// Registers the view. It reads the session's own `alert_changes`, so it has the same wall.
pub(crate) async fn register(session: &SessionContext) -> Result<()> {
    let columns: Vec<String> =
        Table::AlertChanges.columns().iter().map(|column| format!("\"{}\"", column.name)).collect();
    let sql = format!(
        "SELECT {} FROM (SELECT *, row_number() OVER (PARTITION BY tenant, alert_id ORDER BY revision DESC) AS {NEWEST} \
         FROM {}) WHERE {NEWEST} = 1",
        columns.join(", "),
        Table::AlertChanges.name()
    );
    let view = session.sql(&sql).await?.into_view();
    session.register_table(ALERTS, view)?;
    Ok(())
}
