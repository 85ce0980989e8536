//! A few tokens in the hands of a few users, browsers and networks, close to every threshold.

use std::collections::BTreeSet;

use event::ids::digest;
use event::{EventTime, ObservationKind};
use proptest::prelude::*;
use proptest::sample::select;

use super::Log;
use crate::testing::{MONDAY, Owned};

/// Milliseconds from which a rule says something else, one way or the other.
const THRESHOLDS_MS: [i64; 8] = [0, 5_000, 10_000, 30_000, 60_000, 300_000, 330_000, 3_900_000];

/// A log of several tokens of two tenants, who know them by the same fingerprints.
pub(super) fn log() -> impl Strategy<Value = Log> {
    proptest::collection::vec(token(), 1..5).prop_map(|tokens| {
        let named = tokens.into_iter().enumerate().flat_map(|(n, facts)| {
            let tenant = if n % 2 == 0 { "prt_acme" } else { "prt_other" };
            facts.into_iter().map(move |o| Owned {
                tenant: Some(tenant.into()),
                token_fp: Some(format!("hmac256:k1:t{}", n / 2).into()),
                delivery: o.delivery.map(|id| digest(&[&n.to_be_bytes(), &id])),
                ..o
            })
        });
        let mut log: Vec<_> = named.collect();
        log.sort_by_key(|o| o.time);
        Log(log)
    })
}

/// The facts of one token, no two at one moment.
fn token() -> impl Strategy<Value = Vec<Owned>> {
    let facts = prop_oneof![
        proptest::collection::vec(fact(), 1..9),
        proptest::collection::vec(fact().prop_map(plain), 2..14).prop_map(redeemed_once),
        proptest::collection::vec(fact().prop_map(retry), 3..9).prop_map(redeemed_once),
    ];
    facts.prop_map(|mut facts| {
        let mut moments = BTreeSet::new();
        facts.retain(|fact| moments.insert(fact.time));
        // One log tells of a token's issue once, under one name.
        let facts = once_in_each_log(facts, "session_token.issued");
        let number =
            |(n, fact): (usize, Owned)| Owned { delivery: Some(digest(&[n.to_string().as_bytes()])), ..fact };
        facts.into_iter().enumerate().map(number).collect()
    })
}

/// Else most tokens would be redeemed twice, which is worse than all else.
fn redeemed_once(facts: Vec<Owned>) -> Vec<Owned> {
    once_in_each_log(facts, "session_token.redeemed")
}

fn once_in_each_log(mut facts: Vec<Owned>, action: &str) -> Vec<Owned> {
    let mut logs = BTreeSet::new();
    facts.retain(|fact| fact.action.as_deref() != Some(action) || logs.insert(fact.kafka_topic.clone()));
    facts
}

/// One browser behind a few addresses, within seconds.
fn retry(fact: Owned) -> Owned {
    let fact = plain(fact);
    let soon = |at: EventTime| MONDAY + 36_000_000 + (at - MONDAY) % 12_000;
    let host = if fact.src_ip.as_deref() == Some("203.0.113.8") { 8 } else { 7 };
    Owned {
        time: fact.time.map(soon),
        ua_fp: Some("mac".into()),
        src_net: Some("203.0.113.0/24".into()),
        src_ip: Some(format!("203.0.113.{host}").into()),
        kafka_topic: Some("logs.prt_acme.auth".into()),
        ..fact
    }
}

/// The same without what most rules look at, and soon, so that nothing hides what the others say.
fn plain(fact: Owned) -> Owned {
    let soon = |at: EventTime| MONDAY + 36_000_000 + (at - MONDAY) % 60_000;
    Owned {
        time: fact.time.map(soon),
        ingest_time: fact.time.map(soon),
        reason: fact.reason.map(|_| "already_used".into()),
        user_ref: None,
        partner_id: None,
        origin_host: None,
        bound_origin: None,
        token_expires_at: None,
        ..fact
    }
}

fn fact() -> impl Strategy<Value = Owned> {
    let what = select(
        &["issued", "issued", "redeemed", "redeemed", "rejected", "rejected", "rejected", "revoked"][..],
    );
    let place = (option(&["203.0.113.7", "203.0.113.8", "198.51.100.7"]), option(&["mac", "phone"]));
    let who = (option(&["ann", "bob"]), option(&["prt_acme", "prt_evil"]));
    let page = (
        option(&["shop.example", "evil.example"]),
        option(&["https://shop.example:443/cart", "evil.example"]),
    );
    (what, moment(), place, who, page, reason(), select(&["auth", "auth", "edge"][..]), expires()).prop_map(
        |(what, at, (src_ip, ua), (user, partner), (origin, bound), reason, feed, expires)| Owned {
            kind: Some(ObservationKind::Token.code()),
            time: Some(at),
            ingest_time: Some(at),
            kafka_topic: Some(format!("logs.prt_acme.{feed}").into()),
            action: Some(format!("session_token.{what}").into()),
            outcome: Some(if what == "rejected" { "failure" } else { "success" }.into()),
            reason: reason.filter(|_| what == "rejected").map(Into::into),
            src_net: src_ip.map(|ip| format!("{}.0/24", &ip[..ip.rfind('.').unwrap()]).into()),
            src_ip: src_ip.map(Into::into),
            ua_fp: ua.map(Into::into),
            user_ref: user.map(Into::into),
            partner_id: partner.map(Into::into),
            origin_host: origin.map(Into::into),
            bound_origin: bound.map(Into::into),
            token_expires_at: expires.filter(|_| what == "issued").map(|life_ms| at + life_ms),
            ..Owned::default()
        },
    )
}

/// A moment that often lies a threshold away from another, to the millisecond or one beside it.
fn moment() -> impl Strategy<Value = EventTime> {
    let step = || select(&THRESHOLDS_MS[..]);
    (step(), step(), -1..2_i64, prop_oneof![4 => Just(0), 1 => 0..90_000_i64])
        .prop_map(|(a, b, beside, noise)| MONDAY + 36_000_000 + a + b + beside + noise)
}

fn reason() -> impl Strategy<Value = Option<&'static str>> {
    let said = [
        "already_used",
        "already_used",
        "already_used",
        "other",
        "expired",
        "revoked",
        "wrong_user",
        "wrong_origin",
    ];
    proptest::option::of(select(said.to_vec()))
}

fn expires() -> impl Strategy<Value = Option<i64>> {
    proptest::option::weighted(0.3, select(&[30_000_i64, 300_000, 900_000][..]))
}

/// A value that is known more often than not.
fn option(values: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    proptest::option::weighted(0.7, select(values))
}
