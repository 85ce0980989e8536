//! Half a day of requests on a few endpoints, of which now one, now several, now all have more
//! than usual, close to every threshold.

use proptest::prelude::*;
use proptest::sample::select;

use super::{Log, requests};

const ROUTES: [&str; 5] =
    ["POST /v1/sessions", "GET /v1/events", "GET /v1/users", "PUT /v1/users", "GET /v1/keys"];

/// So many minutes alike, and the pause that follows.
#[derive(Clone, Debug)]
struct Stretch {
    minutes: i64,
    /// What each endpoint has a minute, and how many of them are refused with which status.
    requests: [(i64, i64, i32); ROUTES.len()],
    /// Only every so many minutes there is anything.
    every: i64,
    /// In an odd minute there are so many more.
    wobble: i64,
    pause_minutes: i64,
}

/// A log that begins quietly, at any minute of a day.
pub(super) fn log() -> impl Strategy<Value = Log> {
    let quiet = stretch(58..75_i64, &[0, 1, 10, 23, 24, 25, 40, 60, 130], &[1]);
    let odd =
        stretch(1..9_i64, &[0, 1, 24, 59, 60, 119, 120, 121, 125, 200, 300, 599, 600, 1_300], &[1, 1, 1, 2]);
    let calm = stretch(1..40_i64, &[0, 1, 10, 24, 40, 60, 130], &[1, 1, 1, 2, 7]);
    let others = proptest::collection::vec(prop_oneof![odd, calm], 1..10);
    (0..1_440_i64, quiet, others, any::<bool>()).prop_map(|(mut minute, quiet, others, is_named)| {
        let mut rows = Vec::new();
        for stretch in std::iter::once(quiet).chain(others) {
            for n in (0..stretch.minutes).step_by(stretch.every as usize) {
                let wobble = if n % 2 == 1 { stretch.wobble } else { 0 };
                for (route, (count, refused, status)) in ROUTES.iter().zip(stretch.requests) {
                    let accepted = if count == 0 { 0 } else { count - refused + wobble };
                    rows.push(requests(minute + n, route, 200, accepted));
                    rows.push(requests(minute + n, route, status, refused));
                }
            }
            minute += stretch.minutes + stretch.pause_minutes;
        }
        rows.retain(|row| row.count > Some(0));
        if is_named {
            rows.iter_mut().for_each(|row| row.partner_id = Some("prt_beta".into()));
        }
        Log(rows)
    })
}

fn stretch(
    minutes: std::ops::Range<i64>,
    counts: &'static [i64],
    every: &'static [i64],
) -> impl Strategy<Value = Stretch> {
    let refused = select(&[0, 0, 0, 59, 60, 61, 100_i64][..]);
    let requests = (select(counts), refused, select(&[401, 404, 429, 500][..]))
        .prop_map(|(count, percent, status)| (count, count * percent / 100, status));
    let idle = || Just((0, 0, 401));
    let busy = requests.boxed();
    let each = prop_oneof![2 => busy, 1 => idle()].boxed();
    let pause_minutes = prop_oneof![3 => Just(0_i64), 1 => select(&[1_i64, 4, 5, 28, 29, 30, 31, 90][..])];
    let requests = [each.clone(), each.clone(), each.clone(), each.clone(), each];
    (minutes, requests, select(every), select(&[0, 0, 1, 7, 30_i64][..]), pause_minutes).prop_map(
        |(minutes, requests, every, wobble, pause_minutes)| Stretch {
            minutes,
            requests,
            every,
            wobble,
            pause_minutes,
        },
    )
}
