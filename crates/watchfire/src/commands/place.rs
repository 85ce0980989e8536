//! Places in a topic, times and sizes, as people write them.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use kafka::admin::Place;
use pipeline::Clock;

/// `earliest`, `latest`, an offset, or a time as [`since`] takes it.
pub(crate) fn place(text: &str) -> Result<Place, String> {
    match text {
        "earliest" | "first" | "beginning" => return Ok(Place::First),
        "latest" | "end" => return Ok(Place::End),
        _ => {}
    }
    match text.parse() {
        Ok(offset) if offset >= 0 => Ok(Place::Offset(offset)),
        _ => since(text).map(Place::Time).map_err(|_| {
            "a place is earliest, latest, an offset, a time ago (15m, 2h, 7d), a day (2027-01-31) or an RFC 3339 time"
                .to_owned()
        }),
    }
}

/// A moment in milliseconds since 1970: a time ago (`15m`, `2h`, `7d`), a day (its beginning in UTC)
/// or RFC 3339.
pub(crate) fn since(text: &str) -> Result<i64, String> {
    moment(text, Clock::system().now().millis())
        .ok_or_else(|| "give a time ago (15m, 2h, 7d), a day (2027-01-31) or an RFC 3339 time".to_owned())
}

fn moment(text: &str, now_ms: i64) -> Option<i64> {
    if let Some(ago_ms) = span(text) {
        return now_ms.checked_sub(ago_ms);
    }
    let midnight = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let exact = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc());
    exact.or_else(|| midnight().map(|midnight| midnight.and_utc())).map(|moment| moment.timestamp_millis())
}

/// Milliseconds in `90s`, `15m`, `2h` or `7d`.
pub(crate) fn span(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|&count| count >= 0)?;
    let span = match unit {
        's' => TimeDelta::try_seconds(count),
        'm' => TimeDelta::try_minutes(count),
        'h' => TimeDelta::try_hours(count),
        'd' => TimeDelta::try_days(count),
        _ => None,
    };
    Some(span?.num_milliseconds())
}

/// Bytes in `500MiB`, `10GiB` or `1000000`.
pub(crate) fn bytes(text: &str) -> Option<i64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let of_unit = |(unit, power): (&str, u32)| {
        let count: i64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        count.checked_mul(1 << power)
    };
    let bytes = units.into_iter().find_map(of_unit).or_else(|| text.parse().ok());
    bytes.filter(|&bytes| bytes >= 0)
}

/// A moment for people and for machines: RFC 3339 in UTC.
pub(crate) fn time(timestamp_ms: Option<i64>) -> Option<String> {
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(timestamp_ms?)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_ago_a_day_or_exact() {
        let now = 1_000_000_000_000;
        for (text, expected) in [
            ("90s", Some(now - 90_000)),
            ("15m", Some(now - 900_000)),
            ("2h", Some(now - 7_200_000)),
            ("1d", Some(now - 86_400_000)),
            ("1970-01-02", Some(86_400_000)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("-1h", None),
            ("99999999999999999d", None),
            ("m", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(moment(text, now), expected, "{text}");
        }
    }

    #[test]
    fn a_place_is_a_word_an_offset_or_a_time() {
        assert_eq!(place("earliest"), Ok(Place::First));
        assert_eq!(place("latest"), Ok(Place::End));
        assert_eq!(place("0"), Ok(Place::Offset(0)));
        assert_eq!(place("1970-01-02"), Ok(Place::Time(86_400_000)));
        assert!(place("-5").is_err() && place("nowhere").unwrap_err().contains("earliest"));
    }

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(bytes("10GiB"), Some(10 << 30));
        assert_eq!(bytes("500 MiB"), Some(500 << 20));
        assert_eq!(bytes("123"), Some(123));
        for nonsense in ["", "GiB", "-1", "9999999999TiB", "10GB"] {
            assert_eq!(bytes(nonsense), None, "{nonsense}");
        }
    }
}
