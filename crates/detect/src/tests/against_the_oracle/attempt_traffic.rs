//! Runs of attempts on a few accounts from a few addresses, close to every threshold.

use std::collections::{BTreeMap, BTreeSet};

use event::ids::digest;
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
    let only = select(&[as_it_is, as_it_is, of_one_account, from_one_address, probing, spraying][..]);
    (0..1_440_i64, proptest::collection::vec(run(), 1..8), only).prop_map(|(minute, runs, only)| {
        let moved = |o: Owned| Owned { time: o.time.map(|at| at + minute * 60_000), ..only(o) };
        let mut attempts: Vec<_> = runs.into_iter().flatten().map(moved).collect();
        attempts.sort_by_key(|o| o.time);
        let mut moments = BTreeSet::new();
        attempts.retain(|o| moments.insert(o.time));
        within_bounds(&mut attempts);
        Log(attempts.into_iter().enumerate().flat_map(|(n, o)| seen_twice(n, o)).collect())
    })
}

/// The oracle knows no bounds. So many networks that an account logged in from are remembered.
const HOMES_MAX: usize = 8;

/// Leaves out logins from more networks than an account's detector remembers.
fn within_bounds(attempts: &mut Vec<Owned>) {
    let mut homes: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    attempts.retain(|o| {
        if o.outcome.as_deref() != Some("success") {
            return true;
        }
        let of_account = homes.entry((o.tenant.clone(), o.user_ref.clone(), o.api_key.clone())).or_default();
        of_account.insert(o.src_net.clone());
        of_account.len() <= HOMES_MAX || !of_account.remove(&o.src_net)
    });
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

/// From one address, whose attempts go round a dozen accounts.
fn spraying(o: Owned) -> Owned {
    let who = o.time.unwrap_or_default().millis() / 1_000 % 12;
    let (action, reason) = (Some("login".into()), None);
    Owned { user_ref: Some(format!("u{who}").into()), api_key: None, action, reason, ..from_one_address(o) }
}

/// As its account's and as its address's observation.
fn seen_twice(n: usize, o: Owned) -> impl Iterator<Item = Owned> {
    let o = Owned { ingest_time: o.time, delivery: Some(digest(&[n.to_string().as_bytes()])), ..o };
    let kinds = [ObservationKind::AuthByAccount, ObservationKind::AuthByAddress];
    kinds.into_iter().map(move |kind| Owned { kind: Some(kind.code()), ..o.clone() })
}

/// Attempts alike, one after the other, of which the last may lie just at the end of a window that
/// began with the first. `{n}` is the number of an attempt, `{c}` one of three.
fn run() -> impl Strategy<Value = Vec<Owned>> {
    let every_ms = select(&[1_000, 4_000, 6_666, 6_667, 30_000, 60_000, 300_000, 600_000, 1_800_000_i64][..]);
    let times = prop_oneof![
        4 => 1..3_i64,
        3 => 3..14_i64,
        3 => select(&[5, 6, 10, 11, 12, 15, 20, 30_i64][..]),
        2 => 14..34_i64,
    ];
    let who =
        (account(), address(), browser(), select(&["prt_acme", "prt_acme", "prt_acme", "prt_other"][..]));
    (what(), who, moment(), every_ms, times, proptest::option::of(edge()), 0..30_i64).prop_map(
        |(what, who, start, every_ms, times, edge, first)| {
            let times = times.min(1 + 10 * 3_600_000 / every_ms);
            let mut attempts: Vec<_> = (0..times).map(|n| attempt(what, who, first + n)).collect();
            for (n, attempt) in (0..).zip(&mut attempts) {
                attempt.time = Some(start + n * every_ms);
            }
            if let (Some((window_ms, succeeds)), Some(last)) = (edge, attempts.last_mut()) {
                last.time = Some(start + window_ms);
                if succeeds {
                    (last.action, last.outcome, last.reason) =
                        (Some("login".into()), Some("success".into()), None);
                }
            }
            attempts
        },
    )
}

/// How far from its first a run's last attempt lies, and whether it succeeds.
fn edge() -> impl Strategy<Value = (i64, bool)> {
    (select(&THRESHOLDS_MS[1..]), -1..2_i64, any::<bool>())
        .prop_map(|(ms, beside, succeeds)| (ms + beside, succeeds))
}

type What = (&'static str, &'static str, Option<&'static str>);
type Who = (Option<&'static str>, Option<&'static str>, Option<&'static str>, &'static str);

fn attempt((action, outcome, reason): What, (account, address, browser, tenant): Who, n: i64) -> Owned {
    let said = |text: &'static str| text.replace("{n}", &n.to_string()).replace("{c}", &(n % 3).to_string());
    let is_key = account.is_some_and(|name| name.starts_with('k'));
    let src_ip = address.map(said);
    Owned {
        tenant: Some(tenant.into()),
        kafka_topic: Some(format!("logs.{tenant}.auth").into()),
        action: Some(action.into()),
        outcome: Some(outcome.into()),
        reason: reason.map(Into::into),
        user_ref: account.filter(|_| !is_key).map(|name| said(name).into()),
        api_key: account.filter(|_| is_key).map(|name| said(name).into()),
        src_net: src_ip.as_deref().map(|ip| format!("{}.0/24", &ip[..ip.rfind('.').unwrap()]).into()),
        src_ip: src_ip.map(Into::into),
        ua_fp: browser.map(|ua| said(ua).into()),
        ..Owned::default()
    }
}

/// Action, outcome and reason.
fn what() -> impl Strategy<Value = What> {
    let failure = select(&[None, None, Some("bad_password"), Some("unknown_user"), Some("rate_limited")][..]);
    let token = select(&["malformed", "malformed", "unknown_token", "already_used"][..]);
    prop_oneof![
        6 => failure.prop_map(|reason| ("login", "failure", reason)),
        3 => Just(("login", "success", None)),
        2 => token.prop_map(|reason| ("session_token.rejected", "failure", Some(reason))),
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
    let all = [&few[..], &[Some("192.{n}.2.7"), Some("192.{c}.2.7"), None][..]].concat();
    select(all)
}

fn browser() -> impl Strategy<Value = Option<&'static str>> {
    select(&[None, Some("mac"), Some("b{n}"), Some("b{c}")][..])
}

/// A moment that often lies a threshold away from another, to the millisecond or one beside it.
fn moment() -> impl Strategy<Value = EventTime> {
    let step = || select(&THRESHOLDS_MS[..]);
    (step(), step(), -1..2_i64, prop_oneof![1 => Just(0), 1 => 0..90_000_i64])
        .prop_map(|(a, b, beside, noise)| MONDAY + a + b + beside + noise)
}
