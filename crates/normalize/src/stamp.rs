//! Time stamps as logs write them, to event time.

use event::EventTime;

use crate::zone::{Zone, offset_ms};

const DAY_MS: i64 = 86_400_000;

/// A way to write a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StampFormat {
    /// `2026-03-14T09:26:53.589Z`; where the zone is missing, the source's.
    Rfc3339,
    /// `14/Mar/2026:09:26:53 +0000`, `14/Mar/2026:09:26:53.589`; where the zone is missing, the source's.
    Clf,
    /// `Mar 14 09:26:53`: no year and no zone.
    Syslog,
    /// Seconds since 1970, with or without a fraction.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Microseconds since 1970.
    EpochMicros,
    /// Nanoseconds since 1970.
    EpochNanos,
}

impl StampFormat {
    pub(crate) const NAMES: [(&'static str, StampFormat); 7] = [
        ("rfc3339", Self::Rfc3339),
        ("clf", Self::Clf),
        ("syslog", Self::Syslog),
        ("epoch_seconds", Self::EpochSeconds),
        ("epoch_millis", Self::EpochMillis),
        ("epoch_micros", Self::EpochMicros),
        ("epoch_nanos", Self::EpochNanos),
    ];

    /// Reads a stamp. `zone` is that of stamps without one, or none where that is not allowed; `near`
    /// is a moment not long after it was written.
    pub(crate) fn read(self, text: &str, zone: Option<Zone>, near: EventTime) -> Option<EventTime> {
        let bytes = text.as_bytes();
        match self {
            Self::Rfc3339 => rfc3339(bytes, zone, near),
            Self::Clf => clf(bytes, zone, near),
            Self::Syslog => syslog(bytes, zone.unwrap_or(Zone::UTC), near),
            Self::EpochSeconds => epoch(bytes, 1_000),
            Self::EpochMillis => epoch(bytes, 1),
            Self::EpochMicros => epoch(bytes, 1).map(|micros| EventTime(micros.0.div_euclid(1_000))),
            Self::EpochNanos => epoch(bytes, 1).map(|nanos| EventTime(nanos.0.div_euclid(1_000_000))),
        }
    }
}

fn rfc3339(bytes: &[u8], zone: Option<Zone>, near: EventTime) -> Option<EventTime> {
    let (date, rest) = bytes.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' || !matches!(rest.first()?, b'T' | b't' | b' ') {
        return None;
    }
    let day = day_ms(number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?)?;
    moment(day, &rest[1..], zone, near)
}

fn clf(bytes: &[u8], zone: Option<Zone>, near: EventTime) -> Option<EventTime> {
    let [d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', rest @ ..] = bytes else { return None };
    let day = day_ms(number(&[*y1, *y2, *y3, *y4])?, month(&[*m1, *m2, *m3])?, number(&[*d1, *d2])?)?;
    moment(day, rest, zone, near)
}

/// `09:26:53`, with or without a fraction and an offset, on a day.
fn moment(day: i64, text: &[u8], zone: Option<Zone>, near: EventTime) -> Option<EventTime> {
    let (clock, mut rest) = text.split_at_checked(8)?;
    let mut millis = day + clock_ms(clock)?;
    if let [b'.' | b',', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        millis += fraction_ms(&fraction[..digits])?;
        rest = &fraction[digits..];
    }
    match rest {
        [] => zone?.event_time(millis, near),
        [b' ', offset @ ..] | offset => Some(EventTime(millis - offset_ms(offset)?)),
    }
}

/// A stamp without a year is the latest such moment that is not more than a day ahead of `near`.
fn syslog(bytes: &[u8], zone: Zone, near: EventTime) -> Option<EventTime> {
    let [m1, m2, m3, b' ', d1, d2, b' ', clock @ ..] = bytes else { return None };
    let month = month(&[*m1, *m2, *m3])?;
    let day = if *d1 == b' ' { number(&[*d2])? } else { number(&[*d1, *d2])? };
    let (clock, fraction) = clock.split_at_checked(8)?;
    let clock = clock_ms(clock)?
        + match fraction {
            [] => 0,
            [b'.' | b',', digits @ ..] => fraction_ms(digits)?,
            _ => return None,
        };
    let latest = near.millis().checked_add(DAY_MS)?;
    let year = year_of(latest.checked_add(DAY_MS)?);
    // Eight years back there is a 29 February again, even around 2100.
    (0..=8).find_map(|back| {
        let time = zone.event_time(day_ms(year - back, month, day)? + clock, near)?;
        (time.millis() <= latest).then_some(time)
    })
}

fn epoch(bytes: &[u8], scale: i64) -> Option<EventTime> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let dot = memchr::memchr(b'.', digits);
    let whole = number(&digits[..dot.unwrap_or(digits.len())])?.checked_mul(scale)?;
    let fraction = match dot {
        Some(dot) if scale == 1_000 => fraction_ms(&digits[dot + 1..])?,
        _ => 0,
    };
    let millis = whole.checked_add(fraction)?;
    Some(EventTime(if negative { -millis } else { millis }))
}

/// `09:26:53` as milliseconds; a leap second counts as the next one.
fn clock_ms(clock: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hours, minutes, seconds) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    (hours < 24 && minutes < 60 && seconds <= 60).then_some(((hours * 60 + minutes) * 60 + seconds) * 1_000)
}

