//! Fits a batch to a table's columns: a missing one is null, an unknown one is an error.

use std::sync::Arc;

use arrow::array::new_null_array;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::{StoreError, Table};

/// The batch with exactly the columns of `physical`, in its order. A producer of an older version
/// may lack columns; one of a newer version has some that would be lost without a word, so that
/// is refused.
pub(crate) fn conform(
    table: Table,
    physical: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch, StoreError> {
    let unusable = |reason: String| StoreError::Unusable { table: table.name(), reason };
    let schema = batch.schema();
    if let Some(unknown) =
        schema.fields().iter().find(|field| physical.field_with_name(field.name()).is_err())
    {
        return Err(unusable(format!("a batch has column {} that the table does not have", unknown.name())));
    }
    let mut columns = Vec::with_capacity(physical.fields().len());
    for field in physical.fields() {
        let column = match batch.column_by_name(field.name()) {
            None => new_null_array(field.data_type(), batch.num_rows()),
            Some(column) if column.data_type() == field.data_type() => Arc::clone(column),
            Some(column) if same_kind(column.data_type(), field.data_type()) => {
                cast(column, field.data_type())
                    .map_err(|cause| unusable(format!("column {} does not convert: {cause}", field.name())))?
            }
            Some(column) => {
                let (found, expected) = (column.data_type(), field.data_type());
                return Err(unusable(format!("column {} is {found}, expected {expected}", field.name())));
            }
        };
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(physical), columns, &options)
        .map_err(|cause| unusable(format!("a batch does not fit: {cause}")))
}

/// Whether two types differ only in how they are written down, as lists do in the name of their item.
fn same_kind(found: &arrow::datatypes::DataType, expected: &arrow::datatypes::DataType) -> bool {
    use arrow::datatypes::DataType::{LargeUtf8, List, Utf8, Utf8View};
    match (found, expected) {
        (List(found), List(expected)) => found.data_type() == expected.data_type(),
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array, StringArray};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    }

    #[test]
    fn a_missing_column_is_null() {
        let old = batch(vec![("tenant", Arc::new(StringArray::from(vec!["a"])))]);
        let fitted = conform(Table::Events, &Table::Events.schema(), &old).expect("it fits");
        assert_eq!(fitted.schema(), Table::Events.schema());
        assert_eq!(fitted.num_rows(), 1);
        assert_eq!(fitted.column_by_name("action").map(|column| column.null_count()), Some(1));
    }

    #[test]
    fn an_unknown_column_or_another_type_is_refused_by_name() {
        let newer = batch(vec![("a_newer_one", Arc::new(StringArray::from(vec!["x"])))]);
        let other = batch(vec![("tenant", Arc::new(Int32Array::from(vec![1])))]);
        for (bad, name) in [(newer, "a_newer_one"), (other, "tenant")] {
            let error = conform(Table::Events, &Table::Events.schema(), &bad).expect_err("refused");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
