//! Values of parameters, from text or binary.

use chrono::{DateTime, NaiveDate, TimeDelta};
use query::{Parameter, ParameterType};

use crate::error::SqlError;

/// From 1970 to 2000, where PostgreSQL's clock begins.
const SECONDS_TO_2000: i64 = 10_957 * 86_400;

/// Reads a value of a type; `None` is NULL.
pub(crate) fn read(
    kind: ParameterType,
    bytes: Option<&[u8]>,
    binary: bool,
    number: usize,
) -> Result<Parameter, SqlError> {
    let value =
        match bytes {
            None => None,
            Some(bytes) if binary => {
                let value = from_binary(kind, bytes);
                Some(value.ok_or_else(|| {
                    SqlError::new("22P03", format!("${number} is no binary {}", kind.name()))
                })?)
            }
            Some(bytes) => Some(from_text(kind, bytes, number)?),
        };
    Ok(Parameter { kind, value })
}

fn from_text(kind: ParameterType, bytes: &[u8], number: usize) -> Result<String, SqlError> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| SqlError::new("22021", format!("${number} is not UTF-8")))?;
    let value = Parameter::read(kind, text).and_then(|parameter| parameter.value);
    value.ok_or_else(|| SqlError::new("22P02", format!("${number} is no {}: '{}'", kind.name(), text.trim())))
}

fn from_binary(kind: ParameterType, bytes: &[u8]) -> Option<String> {
    use ParameterType as P;
    Some(match kind {
        P::Text => std::str::from_utf8(bytes).ok()?.to_owned(),
        P::Bytes => hex::encode(bytes),
        P::Bool => match bytes {
            [0] => "false".to_owned(),
            [1] => "true".to_owned(),
            _ => return None,
        },
        P::Int16 => i16::from_be_bytes(bytes.try_into().ok()?).to_string(),
        P::Int32 => i32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        // An oid has four bytes.
        P::Int64 => match <[u8; 4]>::try_from(bytes) {
            Ok(oid) => u32::from_be_bytes(oid).to_string(),
            Err(_) => i64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        },
        P::Float32 => f32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        P::Float64 => f64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        P::Numeric => decimal(bytes)?,
        P::Date => {
            let days = i32::from_be_bytes(bytes.try_into().ok()?);
            let first = NaiveDate::from_ymd_opt(2000, 1, 1)?;
            first.checked_add_signed(TimeDelta::try_days(days.into())?)?.to_string()
        }
        P::Timestamp => moment(bytes)?.naive_utc().format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
        P::TimestampTz => moment(bytes)?.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    })
}

fn moment(bytes: &[u8]) -> Option<DateTime<chrono::Utc>> {
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    DateTime::from_timestamp_micros(micros.checked_add(SECONDS_TO_2000 * 1_000_000)?)
}

/// `numeric_send`'s form: digits in groups of four.
fn decimal(bytes: &[u8]) -> Option<String> {
    let (head, groups) = bytes.split_first_chunk::<8>()?;
    let [count, weight, sign, scale] = [0, 2, 4, 6].map(|at| i16::from_be_bytes([head[at], head[at + 1]]));
    let (groups, rest) = groups.as_chunks::<2>();
    // Forty digits are more than the engine's decimals have.
    if !rest.is_empty() || groups.len() != usize::try_from(count).ok()? {
        return None;
    }
    if !(-10..10).contains(&weight) || !(0..40).contains(&scale) || !matches!(sign, 0 | 0x4000) {
        return None;
    }
    let group = |index: i16| -> i16 {
        let found = usize::try_from(index).ok().and_then(|index| groups.get(index));
        found.map_or(0, |group| i16::from_be_bytes(*group))
    };
    if groups.iter().any(|group| !(0..10_000).contains(&i16::from_be_bytes(*group))) {
        return None;
    }
    let digits =
        |from: i16, to: i16| (from..=to).map(|index| format!("{:04}", group(index))).collect::<String>();
    let whole = digits(0, weight);
    let behind_count = (scale + 3) / 4;
    let behind = digits(weight + 1, weight + behind_count);
    let sign = if sign == 0 { "" } else { "-" };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let behind = &behind[..usize::try_from(scale).ok()?];
    Some(if behind.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{behind}") })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use query::ParameterType as P;

    use super::*;

    fn value(kind: P, bytes: &[u8], binary: bool) -> Result<String, &'static str> {
        let read = read(kind, Some(bytes), binary, 1);
        read.map(|parameter| parameter.value.unwrap()).map_err(|error| error.code)
    }

    #[test]
    fn text_and_binary_say_the_same() {
        for (kind, text, binary, meant) in [
            (P::Bool, "t", &[1][..], "true"),
            (P::Int32, " 7", &[0, 0, 0, 7], "7"),
            (P::Int64, "26", &[0, 0, 0, 26], "26"),
            (P::Bytes, "\\x00FF", &[0, 255], "00ff"),
            (P::Date, "2000-01-02", &[0, 0, 0, 1], "2000-01-02"),
            (P::Numeric, "12.50", &[0, 2, 0, 0, 0, 0, 0, 2, 0, 12, 0x13, 0x88], "12.50"),
        ] {
            assert_eq!(value(kind, text.as_bytes(), false).as_deref(), Ok(meant));
            assert_eq!(value(kind, binary, true).as_deref(), Ok(meant));
        }
        let second = 1_000_000_i64.to_be_bytes();
        assert_eq!(value(P::TimestampTz, &second, true).as_deref(), Ok("2000-01-01T00:00:01.000000Z"));
    }

    #[test]
    fn what_is_no_such_value_is_refused() {
        assert_eq!(value(P::Int16, b"70000", false), Err("22P02"));
        assert_eq!(value(P::Numeric, b"1; DROP", false), Err("22P02"));
        assert_eq!(value(P::Text, &[0xff], false), Err("22021"));
        assert_eq!(value(P::Int64, &[1, 2], true), Err("22P03"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..40), binary: bool) {
            for kind in [P::Bool, P::Int16, P::Int32, P::Int64, P::Float32, P::Float64] {
                drop(value(kind, &bytes, binary));
            }
            for kind in [P::Numeric, P::Text, P::Bytes, P::Date, P::Timestamp, P::TimestampTz] {
                drop(value(kind, &bytes, binary));
            }
        }
    }
}
