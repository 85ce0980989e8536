//! Shops that are open for two hours a day, and what comes over them.

use super::cast::Cast;
use super::{HOUR_MS, Kind, LENGTH_MS, MINUTE_MS, Place};

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("requests_times_five", &["traffic.spike"], |cast| surge(cast, 5, 10)).at(Place::OwnOnce),
    Kind::near_miss("requests_times_two", |cast| surge(cast, 2, 25)).at(Place::OwnOnce),
];

/// Requests a minute while it is open.
const OPEN_PER_MINUTE: i64 = 40;

/// Five days of a shop that is open from nine to eleven; else a call every minute.
pub(super) fn shop(cast: &mut Cast<'_>) {
    let midnight = cast.config.day - cast.start;
    for minute in -4 * 24 * 60..LENGTH_MS / MINUTE_MS {
        let hour = minute.rem_euclid(24 * 60) / 60;
        let usual = if (9..11).contains(&hour) { OPEN_PER_MINUTE } else { 1 };
        about(cast, midnight + minute * MINUTE_MS, usual);
    }
}

/// About so many calls in one minute: half of them at least, half as many more at most.
fn about(cast: &mut Cast<'_>, minute: i64, mean: i64) {
    let count = cast.dice.between(mean / 2, mean * 3 / 2);
    calls(cast, minute, count);
}

/// So many calls in one minute.
pub(super) fn calls(cast: &mut Cast<'_>, minute: i64, count: i64) {
    const PATHS: [&str; 3] = ["/v1/catalog", "/v1/rewards", "/v1/catalog"];
    for _ in 0..count {
        let (at, host, path) =
            (cast.dice.between(0, 59_999), cast.dice.between(0, 4_999), *cast.dice.pick(&PATHS));
        let from = cast.address(host / 250, host);
        cast.request(minute + at, "GET", path, 200, &from);
    }
}

/// The shop has so many times its calls for some minutes, while it is open.
fn surge(cast: &mut Cast<'_>, times: i64, minutes: i64) {
    shop(cast);
    let began = (cast.config.day + 9 * HOUR_MS) - cast.start + cast.dice.between(20, 50) * MINUTE_MS;
    cast.begin(began);
    for minute in 0..minutes {
        about(cast, began + minute * MINUTE_MS, OPEN_PER_MINUTE * (times - 1));
    }
}
