//! The ways a time is written: `2014-04-01 00:05:00`, RFC 3339, or seconds and finer since 1970.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// Without a zone; a time that names none is taken as UTC.
const PLAIN: [&str; 4] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
/// From here on a number of seconds would lie beyond the year 5000, so it is a finer unit.
const SECONDS_END: f64 = 1e11;

pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let plain = PLAIN.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    plain
        .map(|at| at.and_utc())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()))
        .or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0)?.and_utc()))
        .or_else(|| since_1970(text))
}

/// Seconds, milliseconds, microseconds or nanoseconds, told apart by size.
fn since_1970(text: &str) -> Option<DateTime<Utc>> {
    let mut seconds: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    for _ in 0..3 {
        if seconds.abs() >= SECONDS_END {
            seconds /= 1000.0;
        }
    }
    let whole = seconds.floor();
    DateTime::from_timestamp(whole as i64, ((seconds - whole) * 1e9) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_is_read_in_every_form() {
        let forms = [
            "2014-04-01 00:05:00",
            "2014-04-01 00:05:00.000000",
            "2014-04-01T00:05:00",
            "2014-04-01T02:05:00+02:00",
            "2014-04-01T00:05:00Z",
            "2014-04-01 00:05",
            "1396310700",
            "1396310700.0",
            "1396310700000",
            "1396310700000000",
        ];
        for form in forms {
            assert_eq!(parse(form).map(|at| at.timestamp()), Some(1_396_310_700), "{form}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "NaN", "inf", "1e300", "2014-13-01 00:00:00", "2014-04-01 25:00:00"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
