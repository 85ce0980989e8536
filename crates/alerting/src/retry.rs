//! When to try again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The longest pause between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);
/// The longest pause that a receiver may ask for; also what a clock set back can cost at most.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Exponential from a second to five minutes, with full jitter: `draw` is uniform in 0 to 1, so
/// that a thousand messages that failed together do not come back together.
pub(crate) fn backoff(attempts: u32, draw: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let ceiling = Duration::from_secs(1 << doublings).min(BACKOFF_MAX);
    ceiling.mul_f64(draw.clamp(0.0, 1.0))
}

/// What the receiver asks for, in seconds or as an HTTP date; at most an hour.
pub(crate) fn retry_after(headers: &HeaderMap, wall: DateTime<Utc>) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match asked.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (http_date(asked)? - wall).to_std().unwrap_or(Duration::ZERO),
    };
    Some(pause.min(RETRY_AFTER_MAX))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is still sent, is also an e-mail date.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, DateTime::from_timestamp(784_111_777, 0).unwrap())
    }

    #[test]
    fn the_ceiling_doubles_from_one_second_to_five_minutes() {
        let ceilings: Vec<u64> = (1..=11).map(|attempts| backoff(attempts, 1.0).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(backoff(u32::MAX, 1.0), BACKOFF_MAX);
    }

    #[test]
    fn jitter_takes_any_part_of_it() {
        assert_eq!(backoff(5, 0.0), Duration::ZERO);
        assert_eq!(backoff(5, 0.25), Duration::from_secs(4));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO), "already past");
    }

    #[test]
    fn nobody_may_ask_for_more_than_an_hour_or_for_nonsense() {
        assert_eq!(asked("99999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(asked("Fri, 31 Dec 9999 23:59:59 GMT"), Some(RETRY_AFTER_MAX));
        for nonsense in ["soon", "-5", "1e3", ""] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }
}