fn fraction_ms(digits: &[u8]) -> Option<i64> {
    let mut millis = [b'0'; 3];
    for (millis, digit) in millis.iter_mut().zip(digits) {
        *millis = *digit;
    }
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then(|| number(&millis))?
}

fn month(name: &[u8; 3]) -> Option<i64> {
    const NAMES: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let name = name.map(|byte| byte.to_ascii_lowercase());
    NAMES.iter().position(|known| **known == name).map(|at| at as i64 + 1)
}

/// ASCII digits only; other scripts' digits are no time stamp.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_i64, |sum, digit| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// The start of a day in milliseconds since 1970, in the proleptic Gregorian calendar.
pub(crate) fn day_ms(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * DAY_MS)
}

/// The year that a moment lies in.
fn year_of(millis: i64) -> i64 {
    let mut year = 1970 + millis.div_euclid(DAY_MS) * 400 / 146_097;
    while day_ms(year + 1, 1, 1).is_some_and(|next| next <= millis) {
        year += 1;
    }
    while day_ms(year, 1, 1).is_some_and(|start| start > millis) {
        year -= 1;
    }
    year
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: &str = "2026-03-14T09:30:00.000Z";

    fn at(text: &str) -> EventTime {
        StampFormat::Rfc3339.read(text, None, EventTime(0)).expect("a time")
    }

    #[track_caller]
    fn check(format: StampFormat, text: &str, expected: &str) {
        let read = format.read(text, Some(Zone::UTC), at(NEAR)).expect("a time");
        assert_eq!(read.to_rfc3339(), expected);
    }

    #[test]
    fn stamps_are_read_to_the_millisecond() {
        check(StampFormat::Rfc3339, "2026-03-14T10:26:53.5899+01:00", "2026-03-14T09:26:53.589Z");
        check(StampFormat::Rfc3339, "2026-03-14 09:26:53", "2026-03-14T09:26:53.000Z");
        check(StampFormat::Rfc3339, "2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z");
        check(StampFormat::Clf, "14/Mar/2026:10:27:11 +0100", "2026-03-14T09:27:11.000Z");
        check(StampFormat::Clf, "14/Mar/2026:09:26:53.589", "2026-03-14T09:26:53.589Z");
        check(StampFormat::EpochMicros, "1773480413589000", "2026-03-14T09:26:53.589Z");
        check(StampFormat::Syslog, "Mar 14 09:26:53.589123", "2026-03-14T09:26:53.589Z");
        check(StampFormat::EpochSeconds, "1773480413.589", "2026-03-14T09:26:53.589Z");
        check(StampFormat::EpochMillis, "1773480413589", "2026-03-14T09:26:53.589Z");
        check(StampFormat::EpochNanos, "1773480413589000000", "2026-03-14T09:26:53.589Z");
        check(StampFormat::Syslog, "Mar 14 09:26:53", "2026-03-14T09:26:53.000Z");
        check(StampFormat::Syslog, "Mar  4 09:26:53", "2026-03-04T09:26:53.000Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-03-14T25:00:00Z",
            "２０２６-03-14T00:00:00Z",
            "2026-03-14T09:26:53.Z",
            "2026-03-14",
            "now",
            "",
        ] {
            assert_eq!(StampFormat::Rfc3339.read(text, Some(Zone::UTC), at(NEAR)), None, "{text}");
        }
        assert_eq!(StampFormat::Rfc3339.read("2026-03-14T09:26:53", None, at(NEAR)), None);
        assert_eq!(StampFormat::EpochNanos.read("99999999999999999999", None, at(NEAR)), None);
    }

    #[track_caller]
    fn year(stamp: &str, near: &str, expected: &str) {
        let read = StampFormat::Syslog.read(stamp, Some(Zone::UTC), at(near)).expect("a time");
        assert_eq!(read.to_rfc3339(), expected);
    }

    #[test]
    fn a_stamp_without_a_year_is_the_latest_that_can_be() {
        year("Dec 31 23:59:59", "2026-01-01T00:00:02Z", "2025-12-31T23:59:59.000Z");
        year("Jan  1 00:00:03", "2025-12-31T23:59:59Z", "2026-01-01T00:00:03.000Z");
        year("Mar 16 00:00:00", "2026-03-14T09:30:00Z", "2025-03-16T00:00:00.000Z");
        year("Mar 15 09:29:00", "2026-03-14T09:30:00Z", "2026-03-15T09:29:00.000Z");
    }

    #[test]
    fn a_leap_day_is_of_the_last_leap_year() {
        year("Feb 29 12:00:00", "2024-02-29T12:00:05Z", "2024-02-29T12:00:00.000Z");
        year("Feb 29 12:00:00", "2026-03-14T09:30:00Z", "2024-02-29T12:00:00.000Z");
        year("Feb 29 12:00:00", "2024-02-28T23:00:00Z", "2024-02-29T12:00:00.000Z");
        year("Feb 29 12:00:00", "2024-02-20T23:00:00Z", "2020-02-29T12:00:00.000Z");
    }

    #[test]
    fn the_sources_zone_counts_where_the_stamp_has_none() {
        let zone = Zone::parse("+02:00");
        let read = StampFormat::Syslog.read("Mar 14 11:26:53", zone, at(NEAR)).expect("a time");
        assert_eq!(read.to_rfc3339(), "2026-03-14T09:26:53.000Z");
    }
}
