//! The kinds of columns that our tables have.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, DictionaryArray, FixedSizeBinaryArray, ListArray,
    PrimitiveArray, StringArray, StringBuilder,
};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use super::Column;
use super::sparse::{Ids, Lists, Numbers, Sparse, Words};
use crate::EventTime;

/// UTF-8 text.
pub enum Text {}
/// UTF-8 text of which a batch has few different ones: each is written once, rows hold its number.
pub enum Word {}
/// A 32-bit number.
pub enum Int {}
/// A 64-bit number.
pub enum Long {}
/// A number with a fraction.
pub enum Float {}
/// A moment, microseconds in UTC (Delta tables know no milliseconds).
pub enum Time {}
/// A SHA-256.
pub enum Hash {}
/// The first half of a SHA-256.
pub enum Id {}
/// A list of short texts.
pub enum List {}

impl Column for Text {
    type Value<'a> = Option<Cow<'a, str>>;
    type Builder = Sparse<StringBuilder>;
    type Array = StringArray;
    fn data_type() -> DataType {
        DataType::Utf8
    }
    #[inline]
    fn append(builder: &mut Sparse<StringBuilder>, row: usize, value: &Option<Cow<'_, str>>) {
        if let Some(value) = value {
            append_text(builder, row, value);
        }
    }
    fn finish(builder: &mut Sparse<StringBuilder>, rows: usize) -> ArrayRef {
        builder.finish(&Self::data_type(), rows)
    }
    fn get(array: &StringArray, i: usize) -> Option<Cow<'_, str>> {
        array.is_valid(i).then(|| Cow::Borrowed(array.value(i)))
    }
}

// A row has few of its texts: where there is none there is no call.
#[inline(never)]
fn append_text(builder: &mut Sparse<StringBuilder>, row: usize, value: &str) {
    builder.at(row).append_value(value);
}

impl Column for Word {
    type Value<'a> = Option<Cow<'a, str>>;
    type Builder = Sparse<Words>;
    type Array = DictionaryArray<Int32Type>;
    fn data_type() -> DataType {
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
    }
    #[inline]
    fn append(builder: &mut Sparse<Words>, row: usize, value: &Option<Cow<'_, str>>) {
        if let Some(value) = value {
            builder.at(row).push(value);
        }
    }
    fn finish(builder: &mut Sparse<Words>, rows: usize) -> ArrayRef {
        builder.finish(&Self::data_type(), rows)
    }
    fn get(array: &Self::Array, i: usize) -> Option<Cow<'_, str>> {
        let word = array.key(i)?;
        Some(Cow::Borrowed(array.values().as_string::<i32>().value(word)))
    }
}

impl Column for Int {
    type Value<'a> = Option<i32>;
    type Builder = Sparse<Numbers<Int32Type>>;
    type Array = PrimitiveArray<Int32Type>;
    fn data_type() -> DataType {
        DataType::Int32
    }
    #[inline]
    fn append(builder: &mut Sparse<Numbers<Int32Type>>, row: usize, value: &Option<i32>) {
        if let Some(value) = value {
            builder.at(row).push(*value);
        }
    }
    fn finish(builder: &mut Sparse<Numbers<Int32Type>>, rows: usize) -> ArrayRef {
        builder.finish(&Self::data_type(), rows)
    }
    fn get(array: &Self::Array, i: usize) -> Option<i32> {
        array.is_valid(i).then(|| array.value(i))
    }
}

impl Column for Long {
    type Value<'a> = Option<i64>;
    type Builder = Sparse<Numbers<Int64Type>>;
    type Array = PrimitiveArray<Int64Type>;
    fn data_type() -> DataType {
        DataType::Int64
    }
    #[inline]
    fn append(builder: &mut Sparse<Numbers<Int64Type>>, row: usize, value: &Option<i64>) {
        if let Some(value) = value {
            builder.at(row).push(*value);
        }
    }
    fn finish(builder: &mut Sparse<Numbers<Int64Type>>, rows: usize) -> ArrayRef {
        builder.finish(&Self::data_type(), rows)
    }
    fn get(array: &Self::Array, i: usize) -> Option<i64> {
        array.is_valid(i).then(|| array.value(i))
    }
}

