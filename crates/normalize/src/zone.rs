//! The zones that stamps without one are in.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use event::EventTime;

/// How far ahead of its arrival a stamp may be when it is one of two that a clock showed twice.
const AHEAD_MS_MAX: i64 = 5 * 60_000;

/// A zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// So many milliseconds ahead of UTC, all year.
    Fixed(i64),
    /// A place's, with its summers.
    Place(Tz),
}

impl Zone {
    pub(crate) const UTC: Zone = Zone::Fixed(0);

    /// `Z`, `UTC`, `+01:00`, `+0100`, or a place as in `Europe/Berlin`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fixed = if text == "UTC" { Some(0) } else { offset_ms(text.as_bytes()) };
        fixed.map(Self::Fixed).or_else(|| text.parse().ok().map(Self::Place))
    }

    /// What a clock there showed, in milliseconds as if it were UTC's, as event time. An hour that
    /// came twice is the one closest before `near`, a moment not long after; one that a clock left
    /// out is as long after the hour before as its minutes say.
    pub(crate) fn event_time(self, local_ms: i64, near: EventTime) -> Option<EventTime> {
        let place = match self {
            Self::Fixed(ahead_ms) => return Some(EventTime(local_ms - ahead_ms)),
            Self::Place(place) => place,
        };
        let local = DateTime::from_timestamp_millis(local_ms)?.naive_utc();
        let millis = |local: NaiveDateTime| match local.and_local_timezone(place) {
            LocalResult::Single(time) => Some(time.timestamp_millis()),
            LocalResult::Ambiguous(first, second) => {
                let latest = near.millis().saturating_add(AHEAD_MS_MAX);
                let is_second = second.timestamp_millis() <= latest;
                Some(if is_second { second } else { first }.timestamp_millis())
            }
            LocalResult::None => None,
        };
        let hour = TimeDelta::hours(1);
        let skipped = || Some(millis(local - hour)? + hour.num_milliseconds());
        millis(local).or_else(skipped).map(EventTime)
    }
}

/// `Z`, `+01:00`, `+0100` as milliseconds ahead of UTC.
pub(crate) fn offset_ms(bytes: &[u8]) -> Option<i64> {
    let (sign, digits) = match bytes {
        [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let digits = match digits {
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => [*h1, *h2, *m1, *m2],
        _ => return None,
    };
    let [h1, h2, m1, m2] = digits.map(|digit| i64::from(digit.wrapping_sub(b'0')));
    if [h1, h2, m1, m2].iter().any(|digit| *digit > 9) {
        return None;
    }
    let (hours, minutes) = (10 * h1 + h2, 10 * m1 + m2);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis()
    }

    #[track_caller]
    fn check(zone: &str, local: &str, near: &str, expected: &str) {
        let zone = Zone::parse(zone).expect("a zone");
        let time = zone.event_time(ms(local), EventTime(ms(near))).expect("a time");
        assert_eq!(time.to_rfc3339(), expected);
    }

    #[test]
    fn a_place_has_its_summer() {
        check("+02:00", "2026-03-14T10:00:00Z", "2026-03-14T10:00:00Z", "2026-03-14T08:00:00.000Z");
        check("Europe/Berlin", "2026-03-14T10:00:00Z", "2026-03-14T10:00:00Z", "2026-03-14T09:00:00.000Z");
        check("Europe/Berlin", "2026-07-14T10:00:00Z", "2026-07-14T10:00:00Z", "2026-07-14T08:00:00.000Z");
        check("America/New_York", "2026-07-14T10:00:00Z", "2026-07-14T14:00:00Z", "2026-07-14T14:00:00.000Z");
    }

    #[test]
    fn the_hour_that_comes_twice_is_the_one_that_is_over() {
        let local = "2026-10-25T02:30:00Z";
        check("Europe/Berlin", local, "2026-10-25T00:30:02Z", "2026-10-25T00:30:00.000Z");
        check("Europe/Berlin", local, "2026-10-25T01:30:02Z", "2026-10-25T01:30:00.000Z");
    }

    #[test]
    fn the_hour_that_never_was_goes_on_from_the_hour_before() {
        check("Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T02:00:00Z", "2026-03-29T01:30:00.000Z");
    }

    #[test]
    fn other_words_are_no_zone() {
        for text in ["", "CEST!", "+1", "+25:00", "Europe/Nowhere", "+0a:00"] {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
    }
}
