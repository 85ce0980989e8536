//! One Arrow type for each of PostgreSQL's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Field, IntervalMonthDayNano, IntervalUnit, TimeUnit,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::oid::{Kind, Scalar};

/// An array in the type that values of this kind are written from.
pub(super) fn plain(array: &ArrayRef, kind: Kind) -> Result<ArrayRef, ArrowError> {
    match kind {
        Kind::One(scalar) => plain_scalar(array, scalar),
        Kind::Array(scalar) => {
            let lists = cast(array, &list_of(item_type(array.data_type())))?;
            let lists = lists.as_list::<i32>();
            let items = plain_scalar(lists.values(), scalar)?;
            let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
            let nulls = lists.nulls().cloned();
            Ok(Arc::new(arrow::array::ListArray::try_new(field, lists.offsets().clone(), items, nulls)?))
        }
    }
}

fn list_of(item: DataType) -> DataType {
    DataType::new_list(item, true)
}

fn item_type(list: &DataType) -> DataType {
    match list {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type().clone()
        }
        other => other.clone(),
    }
}

fn plain_scalar(array: &ArrayRef, scalar: Scalar) -> Result<ArrayRef, ArrowError> {
    let wanted = match scalar {
        Scalar::Bool => DataType::Boolean,
        Scalar::Int2 => DataType::Int16,
        Scalar::Int4 => DataType::Int32,
        Scalar::Int8 => DataType::Int64,
        Scalar::Oid => DataType::UInt32,
        Scalar::Float4 => DataType::Float32,
        Scalar::Float8 => DataType::Float64,
        Scalar::Numeric => DataType::Decimal128(38, scale(array.data_type())),
        Scalar::Bytea => DataType::Binary,
        Scalar::Date => DataType::Date32,
        Scalar::Time => DataType::Time64(TimeUnit::Microsecond),
        Scalar::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        // A moment is the same in every zone; text is written in UTC.
        Scalar::TimestampTz => match array.data_type() {
            DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            other => other.clone(),
        },
        Scalar::Interval => return interval(array),
        Scalar::Text => return text(array),
    };
    cast(array, &wanted)
}

fn scale(arrow: &DataType) -> i8 {
    match arrow {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}

fn cast(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    // What does not fit is an error and no null: a null would be a wrong answer.
    cast_with_options(array, wanted, &CastOptions { safe: false, ..CastOptions::default() })
}

fn text(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    use DataType as D;
    match array.data_type() {
        D::Utf8 | D::LargeUtf8 | D::Utf8View | D::Dictionary(..) | D::Null => cast(array, &D::Utf8),
        // What PostgreSQL has nothing like.
        _ => {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(array, &options)?;
            let written = (0..array.len())
                .map(|row| array.is_valid(row).then(|| formatter.value(row).try_to_string()).transpose());
            Ok(Arc::new(written.collect::<Result<StringArray, ArrowError>>()?))
        }
    }
}

fn interval(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let DataType::Duration(_) = array.data_type() else {
        return cast(array, &DataType::Interval(IntervalUnit::MonthDayNano));
    };
    let micros = cast(array, &DataType::Duration(TimeUnit::Microsecond))?;
    let of = |micros: i64| {
        let days = i32::try_from(micros / 86_400_000_000).unwrap_or(i32::MAX);
        IntervalMonthDayNano::new(0, days, (micros % 86_400_000_000) * 1_000)
    };
    let durations = micros.as_primitive::<DurationMicrosecondType>();
    Ok(Arc::new(durations.iter().map(|micros| micros.map(of)).collect::<IntervalMonthDayNanoArray>()))
}
