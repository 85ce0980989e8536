//! Arrow's values as PostgreSQL writes them, as text and in binary.
//!
//! Arrow has many types where PostgreSQL has one. A slice of rows is first made [`plain`], which leaves
//! one Arrow type for each of PostgreSQL's; then each value is written in the format asked for.

mod numeric;
mod plain;
mod text;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt32Type,
};
use bytes::{BufMut, BytesMut};

use crate::error::SqlError;
use crate::oid::{Column, Kind, Scalar};
use crate::reply::{Replies, format_of};

/// From 1970 to 2000, where PostgreSQL's clock begins.
const DAYS_TO_2000: i32 = 10_957;
const MICROS_TO_2000: i64 = DAYS_TO_2000 as i64 * 86_400_000_000;

/// Rows in the shape that they are written from.
pub(crate) struct Rows {
    columns: Vec<arrow::array::ArrayRef>,
    count: usize,
}

impl Rows {
    /// Makes a slice of a batch ready; it should be a small one, since it is a copy.
    pub(crate) fn of(batch: &RecordBatch, columns: &[Column]) -> Result<Self, SqlError> {
        let made: Result<Vec<_>, _> = batch
            .columns()
            .iter()
            .zip(columns)
            .map(|(array, column)| plain::plain(array, column.kind))
            .collect();
        let columns = made.map_err(|error| SqlError::new("22000", error.to_string()))?;
        Ok(Self { columns, count: batch.num_rows() })
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Writes a row as a `DataRow`.
    pub(crate) fn write(&self, row: usize, columns: &[Column], formats: &[i16], output: &mut BytesMut) {
        output.message(b'D', |body| {
            body.put_u16(u16::try_from(self.columns.len()).expect("columns were counted before"));
            for (index, (array, column)) in self.columns.iter().zip(columns).enumerate() {
                put_value(body, array, row, column.kind, format_of(formats, index) == 1);
            }
        });
    }
}

/// Writes a value behind its length; a null is a length of -1.
fn put_value(body: &mut BytesMut, array: &dyn Array, row: usize, kind: Kind, binary: bool) {
    if array.is_null(row) {
        return body.put_i32(-1);
    }
    let start = body.len();
    body.put_i32(0);
    match (kind, binary) {
        (Kind::One(scalar), true) => put_binary(body, array, row, scalar),
        (Kind::One(scalar), false) => text::put(body, array, row, scalar),
        (Kind::Array(scalar), true) => put_binary_array(body, &array.as_list::<i32>().value(row), scalar),
        (Kind::Array(scalar), false) => text::put_array(body, &array.as_list::<i32>().value(row), scalar),
    }
    let length = i32::try_from(body.len() - start - 4).expect("a value is far from two gigabytes");
    body[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_binary_array(body: &mut BytesMut, items: &dyn Array, scalar: Scalar) {
    let count = i32::try_from(items.len()).expect("a list is far from two thousand million items");
    body.put_i32(i32::from(count > 0)); // dimensions
    body.put_i32(i32::from(items.null_count() > 0));
    body.put_u32(Kind::One(scalar).oid());
    if count > 0 {
        body.put_i32(count);
        body.put_i32(1); // the first one's index
    }
    for row in 0..items.len() {
        put_value(body, items, row, Kind::One(scalar), true);
    }
}

fn put_binary(body: &mut BytesMut, array: &dyn Array, row: usize, scalar: Scalar) {
    match scalar {
        Scalar::Bool => body.put_u8(array.as_boolean().value(row).into()),
        Scalar::Int2 => body.put_i16(array.as_primitive::<Int16Type>().value(row)),
        Scalar::Int4 => body.put_i32(array.as_primitive::<Int32Type>().value(row)),
        Scalar::Int8 => body.put_i64(array.as_primitive::<Int64Type>().value(row)),
        Scalar::Oid => body.put_u32(array.as_primitive::<UInt32Type>().value(row)),
        Scalar::Float4 => body.put_f32(array.as_primitive::<Float32Type>().value(row)),
        Scalar::Float8 => body.put_f64(array.as_primitive::<Float64Type>().value(row)),
        Scalar::Numeric => {
            let decimals = array.as_primitive::<Decimal128Type>();
            numeric::put_binary(body, decimals.value(row), decimals.scale());
        }
        Scalar::Text => body.put_slice(array.as_string::<i32>().value(row).as_bytes()),
        Scalar::Bytea => body.put_slice(array.as_binary::<i32>().value(row)),
        Scalar::Date => {
            body.put_i32(array.as_primitive::<Date32Type>().value(row).saturating_sub(DAYS_TO_2000));
        }
        Scalar::Time => body.put_i64(array.as_primitive::<Time64MicrosecondType>().value(row)),
        Scalar::Timestamp | Scalar::TimestampTz => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            body.put_i64(micros.saturating_sub(MICROS_TO_2000));
        }
        Scalar::Interval => {
            let interval = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            body.put_i64(interval.nanoseconds / 1_000);
            body.put_i32(interval.days);
            body.put_i32(interval.months);
        }
    }
}

#[cfg(test)]
mod tests;
