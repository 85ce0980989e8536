//! Runs of attempts on a few accounts from a few addresses, close to every threshold.

use std::collections::BTreeSet;

use event::{EventTime, ObservationKind};
use proptest::prelude::*;
use proptest::sample::select;

use super::Log;
use crate::testing::{MONDAY, Owned};

/// Milliseconds from which a rule says something else, one way or the other.
const THRESHOLDS_MS: [i64; 9] =
    [0, 60_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000];

/// A log of several runs, no two attempts at one moment. It lies anywhere in a day, because an
/// episode's name changes at a minute that is each key's own.
pub(super) fn log() -> impl Strategy<Value = Log> {
    let only = select(&[as_it_is, of_one_account, from_one_address, probing][..]);
    (0..1_440_i64, proptest::collection::vec(run(), 1..9), only).prop_map(|(minute, runs, only)| {
        let moved = |o: Owned| Owned { time: o.time.map(|at| at + minute * 60_000), ..only(o) };
        let mut attempts: Vec<_> = runs.into_iter().flatten().map(moved).collect();
        attempts.sort_by_key(|o| o.time);
        let mut moments = BTreeSet::new();
        attempts.retain(|o| moments.insert(o.time));
        Log(attempts.into_iter().enumerate().flat_map(|(n, o)| seen_twice(n, o)).collect())
    })
}

fn as_it_is(o: Owned) -> Owned {
    o
}

fn of_one_account(o: Owned) -> Owned {
    Owned { user_ref: Some("ann".into()), api_key: None, ..o }
}

fn from_one_address(o: Owned) -> Owned {
    Owned { src_ip: Some("203.0.113.7".into()), src_net: Some("203.0.113.0/24".into()), ..o }
}

/// From one address, and each failure is of an account that does not exist.
fn probing(o: Owned) -> Owned {
    let is_failure = o.outcome.as_deref() == Some("failure");
    Owned { reason: is_failure.then(|| "unknown_user".into()), ..from_one_address(o) }
}

/// As its account's and as its address's observation.
fn seen_twice(n: usize, o: Owned) -> impl Iterator<Item = Owned> {
    let o = Owned {
        ingest_time: o.time,
        delivery_id: Some(n.to_string().into()),
        event_id: Some(format!("evt_{n}").into()),
        ..o
    };
    let kinds = [ObservationKind::AuthByAccount, ObservationKind::AuthByAddress];
    kinds.into_iter().map(move |kind| Owned { kind: Some(kind.code()), ..o.clone() })
}

/// Attempts alike, one after the other. `{n}` is the number of an attempt.
fn run() -> impl Strategy<Value = Vec<Owned>> {
    let every_ms = select(&[1_000, 4_000, 6_666, 6_667, 30_000, 60_000, 300_000, 600_000, 1_800_000_i64][..]);
    let times = prop_oneof![4 => 1..3_i64, 6 => 3..14_i64, 2 => 14..34_i64];
    (what(), account(), address(), browser(), moment(), every_ms, times, 0..30_i64).prop_map(
        |((action, outcome, reason), account, address, browser, start, every_ms, times, first)| {
            let times = times.min(1 + 10 * 3_600_000 / every_ms);
            let attempt = |n: i64| {
                let said = |text: &'static str| text.replace("{n}", &(first + n).to_string());
                let src_ip = address.map(said);
                let (account, is_key) =
                    (account.map(said), account.is_some_and(|name| name.starts_with('k')));
                Owned {
                    time: Some(start + n * every_ms),
                    tenant: Some("prt_acme".into()),
                    kafka_topic: Some("logs.prt_acme.auth".into()),
                    action: Some(action.into()),
                    outcome: Some(outcome.into()),
                    reason: reason.map(Into::into),
                    user_ref: account.clone().filter(|_| !is_key).map(Into::into),
                    api_key: account.filter(|_| is_key).map(Into::into),
                    src_net: src_ip
                        .as_deref()
                        .map(|ip| format!("{}.0/24", &ip[..ip.rfind('.').unwrap()]).into()),
                    src_ip: src_ip.map(Into::into),
                    ua_fp: browser.map(|ua| said(ua).into()),
                    ..Owned::default()
                }
            };
            (0..times).map(attempt).collect()
        },
    )
}

/// Action, outcome and reason.
fn what() -> impl Strategy<Value = (&'static str, &'static str, Option<&'static str>)> {
    let failure = select(&[None, None, Some("bad_password"), Some("unknown_user"), Some("rate_limited")][..]);
    let token = select(&["malformed", "malformed", "unknown_token", "already_used"][..]);
    prop_oneof![
        6 => failure.prop_map(|reason| ("login", "failure", reason)),
        3 => Just(("login", "success", None)),
        1 => token.prop_map(|reason| ("session_token.rejected", "failure", Some(reason))),
    ]
}

fn account() -> impl Strategy<Value = Option<&'static str>> {
    select(
        &[Some("ann"), Some("ann"), Some("bob"), Some("u{n}"), Some("u{n}"), Some("k1"), Some("k{n}"), None]
            [..],
    )
}

fn address() -> impl Strategy<Value = Option<&'static str>> {
    let few = [Some("203.0.113.7"), Some("203.0.113.7"), Some("203.0.113.8"), Some("198.51.100.7")];
    let all = [&few[..], &[Some("192.{n}.2.7"), Some("192.{n}.2.7"), None][..]].concat();
    select(all)
}

fn browser() -> impl Strategy<Value = Option<&'static str>> {
    select(&[None, Some("mac"), Some("b{n}")][..])
}

/// A moment that often lies a threshold away from another, to the millisecond or one beside it.
fn moment() -> impl Strategy<Value = EventTime> {
    let step = || select(&THRESHOLDS_MS[..]);
    (step(), step(), -1..2_i64, prop_oneof![1 => Just(0), 1 => 0..90_000_i64])
        .prop_map(|(a, b, beside, noise)| MONDAY + a + b + beside + noise)
}