impl Column for Float {
    type Value<'a> = Option<f64>;
    type Builder = Sparse<Numbers<Float64Type>>;
    type Array = PrimitiveArray<Float64Type>;
    fn data_type() -> DataType {
        DataType::Float64
    }
    #[inline]
    fn append(builder: &mut Sparse<Numbers<Float64Type>>, row: usize, value: &Option<f64>) {
        if let Some(value) = value {
            builder.at(row).push(*value);
        }
    }
    fn finish(builder: &mut Sparse<Numbers<Float64Type>>, rows: usize) -> ArrayRef {
        builder.finish(&Self::data_type(), rows)
    }
    fn get(array: &Self::Array, i: usize) -> Option<f64> {
        array.is_valid(i).then(|| array.value(i))
    }
}

impl Column for Time {
    type Value<'a> = Option<EventTime>;
    type Builder = Sparse<Numbers<TimestampMicrosecondType>>;
    type Array = PrimitiveArray<TimestampMicrosecondType>;
    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }
    fn append(
        builder: &mut Sparse<Numbers<TimestampMicrosecondType>>,
        row: usize,
        value: &Option<EventTime>,
    ) {
        if let Some(value) = value {
            builder.at(row).push(value.micros());
        }
    }
    fn finish(builder: &mut Sparse<Numbers<TimestampMicrosecondType>>, rows: usize) -> ArrayRef {
        let times = builder.finish(&Self::data_type(), rows);
        Arc::new(times.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC"))
    }
    fn get(array: &Self::Array, i: usize) -> Option<EventTime> {
        array.is_valid(i).then(|| EventTime(array.value(i).div_euclid(1_000)))
    }
}

impl Column for Hash {
    type Value<'a> = Option<[u8; 32]>;
    type Builder = Sparse<BinaryBuilder>;
    type Array = BinaryArray;
    fn data_type() -> DataType {
        DataType::Binary
    }
    fn append(builder: &mut Sparse<BinaryBuilder>, row: usize, value: &Option<[u8; 32]>) {
        if let Some(value) = value {
            builder.at(row).append_value(value);
        }
    }
    fn finish(builder: &mut Sparse<BinaryBuilder>, rows: usize) -> ArrayRef {
        builder.finish(&Self::data_type(), rows)
    }
    fn get(array: &BinaryArray, i: usize) -> Option<[u8; 32]> {
        array.is_valid(i).then(|| array.value(i).try_into().ok()).flatten()
    }
}

impl Column for Id {
    type Value<'a> = Option<[u8; 16]>;
    type Builder = Sparse<Ids>;
    type Array = FixedSizeBinaryArray;
    fn data_type() -> DataType {
        DataType::FixedSizeBinary(16)
    }
    #[inline]
    fn append(builder: &mut Sparse<Ids>, row: usize, value: &Option<[u8; 16]>) {
        if let Some(value) = value {
            builder.at(row).push(*value);
        }
    }
    fn finish(builder: &mut Sparse<Ids>, rows: usize) -> ArrayRef {
        builder.finish(&Self::data_type(), rows)
    }
    fn get(array: &Self::Array, i: usize) -> Option<[u8; 16]> {
        array.is_valid(i).then(|| array.value(i).try_into().ok()).flatten()
    }
}

impl Column for List {
    type Value<'a> = Vec<Cow<'a, str>>;
    type Builder = Sparse<Lists>;
    type Array = ListArray;
    fn data_type() -> DataType {
        DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
    }
    #[inline]
    fn append(builder: &mut Self::Builder, row: usize, value: &Vec<Cow<'_, str>>) {
        if !value.is_empty() {
            builder.at(row).push(value.iter().map(|item| &**item));
        }
    }
    fn finish(builder: &mut Self::Builder, rows: usize) -> ArrayRef {
        builder.finish(&Self::data_type(), rows)
    }
    fn get(list: &ListArray, i: usize) -> Vec<Cow<'_, str>> {
        if list.is_null(i) {
            return Vec::new();
        }
        let (from, to) = (list.value_offsets()[i] as usize, list.value_offsets()[i + 1] as usize);
        let items = list.values().as_string::<i32>();
        (from..to).map(|n| Cow::Borrowed(items.value(n))).collect()
    }
}
