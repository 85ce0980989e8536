use event::Severity;
use expect_test::expect;
use proptest::prelude::*;

use super::KeyUseConfig;
use crate::DetectConfig;
use crate::testing::{Bench, MONDAY, check, check_any_way, cuts, run, script};

/// A key with a past: ten days of hourly calls from two networks of one provider.
const PAST: &str = "00:00:00 used api_key=k1 env=production src_ip=203.0.113.7 country=DE asn=64500 agent=acme-backend x240 every 3600s
     00:30:00 used api_key=k1 env=production src_ip=203.0.112.7 country=DE asn=64500 agent=acme-backend x120 every 7200s";

#[test]
fn a_key_that_is_used_more_than_a_day_after_it_was_rotated_is_told_each_day_and_one_within_it_is_not() {
    check(
        "09:00:00 used api_key=key_1 x10 every 60s
         09:10:00 used action=api_key.replaced api_key=key_1
         09:12:00 used api_key=key_1 x20 every 3600s
         +1d 09:05:00 used api_key=key_1
         +1d 09:20:00 used api_key=key_1 x3 every 3600s
         +2d 10:00:00 used api_key=key_1",
        expect![[r#"
            key.rotation_overlap low key_1 count=3 09:20:00 to 11:20:00
            key.rotation_overlap low key_1 count=1 10:00:00 to 10:00:00
        "#]],
    );
}

#[test]
fn a_country_that_a_key_was_never_used_from_is_told_once_and_covers_what_lies_in_it() {
    check(
        &format!(
            "{PAST}\n+10d 03:00:00 used api_key=k1 env=production src_ip=198.51.100.9 country=FR asn=64501 agent=curl x8 every 60s"
        ),
        expect![[r#"
            key.new_country medium k1 count=8 03:00:00 to 03:07:00
        "#]],
    );
}

#[test]
fn a_new_system_in_a_known_country_is_low_and_a_new_network_in_a_known_system_is_a_note() {
    check(
        &format!(
            "{PAST}
             +10d 03:00:00 used api_key=k1 src_ip=198.51.100.9 country=DE asn=64501 x3 every 60s
             +10d 05:00:00 used api_key=k1 src_ip=203.0.114.9 country=DE asn=64500 x3 every 60s"
        ),
        expect![[r#"
            key.new_asn low k1 count=3 03:00:00 to 03:02:00
            key.new_ip info k1 count=3 05:00:00 to 05:02:00
        "#]],
    );
}

#[test]
fn outside_of_what_the_partner_declared_is_worse_and_inside_of_it_is_nothing() {
    check(
        &format!(
            "{PAST}
             +10d 03:00:00 used api_key=k1 src_ip=198.51.100.9 country=DE asn=64501 use=3 x3 every 60s
             +10d 05:00:00 used api_key=k1 src_ip=192.0.2.9 country=FR asn=64502 use=2 x9 every 60s"
        ),
        expect![[r#"
            key.new_asn medium k1 count=3 03:00:00 to 03:02:00
        "#]],
    );
}

#[test]
fn two_uses_or_refused_ones_from_a_new_place_are_nothing() {
    check(
        &format!(
            "{PAST}
             +10d 03:00:00 used api_key=k1 src_ip=198.51.100.9 country=FR asn=64501 x2 every 60s
             +10d 05:00:00 used api_key=k1 src_ip=192.0.2.9 country=US asn=64502 outcome=failure reason=bad_key x9 every 60s"
        ),
        expect![""],
    );
}

#[test]
fn a_young_key_or_a_rarely_used_one_has_no_past_to_be_held_against() {
    check(
        "00:00:00 used api_key=young src_ip=203.0.113.7 country=DE x100 every 600s
         +2d 00:00:00 used api_key=young src_ip=198.51.100.9 country=FR x9 every 60s
         00:00:00 used api_key=rare src_ip=203.0.113.7 country=DE x20 every 43200s
         +10d 12:00:00 used api_key=rare src_ip=198.51.100.9 country=FR x9 every 60s",
        expect![""],
    );
}

#[test]
fn a_new_place_is_usual_after_a_day() {
    check(
        &format!(
            "{PAST}
             +10d 03:00:00 used api_key=k1 src_ip=198.51.100.9 country=FR x72 every 3600s"
        ),
        expect![[r#"
            key.new_country medium k1 count=24 03:00:00 to 02:00:00
        "#]],
    );
}

#[test]
fn a_secret_key_in_a_browser_is_told_each_day_and_is_low_in_a_sandbox() {
    check(
        "09:00:00 used api_key=k1 agent=Firefox src_ip=192.0.2.{n} x5 every 10s
         +1d 09:00:00 used api_key=k1 origin=shop.acme.example x3 every 10s
         09:00:00 used api_key=k2 env=sandbox agent=Chrome x3 every 10s
         09:00:00 used api_key=k3 agent=Chrome x2 every 10s
         09:00:00 used api_key=k4 agent=python-requests x200 every 10s
         09:00:00 used api_key=k5 action=session_token.issued agent=acme-backend origin=shop.acme.example x9 every 10s",
        expect![[r#"
            key.used_in_browser low k2 count=3 09:00:00 to 09:00:20
            key.used_in_browser high page k1 count=5 09:00:00 to 09:00:40
            key.used_in_browser high page k1 count=3 09:00:00 to 09:00:20
        "#]],
    );
}

#[test]
fn a_key_of_one_environment_in_the_other_is_high_where_it_is_accepted() {
    check(
        "09:00:00 used api_key=k1 env=production x9 every 600s
         09:31:00 used api_key=k1 env=sandbox x2 every 60s
         09:00:00 used api_key=k2 env=sandbox outcome=failure reason=wrong_env x4 every 60s",
        expect![[r#"
            key.env_mixup medium k2 count=4 09:00:00 to 09:03:00
            key.env_mixup high page k1 count=2 09:31:00 to 09:32:00
        "#]],
    );
}

#[test]
fn a_revoked_key_is_low_while_it_is_refused_and_critical_where_it_is_accepted() {
    check(
        "09:00:00 used api_key=k1 action=api_key.revoked
         09:04:00 used api_key=k1 x2 every 10s
         09:06:00 used api_key=k1 x2 every 10s
         09:00:00 used api_key=k2 outcome=failure reason=revoked_key x9 every 60s
         09:00:00 used api_key=k3 outcome=failure reason=revoked_key x10 every 60s",
        expect![[r#"
            key.revoked_use medium k3 count=10 09:00:00 to 09:09:00
            key.revoked_use low k2 count=9 09:00:00 to 09:08:00
            key.revoked_use critical page k1 count=2 09:06:00 to 09:06:10
        "#]],
    );
}

#[test]
fn what_a_single_use_tells_is_told_at_once() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script("09:00:00 used api_key=k1 agent=Firefox src_ip=192.0.2.1 x3 every 1s"));
    let told: Vec<_> = bench.changes.iter().map(|change| change.alert.severity).collect();
    assert_eq!(told, [Severity::High]);
    assert_eq!(
        bench.changes[0].alert.description,
        "3 uses of API key k1 on this day came from a browser, from 1 network. A secret key belongs to a backend; in a \
         page anybody can read it. Revoke it, issue another, and have the page ask its own backend for session tokens."
    );
}

#[test]
fn a_new_place_is_told_at_its_third_use_and_not_when_event_time_comes_past_it() {
    let mut bench = Bench::new(&DetectConfig::default());
    let mut facts = script(PAST);
    facts.sort_by_key(|fact| fact.time);
    facts.iter().for_each(|fact| bench.record(std::slice::from_ref(fact)));
    assert!(bench.changes.is_empty());
    for (n, fact) in
        script("+10d 03:00:00 used api_key=k1 src_ip=198.51.100.9 country=FR x3 every 1s").iter().enumerate()
    {
        bench.record(std::slice::from_ref(fact));
        assert_eq!(bench.changes.len(), usize::from(n == 2));
    }
}

#[test]
fn a_key_that_is_used_from_everywhere_is_new_nowhere() {
    let many = "00:10:00 used api_key=k1 src_ip=10.1.{n}.1 country=DE asn=64500 x70 every 600s";
    check(
        &format!(
            "{PAST}\n{many}\n+10d 03:00:00 used api_key=k1 src_ip=198.51.100.9 country=DE asn=64500 x9 every 60s"
        ),
        expect![""],
    );
}

#[test]
fn what_nobody_used_for_long_is_forgotten() {
    let config = DetectConfig::default();
    let mut facts = script(PAST);
    facts.extend(script("+60d 00:00:00 used api_key=k2 src_ip=203.0.113.7"));
    facts.sort_by_key(|fact| fact.time);
    let bench = run(&config, &facts, 64, 0);
    let stats = bench.engine.stats();
    let keys = stats.detectors.iter().find(|detector| detector.name == super::NAME).map(|stats| stats.keys);
    assert_eq!(keys, Some(1));
}

#[test]
fn while_event_time_stands_still_a_busy_key_takes_no_more_memory() {
    let size = |times: u32| {
        let mut bench = Bench::new(&DetectConfig::default());
        let facts = script(&format!("09:00:00 used api_key=k1 x{times} every 0.01s"));
        facts.chunks(64).for_each(|facts| bench.record_lagging(facts, "prt_acme", MONDAY));
        bench.engine.snapshot().len()
    };
    let (some, many) = (size(600), size(6_000));
    assert!(many < some + 1_000, "{some} and {many} bytes");
}

/// Uses of few keys from few places, within hours, of which one more or less often decides.
fn uses() -> impl Strategy<Value = String> {
    let line = (0..10_u8, 0..20_000_i64, 1..9_i64, prop_oneof![1..90_i64, 1_000..4_000_i64], 0..3_u8);
    let lines = proptest::collection::vec(line, 1..24);
    lines.prop_map(|lines| {
        let line = |(kind, start, times, every, n): (u8, i64, i64, i64, u8)| {
            let what = match kind {
                0 => format!("src_ip=203.0.{n}.7 country=DE asn=64500"),
                1 => format!("src_ip=203.0.{n}.7 country=FR asn=6450{n} env=production"),
                2 => "src_ip=198.51.{n}.7 country=DE asn=64500 env=sandbox".to_owned(),
                3 => format!("src_ip=192.0.{n}.7 use={}", n + 1),
                4 => format!("agent={}", ["Firefox", "curl", "Chrome"][usize::from(n)]),
                5 => "action=api_key.revoked".to_owned(),
                6 => "outcome=failure reason=revoked_key".to_owned(),
                7 => "outcome=failure reason=wrong_env env=sandbox".to_owned(),
                8 => "action=api_key.replaced".to_owned(),
                _ => "env=production".to_owned(),
            };
            let clock = format!("{:02}:{:02}:{:02}", start / 3_600 + 18, start / 60 % 60, start % 60);
            format!("{clock} used api_key=k{} {what} x{times} every {every}s\n", n % 2)
        };
        lines.into_iter().map(line).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_uses_end_in_the_same_alerts(
        text in uses(), cut in cuts(),
    ) {
        let key_use = KeyUseConfig {
            history_ms: 3_600_000,
            history_uses: 5,
            rotation_overlap_ms: 600_000,
            ..KeyUseConfig::default()
        };
        let config = DetectConfig { key_use, ..DetectConfig::default() };
        check_any_way(&config, &text, cut);
    }
}
