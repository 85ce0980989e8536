//! The reference of what can be queried, from the columns' own declarations.

use event::ColumnDoc;
use store::Table;

use crate::alerts::ALERTS;
use crate::coverage::{self, COVERAGE};

/// A table or view, for the reference page and the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDoc {
    /// Its name in SQL.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Its columns, in order.
    pub columns: Vec<ColumnDoc>,
}

/// Everything that can stand behind FROM.
pub(crate) fn all() -> Vec<TableDoc> {
    let doc = |name, doc, table: Table| TableDoc { name, doc, columns: table.columns() };
    vec![
        doc(Table::Events.name(), "One row per normalized event.", Table::Events),
        doc(ALERTS, "One row per alert, in its newest state.", Table::AlertChanges),
        doc(Table::AlertChanges.name(), "One row per change of an alert.", Table::AlertChanges),
        doc(Table::Rejects.name(), "One row per line that could not be read, and why.", Table::Rejects),
        TableDoc {
            name: COVERAGE,
            doc: "One row per partner and detector: whether it can see anything, and what it cannot.",
            columns: coverage::COLUMNS.to_vec(),
        },
    ]
}
