//! Values as text, as PostgreSQL writes them with `DateStyle` ISO in UTC.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
    UInt32Type,
};
use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike};

use super::numeric;
use crate::oid::Scalar;

pub(super) fn put(body: &mut BytesMut, array: &dyn Array, row: usize, scalar: Scalar) {
    match scalar {
        Scalar::Text => body.put_slice(array.as_string::<i32>().value(row).as_bytes()),
        other => body.put_slice(written(array, row, other).as_bytes()),
    }
}

/// A list as `{one,"two words",NULL}`.
pub(super) fn put_array(body: &mut BytesMut, items: &dyn Array, scalar: Scalar) {
    body.put_u8(b'{');
    for row in 0..items.len() {
        if row > 0 {
            body.put_u8(b',');
        }
        if items.is_null(row) {
            body.put_slice(b"NULL");
            continue;
        }
        match scalar {
            Scalar::Text => put_item(body, items.as_string::<i32>().value(row)),
            other => put_item(body, &written(items, row, other)),
        }
    }
    body.put_u8(b'}');
}

fn put_item(body: &mut BytesMut, item: &str) {
    let is_special = |letter: char| letter.is_whitespace() || "{}\",\\".contains(letter);
    if !item.is_empty() && !item.eq_ignore_ascii_case("null") && !item.contains(is_special) {
        return body.put_slice(item.as_bytes());
    }
    body.put_u8(b'"');
    for byte in item.bytes() {
        if matches!(byte, b'"' | b'\\') {
            body.put_u8(b'\\');
        }
        body.put_u8(byte);
    }
    body.put_u8(b'"');
}

fn written(array: &dyn Array, row: usize, scalar: Scalar) -> String {
    match scalar {
        Scalar::Bool => if array.as_boolean().value(row) { "t" } else { "f" }.to_owned(),
        Scalar::Int2 => array.as_primitive::<Int16Type>().value(row).to_string(),
        Scalar::Int4 => array.as_primitive::<Int32Type>().value(row).to_string(),
        Scalar::Int8 => array.as_primitive::<Int64Type>().value(row).to_string(),
        Scalar::Oid => array.as_primitive::<UInt32Type>().value(row).to_string(),
        Scalar::Float4 => float(array.as_primitive::<Float32Type>().value(row)),
        Scalar::Float8 => float(array.as_primitive::<Float64Type>().value(row)),
        Scalar::Numeric => {
            let decimals = array.as_primitive::<Decimal128Type>();
            numeric::to_text(decimals.value(row), decimals.scale())
        }
        Scalar::Text => array.as_string::<i32>().value(row).to_owned(),
        Scalar::Bytea => format!("\\x{}", hex::encode(array.as_binary::<i32>().value(row))),
        Scalar::Date => date(array.as_primitive::<Date32Type>().value(row)),
        Scalar::Time => time(array.as_primitive::<Time64MicrosecondType>().value(row)),
        Scalar::Timestamp => timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row), ""),
        Scalar::TimestampTz => timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row), "+00"),
        Scalar::Interval => interval(array.as_primitive::<IntervalMonthDayNanoType>().value(row)),
    }
}

/// The shortest text that reads back as the same number.
fn float<F: Copy + Into<f64> + std::fmt::Display + std::fmt::LowerExp>(number: F) -> String {
    let wide: f64 = number.into();
    if wide.is_nan() {
        return "NaN".to_owned();
    }
    if wide.is_infinite() {
        return if wide > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = wide.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    number.to_string()
}

/// Years before the first are counted backwards, and there is no year 0.
fn day(date: NaiveDate) -> (String, &'static str) {
    let (year, era) = match date.year() {
        year if year > 0 => (year, ""),
        year => (1 - year, " BC"),
    };
    (format!("{year:04}-{:02}-{:02}", date.month(), date.day()), era)
}

fn date(days: i32) -> String {
    let date = NaiveDate::from_epoch_days(days);
    date.map_or_else(|| "infinity".to_owned(), |date| day(date).0 + day(date).1)
}

fn time(micros: i64) -> String {
    let of_day = DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::microseconds(micros));
    of_day.map_or_else(String::new, |time| clock(&time))
}

fn clock(time: &impl Timelike) -> String {
    let text = format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    match time.nanosecond() / 1_000 {
        0 => text,
        micros => format!("{text}.{}", format!("{micros:06}").trim_end_matches('0')),
    }
}

fn timestamp(micros: i64, zone: &str) -> String {
    let Some(moment) = DateTime::from_timestamp_micros(micros) else { return "infinity".to_owned() };
    let (day, era) = day(moment.date_naive());
    format!("{day} {}{zone}{era}", clock(&moment))
}

/// `1 year 2 mons 3 days 04:05:06.7`.
fn interval(interval: IntervalMonthDayNano) -> String {
    let mut parts = Vec::new();
    let mut part = |count: i32, one: &str, many: &str| match count {
        0 => {}
        1 => parts.push(format!("1 {one}")),
        count => parts.push(format!("{count} {many}")),
    };
    part(interval.months / 12, "year", "years");
    part(interval.months % 12, "mon", "mons");
    part(interval.days, "day", "days");
    let micros = interval.nanoseconds / 1_000;
    if micros != 0 || parts.is_empty() {
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        let (seconds, behind) = (micros / 1_000_000, micros % 1_000_000);
        let clock = format!("{sign}{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
        parts.push(match behind {
            0 => clock,
            behind => format!("{clock}.{}", format!("{behind:06}").trim_end_matches('0')),
        });
    }
    parts.join(" ")
}
