//! The reference of what can be queried, from the columns' own declarations.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
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
    /// Their types. SQL may answer with a variant, e.g. a text as a view of one.
    pub schema: SchemaRef,
    /// Whether it is computed from another one.
    pub is_view: bool,
}

/// Everything that can stand behind FROM.
pub(crate) fn all() -> Vec<TableDoc> {
    let doc = |name, doc, table: Table| TableDoc {
        name,
        doc,
        columns: table.columns(),
        schema: schema(table),
        is_view: name != table.name(),
    };
    vec![
        doc(Table::Events.name(), "One row per normalized event.", Table::Events),
        doc(ALERTS, "One row per alert, in its newest state.", Table::AlertChanges),
        doc(Table::AlertChanges.name(), "One row per change of an alert.", Table::AlertChanges),
        doc(Table::Rejects.name(), "One row per line that could not be read, and why.", Table::Rejects),
        TableDoc {
            name: COVERAGE,
            doc: "One row per partner and detector: whether it can see anything, and what it cannot.",
            columns: coverage::COLUMNS.to_vec(),
            schema: coverage::schema(),
            is_view: true,
        },
    ]
}

/// The columns of a table as SQL shows them: the last one is the day, which every row has.
fn schema(table: Table) -> SchemaRef {
    let columns = table.columns();
    let mut fields = table.schema().fields().to_vec();
    let rest = columns.iter().skip(fields.len());
    fields.extend(rest.map(|column| Arc::new(Field::new(column.name, DataType::Date32, true))));
    Arc::new(Schema::new(fields))
}
