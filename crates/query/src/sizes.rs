//! How many bytes the values of a column have.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;

/// What a number, a time or the place of a text takes.
const FIXED_BYTES: usize = 16;

/// The bytes of the value in this row.
pub(crate) fn value_bytes(column: &dyn Array, row: usize) -> usize {
    if column.is_null(row) {
        return 0;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).len(),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).len(),
        DataType::Utf8View => column.as_string_view().value(row).len(),
        DataType::Binary => column.as_binary::<i32>().value(row).len(),
        DataType::LargeBinary => column.as_binary::<i64>().value(row).len(),
        DataType::BinaryView => column.as_binary_view().value(row).len(),
        DataType::List(_) => all_bytes(&column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => all_bytes(&column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => all_bytes(&column.as_fixed_size_list().value(row)),
        DataType::Struct(_) => column.as_struct().columns().iter().map(|field| value_bytes(field, row)).sum(),
        DataType::Map(..) => {
            let entries = column.as_map().value(row);
            entries.columns().iter().map(|field| all_bytes(field)).sum()
        }
        DataType::FixedSizeBinary(bytes) => usize::try_from(*bytes).unwrap_or(0),
        DataType::Dictionary(..) => {
            let column = column.as_any_dictionary();
            value_bytes(column.values(), column.normalized_keys()[row])
        }
        _ => FIXED_BYTES,
    }
}

/// The bytes of the longest value.
pub(crate) fn longest_value(column: &dyn Array) -> usize {
    (0..column.len()).map(|row| value_bytes(column, row)).max().unwrap_or(0)
}

/// The bytes of all values, and of their places.
pub(crate) fn all_bytes(column: &dyn Array) -> usize {
    (0..column.len()).map(|row| value_bytes(column, row) + FIXED_BYTES).sum()
}
