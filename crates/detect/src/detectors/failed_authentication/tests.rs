use expect_test::expect;

use crate::DetectConfig;
use crate::testing::{Bench, check, script, summary};

#[test]
fn ten_failures_in_a_minute_are_brute_force_and_nine_are_not() {
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x10 every 6s",
        expect![[r#"
        auth.bruteforce.fast medium root count=10 03:14:00 to 03:14:54
    "#]],
    );
    check("03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x9 every 6s", expect![""]);
}

#[test]
fn the_window_slides_over_every_border() {
    check(
        "03:59:35 login_failed src_ip=203.0.113.9 user_ref=root x10 every 5s",
        expect![[r#"
        auth.bruteforce.fast medium root count=10 03:59:35 to 04:00:20
    "#]],
    );
    check(
        "23:59:35 login_failed src_ip=203.0.113.9 user_ref=root x10 every 5s",
        expect![[r#"
        auth.bruteforce.fast medium root count=10 23:59:35 to 00:00:20
    "#]],
    );
}

#[test]
fn ten_failures_that_take_longer_than_a_minute_need_ten_more() {
    check("03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x19 every 30s", expect![""]);
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x20 every 30s",
        expect![[r#"
        auth.bruteforce.fast medium root count=20 03:14:00 to 03:23:30
    "#]],
    );
}

#[test]
fn one_attack_is_one_episode_and_the_next_is_another() {
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x40 every 5s
         03:40:00 login_failed src_ip=203.0.113.9 user_ref=root x3 every 5s
         05:00:00 login_failed src_ip=203.0.113.9 user_ref=root x12 every 5s",
        expect![[r#"
            auth.bruteforce.fast medium root count=43 03:14:00 to 03:40:10
            auth.bruteforce.fast medium root count=12 05:00:00 to 05:00:55
        "#]],
    );
}

#[test]
fn a_row_may_stand_for_many_failures() {
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root count=10",
        expect![[r#"
        auth.bruteforce.fast medium root count=10 03:14:00 to 03:14:00
    "#]],
    );
}

#[test]
fn a_success_from_the_attackers_network_is_critical() {
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x5 every 20s
         03:20:00 login src_ip=203.0.113.9 user_ref=root",
        expect![[r#"
            auth.success_after_failures critical page root count=6 03:14:00 to 03:20:00
        "#]],
    );
}

#[test]
fn a_success_of_the_forgetful_owner_is_not() {
    check(
        "01:00:00 login src_ip=203.0.113.9 user_ref=ann
         03:14:00 login_failed src_ip=203.0.113.9 user_ref=ann x5 every 20s
         03:20:00 login src_ip=203.0.113.9 user_ref=ann",
        expect![[r#"
            auth.success_after_failures low ann count=6 03:14:00 to 03:20:00
        "#]],
    );
}

#[test]
fn a_success_needs_five_failures_within_fifteen_minutes() {
    check(
        "03:00:00 login_failed src_ip=203.0.113.9 user_ref=a x4 every 20s
         03:10:00 login src_ip=203.0.113.9 user_ref=a
         03:00:00 login_failed src_ip=203.0.113.8 user_ref=b x5 every 20s
         03:15:01 login src_ip=203.0.113.8 user_ref=b",
        expect![""],
    );
}

#[test]
fn a_success_before_the_failures_means_nothing() {
    check(
        "03:00:00 login src_ip=203.0.113.9 user_ref=a
         03:00:01 login_failed src_ip=203.0.113.9 user_ref=a x8 every 20s",
        expect![""],
    );
}

#[test]
fn one_account_from_many_networks_is_one_attack() {
    check(
        "03:00:00 login_failed src_ip=203.0.{n}.9 user_ref=ann ua=b{n} x12 every 60s",
        expect![[r#"
        auth.bruteforce.distributed high page ann count=12 03:00:00 to 03:11:00
    "#]],
    );
}

#[test]
fn an_expired_key_in_a_cron_job_is_one_low_alert() {
    check(
        "00:00:00 login_failed src_ip=203.0.113.9 api_key=key_live_1 reason=expired x864 every 300s",
        expect![[r#"
            auth.bruteforce.slow low key_live_1 count=864 00:00:00 to 23:55:00
        "#]],
    );
}

#[test]
fn an_address_that_tries_accounts_that_do_not_exist_is_told_at_once() {
    let mut bench = Bench::new(&DetectConfig::default());
    let attempts =
        script("03:14:00 login_failed src_ip=203.0.113.9 user_ref=u{n} reason=unknown_user x10 every 5s");
    attempts.iter().for_each(|attempt| bench.record(std::slice::from_ref(attempt)));
    assert_eq!(bench.changes.len(), 1);
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=u{n} reason=unknown_user x58 every 120s",
        expect![[r#"
            auth.bruteforce.address medium 203.0.113.9 count=58 03:14:00 to 05:08:00
        "#]],
    );
}

#[test]
fn a_list_of_users_from_one_address_is_stuffing_and_the_hit_is_critical() {
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x25 every 24s
         09:12:00 login src_ip=203.0.113.9 user_ref=u7",
        expect![[r#"
            auth.stuffing high page 203.0.113.9 count=25 09:00:00 to 09:09:36
            auth.success_after_failures critical page 203.0.113.9 count=26 09:00:00 to 09:12:00
        "#]],
    );
}

#[test]
fn a_few_passwords_on_many_users_are_spraying() {
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x10 every 5s
         09:05:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x10 every 5s",
        expect![[r#"
            auth.spray high page 203.0.113.9 count=20 09:00:00 to 09:05:45
        "#]],
    );
}

#[test]
fn an_office_behind_one_address_on_monday_morning_is_silent() {
    check(
        "09:00:00 login src_ip=203.0.113.9 user_ref=ok{n} x276 every 2s
         09:00:00 login_failed src_ip=203.0.113.9 user_ref=typo{n} x24 every 23s
         09:00:09 login src_ip=203.0.113.9 user_ref=typo{n} x24 every 23s",
        expect![""],
    );
}

#[test]
fn what_our_own_block_refuses_does_not_keep_the_block_alive() {
    check("09:00:00 login_failed src_ip=203.0.113.9 user_ref=a reason=blocked x50 every 1s", expect![""]);
}

#[test]
fn catching_up_after_an_outage_is_judged_by_event_time() {
    let config = DetectConfig::default();
    let hours = script("01:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x24 every 300s");
    let mut bench = Bench::new(&config);
    // Two hours' worth arrive in one record.
    bench.record(&hours);
    assert_eq!(summary(&bench.finish().final_alerts()), "");
}

#[test]
fn an_attack_that_arrives_after_its_watermark_is_found_and_marked_late() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script("12:00:00 login src_ip=198.51.100.1 user_ref=z"));
    for attempt in script("10:00:00 login_failed src_ip=203.0.113.9 user_ref=root x12 every 5s") {
        bench.record(&[attempt]);
    }
    assert!(bench.engine.stats().detectors[1].late_total >= 12);
    expect![[r#"
        auth.bruteforce.fast medium late root count=12 10:00:00 to 10:00:55
    "#]]
    .assert_eq(&summary(&bench.finish().final_alerts()));
}
