//! A shop that is open on Mondays: its calls that hardly come any more, and quiet that is usual.

use super::cast::Cast;
use super::shops::calls;
use super::{DAY_MS, HOUR_MS, Kind, LENGTH_MS, MINUTE_MS, PAST_MS, Place};

pub(super) const KINDS: &[Kind] = &[
    Kind::attack("calls_that_hardly_come", &["traffic.drop"], |cast| ebb(cast, 40, 1)).at(Place::OwnOnce),
    Kind::attack("shop_whose_feed_falls_silent", &["source.silent"], |cast| ebb(cast, 60, 0))
        .at(Place::OwnOnce),
    Kind::near_miss("shop_that_is_closed_at_night_and_all_week", |cast| ebb(cast, 0, 0)).at(Place::OwnOnce),
    Kind::near_miss("calls_that_hardly_come_for_ten_minutes", |cast| ebb(cast, 10, 1)).at(Place::OwnOnce),
];

/// Calls a minute while it is open, from nine to twelve; else there is one every eight minutes.
const OPEN_PER_MINUTE: i64 = 14;
const BETWEEN_CALLS: i64 = 8;

/// Three Mondays and what lies between them. On the last, from some minute after ten on, the shop has so many
/// calls a minute for so long.
fn ebb(cast: &mut Cast<'_>, minutes: i64, per_minute: i64) {
    let midnight = cast.config.day - cast.start;
    let began = 10 * 60 + cast.dice.between(1, 10);
    if minutes > 0 {
        cast.begin(midnight + began * MINUTE_MS);
    }
    for minute in -PAST_MS / MINUTE_MS..LENGTH_MS / MINUTE_MS {
        let at = midnight + minute * MINUTE_MS;
        let (day, of_day) = (minute.div_euclid(DAY_MS / MINUTE_MS), minute.rem_euclid(DAY_MS / MINUTE_MS));
        let is_open = day.rem_euclid(7) == 0 && (9..12).contains(&(of_day * MINUTE_MS / HOUR_MS));
        if (began..began + minutes).contains(&minute) {
            calls(cast, at, per_minute);
        } else if is_open {
            let count = cast.dice.between(OPEN_PER_MINUTE - 4, OPEN_PER_MINUTE + 4);
            calls(cast, at, count);
        } else if minute.rem_euclid(BETWEEN_CALLS) == 0 {
            calls(cast, at, 1);
        }
    }
}
