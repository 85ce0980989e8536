//! How a table of columns is declared once and gives a row type, a builder, a batch and its documentation.
//!
//! Events, observations and rejects are each some dozens of columns. Writing the row struct, the
//! Arrow schema, the builder and the reader by hand would let them drift apart, so one macro makes
//! all four from one documented list.

mod kinds;
mod sparse;

pub(crate) use kinds::{Float, Hash, Id, Int, List, Long, Text, Time, Word};

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

/// What is known of a column, for the schema's metadata and the printed reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnDoc {
    /// The column's name, the same in Rust, SQL and dashboards.
    pub name: &'static str,
    /// Who can set it: `P` an untrusted client through the payload, `E` an edge, `S` the issuing
    /// server, `I` our ingest. Only `E`, `S` and `I` may be grouped or de-duplicated by.
    pub provenance: &'static str,
    /// The OCSF 1.8.0 path it maps to, or where it stands under `unmapped`.
    pub ocsf: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

/// A kind of column: its value in a row, its Arrow type, how to append and read one.
pub trait Column {
    /// A value in a row struct.
    type Value<'a>: Default + Clone;
    /// The Arrow builder.
    type Builder: Default;
    /// The Arrow array.
    type Array: Array + 'static;
    /// The Arrow type.
    fn data_type() -> DataType;
    /// Takes the value of row `row`. A row without one costs nothing now: it becomes null when the
    /// next value comes or the builder ends, together with its neighbours.
    fn append(builder: &mut Self::Builder, row: usize, value: &Self::Value<'_>);
    /// Ends the builder after so many rows.
    fn finish(builder: &mut Self::Builder, rows: usize) -> ArrayRef;
    /// Reads row `i`.
    fn get(array: &Self::Array, i: usize) -> Self::Value<'_>;
}

/// A column of a batch to read rows from; `None` where no row has a value.
pub(crate) fn typed<C: Column>(column: &ArrayRef) -> Option<&C::Array> {
    let array = column.as_any().downcast_ref::<C::Array>();
    let array = array.expect("the schema was checked when the batch was made");
    (array.null_count() < array.len()).then_some(array)
}

/// A batch that does not have the columns it should have.
#[derive(Debug, thiserror::Error)]
pub enum WrongColumns {
    /// The column that every row of the table has is missing: this is another table.
    #[error("expected the {table} columns, found another schema ({found} columns)")]
    AnotherTable {
        /// Which table was expected.
        table: &'static str,
        /// How many columns were found.
        found: usize,
    },
    /// A column holds something else than it should.
    #[error("column {column} of {table} is {found} instead of {expected}")]
    WrongType {
        /// Which table was expected.
        table: &'static str,
        /// Which column.
        column: String,
        /// The type that it has.
        found: DataType,
        /// The type that it should have.
        expected: DataType,
    },
}

/// Takes a batch that another version of this program may have written: columns are found by name,
/// one that it did not know yet is null throughout, one that we do not know is left out. The first
/// column has to be there, or any table would do as any other. Nothing is copied but texts that are
/// words by now.
pub(crate) fn conform(
    table: &'static str,
    schema: &SchemaRef,
    batch: RecordBatch,
) -> Result<RecordBatch, WrongColumns> {
    let columns = if batch.schema_ref().fields() == schema.fields() {
        batch.columns().to_vec()
    } else {
        if batch.schema_ref().index_of(schema.field(0).name()).is_err() {
            return Err(WrongColumns::AnotherTable { table, found: batch.num_columns() });
        }
        schema.fields().iter().map(|field| column(table, field, &batch)).collect::<Result<_, _>>()?
    };
    // Metadata of the wire does not belong to the table.
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    Ok(batch.expect("types and lengths were compared just now, and every column may be null"))
}

fn column(table: &'static str, field: &Field, batch: &RecordBatch) -> Result<ArrayRef, WrongColumns> {
    let Some(column) = batch.column_by_name(field.name()) else {
        return Ok(new_null_array(field.data_type(), batch.num_rows()));
    };
    if let (DataType::Dictionary(..), DataType::Utf8) = (field.data_type(), column.data_type()) {
        let words = arrow::compute::cast(column, field.data_type());
        return Ok(words.expect("a text is a word, and there are fewer than a number can tell"));
    }
    if column.data_type() != field.data_type() {
        return Err(WrongColumns::WrongType {
            table,
            column: field.name().clone(),
            found: column.data_type().clone(),
            expected: field.data_type().clone(),
        });
    }
    Ok(Arc::clone(column))
}

/// Declares a table: `name: Kind, provenance, "ocsf path", "doc";` for each column.
macro_rules! columns {
    (
        $(#[$meta:meta])*
        $table:literal $row:ident $builder:ident $batch:ident $reader:ident;
        $($name:ident: $kind:ident, $provenance:ident, $ocsf:literal, $doc:literal;)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $row<'a> {
            $(#[doc = $doc] pub $name: <$crate::columns::$kind as $crate::columns::Column>::Value<'a>,)*
        }

        /// Builds a batch row by row.
        #[derive(Default)]
        pub struct $builder {
            $($name: <$crate::columns::$kind as $crate::columns::Column>::Builder,)*
            rows: usize,
        }

        impl $builder {
            /// Appends one row.
            pub fn append(&mut self, row: &$row<'_>) {
                $(<$crate::columns::$kind as $crate::columns::Column>::append(&mut self.$name, self.rows, &row.$name);)*
                self.rows += 1;
            }

            /// How many rows there are so far.
            pub fn len(&self) -> usize {
                self.rows
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.rows == 0
            }

            /// Ends the batch and starts another.
            pub fn finish(&mut self) -> $batch {
                // Whoever reads a quiet log asks for many of these.
                static EMPTY: std::sync::LazyLock<arrow::record_batch::RecordBatch> =
                    std::sync::LazyLock::new(|| {
                        arrow::record_batch::RecordBatch::new_empty($batch::schema())
                    });
                if self.rows == 0 {
                    return $batch(EMPTY.clone());
                }
                let rows = std::mem::take(&mut self.rows);
                let columns = vec![
                    $(<$crate::columns::$kind as $crate::columns::Column>::finish(&mut self.$name, rows),)*
                ];
                let batch = arrow::record_batch::RecordBatch::try_new($batch::schema(), columns)
                    .expect("every column got one value a row: append is the only way in");
                $batch(batch)
            }
        }

        /// A batch of rows: an Arrow `RecordBatch` with exactly these columns.
        #[derive(Clone, Debug, PartialEq)]
        pub struct $batch(arrow::record_batch::RecordBatch);

        impl $batch {
            /// What each column means, in schema order.
            pub const COLUMNS: &'static [$crate::columns::ColumnDoc] = &[
                $($crate::columns::ColumnDoc {
                    name: stringify!($name),
                    provenance: stringify!($provenance),
                    ocsf: $ocsf,
                    doc: $doc,
                },)*
            ];

            /// The Arrow schema; every column may be null.
            pub fn schema() -> arrow::datatypes::SchemaRef {
                static SCHEMA: std::sync::LazyLock<arrow::datatypes::SchemaRef> = std::sync::LazyLock::new(|| {
                    std::sync::Arc::new(arrow::datatypes::Schema::new(vec![
                        $(arrow::datatypes::Field::new(
                            stringify!($name),
                            <$crate::columns::$kind as $crate::columns::Column>::data_type(),
                            true,
                        ),)*
                    ]))
                });
                std::sync::Arc::clone(&SCHEMA)
            }

            /// Takes a batch that came from outside, perhaps from another version of this program:
            /// columns by name, those that are missing null, those that are unknown left out.
            pub fn from_arrow(batch: arrow::record_batch::RecordBatch) -> Result<Self, $crate::columns::WrongColumns> {
                $crate::columns::conform($table, &Self::schema(), batch).map(Self)
            }

            /// The Arrow batch.
            pub fn arrow(&self) -> &arrow::record_batch::RecordBatch {
                &self.0
            }

            /// The Arrow batch, taken out.
            pub fn into_arrow(self) -> arrow::record_batch::RecordBatch {
                self.0
            }

            /// How many rows.
            pub fn len(&self) -> usize {
                self.0.num_rows()
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.0.num_rows() == 0
            }

            /// To read more than one row: looks once which columns there are.
            pub fn reader(&self) -> $reader<'_> {
                let mut columns = self.0.columns().iter();
                $reader {
                    $($name: $crate::columns::typed::<$crate::columns::$kind>(
                        columns.next().expect("the schema was checked when the batch was made")),)*
                }
            }

            /// Reads row `i`; panics past the end.
            pub fn row(&self, i: usize) -> $row<'_> {
                self.reader().row(i)
            }

            /// Every row in order.
            pub fn rows(&self) -> impl Iterator<Item = $row<'_>> {
                let reader = self.reader();
                (0..self.len()).map(move |i| reader.row(i))
            }
        }

        /// The columns of a batch in which any row has a value.
        pub struct $reader<'a> {
            $($name: Option<&'a <$crate::columns::$kind as $crate::columns::Column>::Array>,)*
        }

        impl<'a> $reader<'a> {
            /// Reads row `i`; panics past the end, unless no row has a value.
            pub fn row(&self, i: usize) -> $row<'a> {
                $row {
                    $($name: match self.$name {
                        Some(array) => <$crate::columns::$kind as $crate::columns::Column>::get(array, i),
                        None => Default::default(),
                    },)*
                }
            }
        }
    };
}
pub(crate) use columns;

#[cfg(test)]
mod tests;
