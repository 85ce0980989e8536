//! The engine finds what the oracle finds, however the log is delivered.
//!
//! `testkit::oracle` reads the whole log at once and obviously; the engine gets it out of order
//! within the allowed lateness, cut anywhere, partly twice, and is restarted in between.

mod attempt_traffic;
mod refusal_traffic;
mod spike_traffic;
mod token_traffic;

use std::collections::BTreeSet;

use event::ObservationKind;
use event::ids::digest;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::RngSeed;
use testkit::oracle::{self, Verdict};

use super::{Bench, Owned};
use crate::class::ClassInfo;
use crate::detectors::{failed_authentication, request_spike, token_reuse};
use crate::testing::{MONDAY, shuffled};
use crate::{DetectConfig, stable};

/// How far behind the newest an observation may come; the allowed lateness is 120 s.
const BEHIND_MS: i64 = 115_000;

/// Observations in order of event time; a failing test shows one line for each.
#[derive(Clone)]
pub(super) struct Log(pub(super) Vec<Owned>);

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let once = |o: &&Owned| o.kind != Some(ObservationKind::AuthByAddress.code());
        for o in self.0.iter().filter(once) {
            let time = o.time.unwrap_or_default().to_rfc3339();
            let said = |name: &str, value: &Option<std::borrow::Cow<'_, str>>| {
                value.as_deref().map(|value| format!(" {name}={value}")).unwrap_or_default()
            };
            let facts = [
                said("topic", &o.kafka_topic),
                said("token", &o.token_fp),
                said("reason", &o.reason),
                said("src_ip", &o.src_ip),
                said("ua", &o.ua_fp),
                said("user_ref", &o.user_ref),
                said("api_key", &o.api_key),
                said("partner", &o.partner_id),
                said("origin", &o.origin_host),
                said("bound", &o.bound_origin),
                said("route", &o.route),
            ];
            let expires = o.token_expires_at.map(|at| format!(" expires={at}")).unwrap_or_default();
            let action = o.action.as_deref().unwrap_or_default();
            let count =
                o.count.map(|count| format!(" status={:?} count={count}", o.status)).unwrap_or_default();
            let outcome = o.outcome.as_deref().unwrap_or_default();
            write!(f, "\n{time} {action} {outcome}{}{expires}{count}", facts.concat())?;
        }
        Ok(())
    }
}

/// A number below `below` that this seed and purpose always give.
fn pick(seed: u64, purpose: &str, n: usize, below: u64) -> u64 {
    stable::hash(&[&seed.to_string(), purpose, &n.to_string()]) % below
}

/// So many requests of one minute, of which nobody saw more than the count.
fn requests(minute: i64, route: &'static str, status: i32, count: i64) -> Owned {
    let time = MONDAY + minute * 60_000;
    Owned {
        kind: Some(ObservationKind::Requests.code()),
        time: Some(time),
        ingest_time: Some(time),
        tenant: Some("prt_acme".into()),
        delivery: Some(digest(&[format!("{minute}-{status}-{route}").as_bytes()])),
        kafka_topic: Some("logs.prt_acme.gateway".into()),
        route: Some(route.into()),
        status: Some(status),
        count: Some(count),
        ..Owned::default()
    }
}

/// The engine after this log, delivered in one of many ways.
fn deliver(observations: &[Owned], seed: u64) -> Bench {
    let again = observations.iter().enumerate().filter(|(n, _)| pick(seed, "again", *n, 4) == 0);
    let twice: Vec<_> = observations.iter().chain(again.map(|(_, o)| o)).cloned().collect();
    let arriving = shuffled(&twice, BEHIND_MS, seed);
    let mut bench = Bench::new(&DetectConfig::default());
    let (mut rest, mut records) = (&arriving[..], 0);
    while !rest.is_empty() {
        let size = 1 + pick(seed, "size", records, 9) as usize;
        let (record, later) = rest.split_at(size.min(rest.len()));
        bench.record(record);
        if pick(seed, "restart", records, 6) == 0 {
            bench.restart();
        }
        (rest, records) = (later, records + 1);
    }
    bench.finish()
}

/// An alert as the oracle has it.
pub(crate) fn verdict(alert: &event::Alert) -> Verdict {
    Verdict {
        dedup_key: alert.dedup_key.clone(),
        detector: alert.detector.clone(),
        class: alert.class.clone(),
        tenant: alert.tenant.as_str().to_owned(),
        entity: alert.entity.clone(),
        severity: alert.severity,
        count: alert.count,
        first_seen: alert.first_seen,
        last_seen: alert.last_seen,
    }
}

/// What the engine said of every alert at its end.
fn verdicts(bench: &Bench) -> BTreeSet<Verdict> {
    bench.final_alerts().values().map(verdict).collect()
}

/// Fails with what only one of the two found.
fn assert_agree(observations: &[Owned], seed: u64) {
    let (expected, found) = (oracle::verdicts(observations), verdicts(&deliver(observations, seed)));
    let missing: Vec<_> = expected.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "only the oracle: {missing:#?}\nonly the engine: {surplus:#?}"
    );
}

/// The same logs each time, so that a change is answered for what it changed. Others, and more of
/// them, are for whoever changes a detector: `PROPTEST_CASES=20000`.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let is_asked = std::env::var_os("PROPTEST_CASES").is_some();
    if is_asked { asked } else { ProptestConfig { cases: usual, rng_seed: RngSeed::Fixed(1), ..asked } }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn tokens_are_judged_as_the_oracle_judges_them(log in token_traffic::log(), seed in any::<u64>()) {
        assert_agree(&log.0, seed);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn attempts_are_judged_as_the_oracle_judges_them(log in attempt_traffic::log(), seed in any::<u64>()) {
        assert_agree(&log.0, seed);
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn refusals_are_judged_as_the_oracle_judges_them(log in refusal_traffic::log(), seed in any::<u64>()) {
        assert_agree(&log.0, seed);
    }
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn spikes_are_judged_as_the_oracle_judges_them(log in spike_traffic::log(), seed in any::<u64>()) {
        assert_agree(&log.0, seed);
    }
}

/// The classes that the oracle finds in a few hundred such logs.
fn classes_in(logs: impl Strategy<Value = Log>) -> BTreeSet<String> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut log = || logs.new_tree(&mut runner).unwrap().current().0;
    (0..600).flat_map(|_| oracle::verdicts(&log())).map(|verdict| verdict.class).collect()
}

fn named(classes: &[ClassInfo]) -> BTreeSet<String> {
    classes.iter().map(|class| class.class.to_owned()).collect()
}

#[test]
fn the_logs_hold_tokens_of_every_class() {
    assert_eq!(classes_in(token_traffic::log()), named(token_reuse::CLASSES));
}

#[test]
fn the_logs_hold_attempts_of_every_class() {
    assert_eq!(classes_in(attempt_traffic::log()), named(failed_authentication::CLASSES));
}

#[test]
fn the_logs_hold_requests_of_every_class() {
    let classes = classes_in(prop_oneof![refusal_traffic::log(), spike_traffic::log()]);
    // A lull shows against two weeks, and the oracle's logs are shorter than a day.
    let all: BTreeSet<_> =
        named(request_spike::CLASSES).into_iter().filter(|class| *class != "traffic.drop").collect();
    assert_eq!(classes, all);
}
