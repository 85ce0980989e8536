//! What is seen from an account, and what holds for both sides.

mod by_address;

use expect_test::expect;

use crate::DetectConfig;
use crate::testing::{Bench, check, script, summary};

#[test]
fn ten_failures_in_a_minute_are_brute_force_six_are_a_burst_and_five_are_nothing() {
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x10 every 6s",
        expect![[r#"
        auth.bruteforce.fast medium root count=10 03:14:00 to 03:14:54
    "#]],
    );
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x6 every 11s",
        expect![[r#"
            auth.bruteforce.fast low root count=6 03:14:00 to 03:14:55
        "#]],
    );
    check("03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x5 every 11s", expect![""]);
    check("03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x6 every 12s", expect![""]);
}

#[test]
fn a_program_that_calls_again_at_once_makes_no_burst() {
    check(
        "03:14:00 login_failed action=api_key.auth_failed src_ip=203.0.113.9 api_key=k1 x9 every 5s",
        expect![""],
    );
    check("03:14:00 login_failed action=http.request src_ip=203.0.113.9 x9 every 1s", expect![""]);
    check(
        "03:14:00 login_failed action=http.request src_ip=203.0.113.9 route=GET+/login x9 every 1s",
        expect![""],
    );
    check(
        "03:14:00 login_failed action=http.request src_ip=203.0.113.9 route=POST+/v1/login x6 every 1s",
        expect![[r#"
            auth.bruteforce.address low 203.0.113.9 count=6 03:14:00 to 03:14:05
        "#]],
    );
}

#[test]
fn a_burst_that_goes_on_is_brute_force() {
    let mut bench = Bench::new(&DetectConfig::default());
    let attempts = script("03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x10 every 2s");
    attempts.iter().for_each(|attempt| bench.record(std::slice::from_ref(attempt)));
    let severities: Vec<_> = bench.changes.iter().map(|change| change.alert.severity.as_str()).collect();
    assert_eq!(severities, ["low", "medium"]);
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
    check("03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x10 every 30s", expect![""]);
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x19 every 30s",
        expect![[r#"
            auth.bruteforce.fast low root count=19 03:14:00 to 03:23:00
        "#]],
    );
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
            auth.success_after_failures info ann count=6 03:14:00 to 03:20:00
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

#[test]
fn failures_of_an_api_key_and_its_success_meet_whatever_user_the_success_names() {
    let text =
        "03:14:00 login_failed src_ip=203.0.113.9 api_key=key_1 action=api_key.auth_failed x10 every 20s
         03:20:00 login src_ip=203.0.113.9 api_key=key_1 user_ref=u1 action=session_token.issued";
    check(
        text,
        expect![[r#"
            auth.success_after_failures critical page key_1 count=11 03:14:00 to 03:20:00
        "#]],
    );
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script(text));
    let alerts = bench.finish().final_alerts();
    let alert = alerts.values().next().unwrap();
    assert_eq!((alert.entity_type.as_str(), alert.entity.as_str()), ("api_key", "key_1"));
    expect![[r#"
        prt_acme: API key key_1 was accepted after 10 failed key checks
        10 failures within 6 min; accounts: 1; addresses: 1, then 1 success. End the sessions of the account, reset its credential, and read what it did since.
        (api_key_id = 'key_1' OR api_key_fp = 'key_1') AND outcome IN ('failure', 'success') AND action IN ('api_key.auth_failed', 'session_token.issued') ORDER BY time, event_id"#]]
    .assert_eq(&format!(
        "{}\n{}\n{}",
        alert.title,
        alert.description,
        alert.query_sql.split_once("Z' AND (").map(|(_, rest)| format!("({rest}")).unwrap(),
    ));
}

#[test]
fn an_api_key_and_a_user_of_the_same_name_never_meet() {
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 api_key=k1 x5 every 15s
         03:14:00 login_failed src_ip=203.0.113.9 user_ref=k1 x5 every 15s
         03:14:00 login_failed src_ip=203.0.113.9 user_ref=api_key:k1 x5 every 15s",
        expect![[r#"
            auth.bruteforce.address low 203.0.113.9 count=15 03:14:00 to 03:15:00
        "#]],
    );
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script(
        "03:14:00 login_failed src_ip=203.0.113.9 api_key=k1 x10 every 5s
         03:14:00 login_failed src_ip=203.0.114.9 user_ref=k1 x10 every 5s
         03:14:00 login_failed src_ip=203.0.115.9 user_ref=api_key:k1 x10 every 5s",
    ));
    let alerts = bench.finish().final_alerts();
    let keys: std::collections::BTreeSet<_> = alerts.values().map(|alert| &alert.dedup_key).collect();
    assert_eq!((alerts.len(), keys.len()), (3, 3), "{keys:?}");
}

#[test]
fn one_browser_from_very_many_networks_is_an_attack_too() {
    check(
        "03:00:00 login_failed src_ip=203.0.{n}.9 user_ref=ann ua=bot x12 every 60s",
        expect![[r#"
            auth.bruteforce.distributed medium ann count=12 03:00:00 to 03:11:00
        "#]],
    );
    check("03:00:00 login_failed src_ip=203.0.{n}.9 user_ref=ann ua=bot x9 every 60s", expect![""]);
}

#[test]
fn a_query_names_the_network_and_what_was_done() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script("03:14:00 login_failed src_ip=2001:db8::9 user_ref=root x10 every 5s"));
    let sql = &bench.finish().final_alerts().values().next().unwrap().query_sql.clone();
    let network = "(starts_with(src_ip, '2001:db8:0:') OR starts_with(src_ip, '2001:db8::'))";
    assert!(sql.contains(network), "{sql}");
    assert!(sql.contains("outcome = 'failure' AND action IN ('login') ORDER"), "{sql}");
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script(
        "03:14:00 login_failed action=session_token.rejected src_ip=203.0.113.9 user_ref=a reason=unknown x10 every 1s",
    ));
    let sql = &bench.finish().final_alerts().values().next().unwrap().query_sql.clone();
    assert!(sql.contains("(action <> 'session_token.rejected' OR reason = 'malformed' OR"), "{sql}");
}

/// What ends up being said where the last line's attempts arrive last, and where they arrive in order.
fn in_both_orders(first: &str, last: &str) -> [String; 2] {
    let (config, mut observations) = (DetectConfig::default(), script(&format!("{first}\n{last}")));
    let said = |observations: &[crate::testing::Owned]| {
        let mut bench = Bench::new(&config);
        bench.record(&script("03:00:00 login src_ip=192.0.2.1 user_ref=other id=before"));
        observations.iter().for_each(|o| bench.record(std::slice::from_ref(o)));
        summary(&bench.finish().final_alerts())
    };
    let as_they_came = said(&observations);
    observations.sort_by_key(|o| o.time);
    [as_they_came, said(&observations)]
}

#[test]
fn an_earlier_failure_with_a_browser_does_not_take_a_distributed_attack_back() {
    let [late, in_order] = in_both_orders(
        "03:14:00 login_failed src_ip=203.0.{n}.9 user_ref=ann x12 every 3s",
        "03:13:59 login_failed src_ip=198.51.100.9 user_ref=ann ua=mac",
    );
    assert_eq!(late, in_order);
    expect![[r#"
        auth.bruteforce.distributed medium ann count=13 03:13:59 to 03:14:33
    "#]]
    .assert_eq(&in_order);
}

#[test]
fn failures_from_an_unknown_network_are_not_added_to_those_from_a_known_one() {
    check(
        "03:14:00 login_failed src_ip=203.0.113.9 user_ref=root x5 every 5s
         03:14:02 login_failed user_ref=root x5 every 5s",
        expect![""],
    );
}
