use expect_test::expect;
use proptest::prelude::*;

use super::ObjectAccessConfig;
use crate::DetectConfig;
use crate::testing::{Bench, check, check_any_way, cuts, script};

#[test]
fn a_walk_over_ids_is_high_and_the_object_that_was_given_between_them_makes_it_critical() {
    check(
        "09:00:00 called user_ref=mallory route=/v1/profiles/{id} object=usr_9000{n} status=403 x10 every 5s",
        expect![[r#"
            authz.bola_probe high page mallory count=10 09:00:00 to 09:00:45
        "#]],
    );
    check(
        "09:00:00 called api_key=k1 route=/v1/p object=usr_9{n} status=403 x25 every 5s
         09:01:00 called api_key=k1 route=/v1/p object=usr_911 status=200
         09:01:00 called api_key=k1 route=/v1/p object=usr_9400 status=200
         09:01:00 called api_key=k1 route=/v1/q object=usr_912 status=200",
        expect![[r#"
            authz.bola_probe critical page k1 count=26 09:00:00 to 09:02:00
        "#]],
    );
}

#[test]
fn nine_objects_or_one_again_and_again_or_ten_over_hours_are_no_walk() {
    check(
        "09:00:00 called user_ref=a object=o{n} status=403 x9 every 5s
         09:00:00 called user_ref=b object=o1 status=403 x500 every 1s
         09:00:00 called user_ref=c object=o{n} status=403 x40 every 100s
         09:00:00 called user_ref=d object=o{n} status=404 x29 every 5s
         09:00:00 called user_ref=e object=o{n} status=200 x300 every 1s",
        expect![""],
    );
}

#[test]
fn thirty_objects_that_are_not_there_are_a_walk_too() {
    check(
        "09:00:00 called user_ref=d object=o{n} status=404 x30 every 5s",
        expect![[r#"
            authz.bola_probe high page d count=30 09:00:00 to 09:02:25
        "#]],
    );
}

#[test]
fn another_partners_object_that_is_given_is_critical_at_once() {
    check(
        "09:00:00 called user_ref=a object=o1 owner=prt_globex status=200 x2 every 60s
         09:00:00 called user_ref=b object=o1 owner=prt_acme status=200
         09:00:00 called user_ref=c object=o1 owner=prt_globex status=403",
        expect![[r#"
            authz.cross_partner critical page a count=2 09:00:00 to 09:01:00
        "#]],
    );
}

#[test]
fn three_objects_of_two_other_partners_are_high_though_all_were_refused_and_three_of_one_are_not() {
    check(
        "09:00:00 called user_ref=a object=o{n} owner=prt_globex status=403 x2 every 60s
         09:04:00 called user_ref=a object=p1 owner=prt_initech status=404
         09:00:00 called user_ref=b object=o{n} owner=prt_globex status=403 x5 every 60s
         09:00:00 called user_ref=c object=o{n} owner=prt_globex status=403 x2 every 60s
         09:12:00 called user_ref=c object=p1 owner=prt_initech status=404",
        expect![[r#"
            authz.cross_partner high page a count=3 09:00:00 to 09:04:00
        "#]],
    );
}

#[test]
fn a_walk_is_told_with_the_tenth_object() {
    let mut bench = Bench::new(&DetectConfig::default());
    for (n, fact) in
        script("09:00:00 called user_ref=m object=o{n} status=403 x12 every 1s").iter().enumerate()
    {
        bench.record(std::slice::from_ref(fact));
        assert_eq!(bench.changes.is_empty(), n < 9, "{n}");
    }
}

#[test]
fn a_walk_over_midnight_is_told() {
    check(
        "23:59:00 called user_ref=m object=o{n} status=403 x12 every 10s",
        expect![[r#"
            authz.bola_probe high page m count=6 00:00:00 to 00:00:50
        "#]],
    );
}

#[test]
fn a_day_of_very_many_objects_takes_no_more_memory_and_says_that_it_is_counted_roughly() {
    let mut bench = Bench::new(&DetectConfig::default());
    let facts = script("09:00:00 called user_ref=a object=o{n} owner=prt_globex status=200 x3000 every 1s");
    facts.chunks(64).for_each(|facts| bench.record(facts));
    let last = &bench.finish().changes.last().expect("it is told").alert.clone();
    assert_eq!((last.details["given"].as_u64(), last.approx, last.count), (Some(1_024), true, 3_000));
}

fn calls() -> impl Strategy<Value = String> {
    let line = (0..8_u8, 0..9_000_i64, 1..9_i64, prop_oneof![1..60_i64, 200..900_i64], 0..3_u8);
    let lines = proptest::collection::vec(line, 1..20);
    lines.prop_map(|lines| {
        let line = |(kind, start, times, every, n): (u8, i64, i64, i64, u8)| {
            let what = match kind {
                0 | 1 => format!("object=o{n}{{n}} status=403"),
                2 => format!("object=o{n}{{n}} status=404"),
                3 => format!("object=o{n}4 status=200"),
                4 => format!("object=o{{n}}{n} status=200"),
                5 => format!("object=p{n} status=200 owner=prt_{n}"),
                _ => format!("object=q{n}{{n}} status=403 owner=prt_{n}"),
            };
            let clock = format!("{:02}:{:02}:{:02}", start / 3_600 + 21, start / 60 % 60, start % 60);
            format!("{clock} called user_ref=u{} {what} x{times} every {every}s\n", n % 2)
        };
        lines.into_iter().map(line).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_calls_end_in_the_same_alerts(
        text in calls(), cut in cuts(),
    ) {
        let object_access = ObjectAccessConfig { forbidden_min: 6, missing_min: 9, ..ObjectAccessConfig::default() };
        let config = DetectConfig { object_access, ..DetectConfig::default() };
        check_any_way(&config, &text, cut);
    }
}
