//! Half a day of a tenant's requests, of which now more and now fewer are refused.

use proptest::prelude::*;
use proptest::sample::select;

use super::{Log, requests};

const ROUTE: &str = "POST /v1/sessions";

/// So many minutes alike: what is answered 200 and 401 in each, and the pause that follows.
#[derive(Clone, Debug)]
struct Stretch {
    minutes: i64,
    accepted: i64,
    refused: i64,
    pause_minutes: i64,
}

/// A log that begins quietly, at any minute of a day.
pub(super) fn log() -> impl Strategy<Value = Log> {
    let quiet = stretch(50..90_i64, &[0, 1, 2]);
    let others = proptest::collection::vec(stretch(1..20_i64, &[0, 1, 3, 5, 7, 8, 25, 100]), 1..8);
    (0..1_440_i64, quiet, others).prop_map(|(mut minute, quiet, others)| {
        let mut rows = Vec::new();
        for stretch in std::iter::once(quiet).chain(others) {
            for n in 0..stretch.minutes {
                rows.push(requests(minute + n, ROUTE, 200, stretch.accepted));
                rows.push(requests(minute + n, ROUTE, 401, stretch.refused));
            }
            minute += stretch.minutes + stretch.pause_minutes;
        }
        Log(rows.into_iter().filter(|row| row.count > Some(0)).collect())
    })
}

fn stretch(minutes: std::ops::Range<i64>, refused: &'static [i64]) -> impl Strategy<Value = Stretch> {
    let accepted = select(&[0_i64, 2, 3, 20, 28, 32, 100][..]);
    let pause_minutes = prop_oneof![3 => Just(0_i64), 1 => select(&[1_i64, 8, 9, 10, 28, 29, 30, 31][..])];
    (minutes, accepted, select(refused), pause_minutes).prop_map(
        |(minutes, accepted, refused, pause_minutes)| Stretch { minutes, accepted, refused, pause_minutes },
    )
}
