use event::Severity;
use expect_test::expect;
use proptest::prelude::*;

use crate::testing::{Bench, assert_same, check, doubled, run, script, shuffled};
use crate::tests::cases;
use crate::{DetectConfig, testing};

#[test]
fn thirty_different_paths_in_five_minutes_are_too_many_and_twenty_nine_are_not() {
    check(
        "09:00:00 probe src_ip=203.0.113.9 sought=p{n} x30 every 10s",
        expect![[r#"
            scan.enumeration medium 203.0.113.0/24 count=30 09:00:00 to 09:04:50
        "#]],
    );
    check("09:00:00 probe src_ip=203.0.113.9 sought=p{n} x29 every 10s", expect![""]);
}

#[test]
fn eleven_within_ten_seconds_are_too_many_already() {
    check(
        "09:00:00 probe src_ip=203.0.113.9 sought=p{n} x11 every 0.9s",
        expect![[r#"
            scan.enumeration medium 203.0.113.0/24 count=11 09:00:00 to 09:00:09
        "#]],
    );
}

#[test]
fn a_network_counts_as_one() {
    check(
        "09:00:00 probe src_ip=203.0.113.{n} sought=p{n} x12 every 0.5s",
        expect![[r#"
            scan.enumeration medium 203.0.113.0/24 count=12 09:00:00 to 09:00:05
        "#]],
    );
}

#[test]
fn a_broken_deploy_is_no_scan() {
    // Many clients miss the same few things, again and again.
    check(
        "09:00:00 probe src_ip=203.0.113.9 sought=a x400 every 1s
         09:00:00 probe src_ip=203.0.113.9 sought=b x400 every 1s
         09:00:00 probe src_ip=198.51.{n}.7 sought=a x200 every 0.1s",
        expect![""],
    );
}

#[test]
fn a_crawler_that_follows_old_links_is_no_scan() {
    check("09:00:00 probe src_ip=192.0.2.7 sought=old{n} x200 every 20s", expect![""]);
}

#[test]
fn what_only_attackers_ask_for_needs_less_and_weighs_more_the_more_there_is() {
    check(
        "09:00:00 probe src_ip=203.0.113.9 sought=f{n} reason=sensitive_file x5 every 20s
         09:00:00 probe src_ip=198.51.100.9 sought=f{n} reason=sensitive_file x10 every 20s
         09:00:00 probe src_ip=192.0.2.9 sought=f{n} reason=path_traversal x16 every 10s
         09:00:00 probe src_ip=192.0.3.9 sought=f{n} reason=sensitive_file x4 every 20s
         09:00:00 probe src_ip=192.0.4.9 sought=f{n} reason=shell x2 every 20s
         09:00:00 probe src_ip=192.0.5.9 sought=f{n} reason=shell",
        expect![[r#"
            scan.probing info 192.0.4.0/24 count=2 09:00:00 to 09:00:20
            scan.probing low 198.51.100.0/24 count=10 09:00:00 to 09:03:00
            scan.probing info 203.0.113.0/24 count=5 09:00:00 to 09:01:20
            scan.probing medium 192.0.2.0/24 count=16 09:00:00 to 09:02:30
        "#]],
    );
}

#[test]
fn a_known_hole_that_answers_is_worse_than_one_that_does_not() {
    check(
        "09:00:00 probe src_ip=203.0.113.9 sought=a reason=exploit
         09:00:01 probe src_ip=198.51.100.9 sought=a reason=exploit status=200",
        expect![[r#"
            scan.probing info 203.0.113.0/24 count=1 09:00:00 to 09:00:00
            scan.probing low 198.51.100.0/24 count=1 09:00:01 to 09:00:01
        "#]],
    );
}

#[test]
fn it_is_told_at_once_and_rises_as_it_goes_on() {
    let mut bench = Bench::new(&DetectConfig::default());
    let facts = script("09:00:00 probe src_ip=203.0.113.9 sought=f{n} reason=path_traversal x16 every 2s");
    facts.iter().for_each(|fact| bench.record(std::slice::from_ref(fact)));
    let severities: Vec<_> = bench.changes.iter().map(|change| change.alert.severity).collect();
    assert_eq!(severities, [Severity::Info, Severity::Low, Severity::Medium]);
    expect![[r#"
        prt_acme: 203.0.113.0/24 looks for ways out of the folder
        It asked for ways out of the folder (16): 240 points or more within 5 min; 16 requests of that kind this day from 1 address, answered 16 × 404. Nothing was given away. Block the network unless a test was agreed on or a partner's client has lost its way, and look at what else it did.
    "#]]
    .assert_eq(&format!("{}\n{}\n", bench.changes[2].alert.title, bench.changes[2].alert.description));
}

#[test]
fn a_flood_is_told_with_what_memory_holds() {
    let facts = script("09:00:00 probe src_ip=203.0.113.9 sought=p{n} x9000 every 0.01s");
    let bench = run(&DetectConfig::default(), &facts, 500, 0);
    let alerts = bench.final_alerts();
    let alert = alerts.values().next().unwrap();
    assert_eq!((alerts.len(), alert.severity, alert.count, alert.approx), (1, Severity::Medium, 9_000, true));
}

/// Hours of several networks that look around now and then, so that borders of windows come about.
fn wandering() -> impl Strategy<Value = String> {
    let line = (0..4_u8, 0..7_200_i64, 1..34_i64, prop_oneof![1..30_i64, 280..320_i64], 0..3_u8);
    proptest::collection::vec(line, 1..16).prop_map(|lines| {
        let told = lines.into_iter().map(|(kind, start, times, tenths, who)| {
            let what = match kind {
                0 => "sought=p{n}",
                1 => "sought=same",
                2 => "sought=f{n} reason=sensitive_file",
                _ => "sought=x{n} reason=exploit status=200",
            };
            let (h, m, s) = (9 + start / 3_600, start / 60 % 60, start % 60);
            let every = tenths as f64 / 10.0;
            format!("{h:02}:{m:02}:{s:02} probe src_ip=203.0.{who}.7 {what} x{times} every {every}s\n")
        });
        told.collect()
    })
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn the_same_requests_give_the_same_alerts_however_they_come(text in wandering(), seed in any::<u64>()) {
        let config = DetectConfig::default();
        let mut facts = script(&text);
        facts.sort_by_key(|fact| fact.time);
        let straight = run(&config, &facts, 64, 0).final_alerts();
        let others = [
            ("one by one", run(&config, &facts, 1, 0)),
            ("shuffled", run(&config, &shuffled(&facts, 110_000, seed), 5, 0)),
            ("delivered twice", run(&config, &doubled(&facts, seed), 11, 4)),
            ("restarted", run(&config, &facts, 7, 3)),
        ];
        for (how, other) in others {
            assert_same(how, &straight, &other.final_alerts());
        }
    }
}

#[test]
fn a_tenants_networks_do_not_push_out_anothers() {
    let config = DetectConfig { keys_per_tenant_max: 16, ..DetectConfig::default() };
    let facts = script(
        "09:00:00 probe tenant=quiet src_ip=203.0.113.9 sought=p{n} x6 every 0.1s
         09:00:01 probe tenant=noisy src_ip=10.{n}.1.7 sought=p x200 every 0.01s
         09:00:04 probe tenant=quiet src_ip=203.0.113.9 sought=q{n} x6 every 0.1s",
    );
    let alerts = run(&config, &facts, 10, 0).final_alerts();
    assert_eq!(testing::summary(&alerts).lines().count(), 1, "{}", testing::summary(&alerts));
}
