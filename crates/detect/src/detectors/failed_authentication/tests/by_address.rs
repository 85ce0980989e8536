//! What is seen from an address.

use expect_test::expect;

use super::in_both_orders;
use crate::DetectConfig;
use crate::testing::{Bench, check, script, summary};

#[test]
fn an_address_that_tries_accounts_that_do_not_exist_is_told_at_once() {
    let mut bench = Bench::new(&DetectConfig::default());
    let attempts =
        script("03:14:00 login_failed src_ip=203.0.113.9 user_ref=u{n} reason=unknown_user x10 every 5s");
    attempts.iter().for_each(|attempt| bench.record(std::slice::from_ref(attempt)));
    let severities: Vec<_> = bench.changes.iter().map(|change| change.alert.severity.as_str()).collect();
    assert_eq!(severities, ["low", "medium"], "first as a burst");
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=u{n} reason=unknown_user x58 every 120s",
        expect![[r#"
            auth.bruteforce.address medium 203.0.113.9 count=58 03:14:00 to 05:08:00
        "#]],
    );
}

#[test]
fn six_accounts_within_seconds_are_no_chance_and_five_are() {
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x6 every 3s",
        expect![[r#"
            auth.bruteforce.address low 203.0.113.9 count=6 09:00:00 to 09:00:15
        "#]],
    );
    check("09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x5 every 3s", expect![""]);
    check("09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x6 every 5s", expect![""]);
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
fn stuffing_at_twenty_a_second_is_told_while_it_goes_on() {
    let mut bench = Bench::new(&DetectConfig::default());
    let attempts = script("09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x5000 every 0.05s");
    attempts.chunks(1250).for_each(|attempts| bench.record(attempts));
    expect![[r#"
        auth.bruteforce.address low approx 203.0.113.9
        auth.stuffing high page approx 203.0.113.9
    "#]]
    .assert_eq(&classes(&bench));
}

/// What was told so far, without how much of it.
fn classes(bench: &Bench) -> String {
    let lines = summary(&bench.final_alerts());
    lines.lines().filter_map(|line| line.split_once(" count=")).map(|(line, _)| format!("{line}\n")).collect()
}

#[test]
fn a_hit_at_the_first_try_amid_stuffing_is_critical() {
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x24 every 5s
         09:02:00 login src_ip=203.0.113.9 user_ref=u24",
        expect![[r#"
            auth.spray high page 203.0.113.9 count=24 09:00:00 to 09:01:55
            auth.success_after_failures critical page 203.0.113.9 count=25 09:00:00 to 09:02:00
        "#]],
    );
}

#[test]
fn a_hit_before_the_stuffing_was_plain_is_critical_too() {
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x30 every 5s
         09:00:22 login src_ip=203.0.113.9 user_ref=early",
        expect![[r#"
            auth.stuffing high page 203.0.113.9 count=30 09:00:00 to 09:02:25
            auth.success_after_failures critical page 203.0.113.9 count=6 09:00:00 to 09:00:22
        "#]],
    );
}

#[test]
fn a_hit_right_after_its_own_failure_is_no_mended_typo_while_the_attack_is_on() {
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x30 every 20s
         09:09:45 login src_ip=203.0.113.9 user_ref=u29",
        expect![[r#"
            auth.stuffing high page 203.0.113.9 count=30 09:00:00 to 09:09:40
            auth.success_after_failures critical page 203.0.113.9 count=31 09:00:00 to 09:09:45
        "#]],
    );
}

#[test]
fn who_was_at_home_at_an_address_before_its_attack_is_no_hit() {
    check(
        "08:00:00 login src_ip=203.0.113.9 user_ref=ann
         09:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} x24 every 5s
         09:02:05 login_failed src_ip=203.0.113.9 user_ref=ann
         09:02:15 login src_ip=203.0.113.9 user_ref=ann",
        expect![[r#"
            auth.spray high page 203.0.113.9 count=24 09:00:00 to 09:01:55
        "#]],
    );
}

#[test]
fn a_token_that_was_used_or_has_ended_is_no_guess() {
    check(
        "03:14:00 login_failed action=session_token.rejected src_ip=203.0.113.9 user_ref=a reason=already_used x30 every 1s
         03:15:00 login_failed action=session_token.rejected src_ip=203.0.113.9 user_ref=a reason=expired x30 every 1s
         03:16:00 login_failed action=session_token.rejected src_ip=203.0.113.9 user_ref=a reason=revoked x30 every 1s",
        expect![""],
    );
    // And `unknown` is said of the token, not of its user.
    check(
        "03:14:00 login_failed action=session_token.rejected src_ip=203.0.113.9 user_ref=u{n} reason=unknown x14 every 1s",
        expect![""],
    );
    check(
        "03:14:00 login_failed action=session_token.rejected src_ip=203.0.113.9 user_ref=a reason=unknown x10 every 1s",
        expect![[r#"
            auth.bruteforce.fast medium a count=10 03:14:00 to 03:14:09
        "#]],
    );
}

#[test]
fn nameless_failures_of_an_office_over_hours_are_no_probing() {
    check("09:00:00 login_failed src_ip=203.0.113.9 reason=unauthorized x30 every 600s", expect![""]);
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 reason=unauthorized x10 every 5s",
        expect![[r#"
            auth.bruteforce.address medium 203.0.113.9 count=10 09:00:00 to 09:00:45
        "#]],
    );
}

#[test]
fn late_attacks_of_one_day_have_ids_of_their_own() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script("12:00:00 login src_ip=198.51.100.1 user_ref=root id=first"));
    bench.record(&script("10:00:00 login_failed src_ip=203.0.113.9 user_ref=root x12 every 5s"));
    bench.record(&script("13:00:00 login src_ip=198.51.100.1 user_ref=root id=later"));
    bench.record(&script("11:00:00 login_failed src_ip=203.0.113.9 user_ref=root id=again{n} x12 every 5s"));
    expect![[r#"
        auth.bruteforce.fast medium late root count=12 10:00:00 to 10:00:55
        auth.bruteforce.fast medium late root count=12 11:00:00 to 11:00:55
    "#]]
    .assert_eq(&summary(&bench.finish().final_alerts()));
}

#[test]
fn an_earlier_failure_that_arrives_later_does_not_take_an_addresss_success_back() {
    let [late, in_order] = in_both_orders(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=u{n} reason=unknown_user x10 every 5s
         03:14:50 login_failed src_ip=203.0.113.9 user_ref=ann x4 every 5s
         03:15:10 login src_ip=203.0.113.9 user_ref=ann",
        "03:14:48 login_failed src_ip=203.0.113.9 user_ref=ann",
    );
    assert_eq!(late, in_order);
    expect![[r#"
        auth.bruteforce.address medium 203.0.113.9 count=15 03:14:00 to 03:15:05
        auth.success_after_failures critical page ann count=6 03:14:48 to 03:15:10
    "#]]
    .assert_eq(&in_order);
}

#[test]
fn five_api_keys_that_do_not_exist_are_guessing_and_one_that_is_wrong_is_not() {
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 api_key=k{n} action=api_key.auth_failed reason=unknown_key x5 every 59s
         09:00:00 login_failed src_ip=203.0.114.9 api_key=k{n} action=api_key.auth_failed reason=unknown_key x4 every 59s
         09:00:00 login_failed src_ip=203.0.115.9 api_key=old action=api_key.auth_failed reason=unknown_key x9 every 30s",
        expect![[r#"
            auth.key_guess high page 203.0.113.9 count=5 09:00:00 to 09:03:56
        "#]],
    );
}

#[test]
fn guessing_many_api_keys_pages_once() {
    check(
        "09:00:00 login_failed src_ip=203.0.113.9 api_key=k{n} action=api_key.auth_failed reason=unknown_key x40 every 5s",
        expect![[r#"
            auth.bruteforce.address medium 203.0.113.9 count=40 09:00:00 to 09:03:15
            auth.key_guess high page 203.0.113.9 count=40 09:00:00 to 09:03:15
        "#]],
    );
}

#[test]
fn tokens_that_do_not_look_like_one_are_low_and_very_many_are_medium() {
    check(
        "09:00:00 login_failed action=session_token.rejected src_ip=203.0.113.9 reason=malformed x20 every 14s
         09:00:00 login_failed action=session_token.rejected src_ip=203.0.114.9 reason=malformed x19 every 15s
         09:00:00 login_failed action=session_token.rejected src_ip=203.0.115.9 reason=malformed x200 every 1s",
        expect![[r#"
            token.malformed medium 203.0.115.9 count=200 09:00:00 to 09:03:19
            token.malformed low 203.0.113.9 count=20 09:00:00 to 09:04:26
        "#]],
    );
}

#[test]
fn what_a_bound_made_vanish_is_closed() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script("03:00:00 login src_ip=192.0.2.1 user_ref=other id=before"));
    bench.record(&script(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=ann x9 every 1s
         03:14:09 login_failed src_ip=198.51.{n}.7 user_ref=ann x246 every 0.1s
         03:14:40 login_failed src_ip=203.0.113.9 user_ref=ann",
    ));
    assert!(classes(&bench).contains("auth.bruteforce.fast"), "{}", classes(&bench));
    // One failure more than are kept: the first of the ten is forgotten.
    bench.record(&script("03:14:00.5 login_failed src_ip=192.0.2.1 user_ref=ann id=late"));
    assert!(bench.finish().final_alerts().values().all(|alert| !alert.episode_open));
}

#[test]
fn failures_that_one_alert_has_used_do_not_help_to_raise_another_on_the_next_day() {
    // The day of this address, by which its alerts are named, begins at 00:25.
    check(
        "22:00:00 login_failed src_ip=203.0.113.9 user_ref=u{n} reason=unknown_user x14 every 1s
         23:30:00 login_failed src_ip=203.0.113.9 user_ref=v{n} reason=unknown_user x17 every 300s",
        expect![[r#"
            auth.bruteforce.address medium 203.0.113.9 count=14 22:00:00 to 22:00:13
        "#]],
    );
}
