//! The tables there are: their names, the topics they are fed from, their columns.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use event::{ColumnDoc, EventBatch, RejectBatch};

use crate::alert_changes;

/// One of our Delta tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row per normalized event.
    Events,
    /// One row per change of an alert; the newest revision of an alert is its state.
    AlertChanges,
    /// One row per line that could not be read.
    Rejects,
}

/// The column that every table is partitioned by. It is derived when rows are written, so that
/// batches do not carry it.
pub(crate) const DAY: &str = "day";

const DAY_DOC: ColumnDoc = ColumnDoc {
    name: DAY,
    provenance: "I",
    ocsf: "",
    doc: "UTC day of the row's time, by which files are grouped; of its ingest time where the two are more than 31 days apart.",
};

impl Table {
    /// Every table, in the order in which a row may appear in them.
    pub const ALL: [Table; 3] = [Self::Events, Self::AlertChanges, Self::Rejects];

    /// The table's name in SQL and its folder under the root.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::AlertChanges => "alert_changes",
            Self::Rejects => "rejects",
        }
    }

    /// The topic that the table is fed from.
    pub const fn topic(self) -> &'static str {
        match self {
            Self::Events => "watchfire.events",
            Self::AlertChanges => "watchfire.alerts",
            Self::Rejects => "watchfire.rejects",
        }
    }

    /// The columns of a batch to append, in order; every one may be null.
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Events => EventBatch::schema(),
            Self::AlertChanges => alert_changes::schema(),
            Self::Rejects => RejectBatch::schema(),
        }
    }

    /// What each column means, in the order in which SQL shows them: those of
    /// [`schema`](Self::schema), then `day`.
    pub fn columns(self) -> Vec<ColumnDoc> {
        let mut columns = match self {
            Self::Events => EventBatch::COLUMNS.to_vec(),
            Self::AlertChanges => alert_changes::docs(),
            Self::Rejects => RejectBatch::COLUMNS.to_vec(),
        };
        columns.push(DAY_DOC);
        columns
    }

    /// The columns of the Delta table: those of [`schema`](Self::schema), then `day`.
    pub(crate) fn delta_schema(self) -> Schema {
        let mut fields = self.schema().fields().to_vec();
        fields.push(Field::new(DAY, DataType::Date32, true).into());
        Schema::new(fields)
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_documented_under_its_name() {
        for table in Table::ALL {
            let schema = table.delta_schema();
            let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            let documented: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
            assert_eq!(names, documented, "{table}");
            for column in table.columns() {
                assert!(column.doc.ends_with('.'), "{table}.{}: a sentence says what it means", column.name);
            }
        }
    }

    #[test]
    fn every_table_has_a_tenant_to_be_walled_by() {
        for table in Table::ALL {
            let schema = table.schema();
            assert_eq!(schema.field_with_name("tenant").expect("a tenant").data_type(), &DataType::Utf8);
        }
    }
}
