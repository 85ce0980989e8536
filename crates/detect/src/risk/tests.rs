mod any_order;
mod bench;
mod told;

use event::{Change, Severity};
use expect_test::{Expect, expect};

use self::bench::{change, changes, run};
use super::*;
use crate::DetectConfig;
use crate::testing::{MONDAY, summary};

fn check(text: &str, expected: Expect) {
    let changes = changes(text);
    let alerts = run(&changes, 0).alerts();
    let backwards: Vec<_> = changes.iter().rev().cloned().collect();
    assert_eq!(alerts, run(&backwards, 2).alerts(), "backwards");
    assert_eq!(alerts, run(&[&*changes, &*changes].concat(), 0).alerts(), "twice");
    expected.assert_eq(&summary(&alerts));
}

#[test]
fn three_medium_alerts_of_three_detectors_about_one_key_are_a_page() {
    check(
        "09:00 key_use T1078 medium api_key=k1
         10:00 probing T1595.003 medium api_key=k1
         12:00 object_access T1087 medium api_key=k1",
        expect![[r#"
            risk.entity high page k1 count=3 09:00:00 to 12:00:00
            risk.entity high page prt_acme count=3 09:00:00 to 12:00:00
        "#]],
    );
}

#[test]
fn one_noisy_detector_never_is() {
    let text: String =
        (0..200).map(|n| format!("{:02}:{:02} key_use T1078 high api_key=k1\n", n / 9, n % 9)).collect();
    check(&text, expect![""]);
}

#[test]
fn three_alerts_for_the_record_are_none_either() {
    check(
        "09:00 key_use T1078 info api_key=k1 user=u1 src_ip=203.0.113.9
         09:01 probing T1595.003 info api_key=k1 user=u1 src_ip=203.0.113.9
         09:02 token_reuse T1550.001 info api_key=k1 user=u1 src_ip=203.0.113.9",
        expect![""],
    );
}

#[test]
fn alerts_for_the_record_add_up_with_others() {
    let infos: String = (0..10).map(|n| format!("09:0{n} token_reuse T1550.001 info user=u1\n")).collect();
    check(
        &format!(
            "{infos}
             09:20 failed_authentication T1110 medium user=u1
             09:20 object_access T1087 medium user=u1"
        ),
        expect![[r#"
            risk.entity high page u1 count=12 09:00:00 to 09:20:00
        "#]],
    );
}

#[test]
fn two_detectors_need_two_tactics() {
    let of = |technique: &str| {
        format!(
            "09:00 failed_authentication T1110 critical user=u1
             09:00 failed_authentication T1110 critical user=u1 id=b
             09:01 threshold {technique} critical user=u1"
        )
    };
    check(&of("T1528"), expect![""]);
    check(
        &of("T1087"),
        expect![[r#"
            risk.entity high page u1 count=3 09:00:00 to 09:01:00
            risk.entity high page prt_acme count=3 09:00:00 to 09:01:00
        "#]],
    );
}

#[test]
fn what_happened_days_ago_has_faded() {
    check(
        "09:00 key_use T1078 medium api_key=k1
         09:00 probing T1595.003 medium api_key=k1 day=2
         09:00 object_access T1087 medium api_key=k1 day=4",
        expect![""],
    );
}

#[test]
fn twice_the_points_are_critical() {
    check(
        "09:00 key_use T1078 critical api_key=k1
         09:00 probing T1595.003 critical api_key=k1
         09:00 object_access T1087 critical api_key=k1
         09:00 secret_exposure T1552.001 critical api_key=k1",
        expect![[r#"
            risk.entity critical page k1 count=4 09:00:00 to 09:00:00
            risk.entity critical page prt_acme count=4 09:00:00 to 09:00:00
        "#]],
    );
}

#[test]
fn an_address_counts_for_its_network_and_each_entity_for_itself() {
    check(
        "09:00 key_use T1078 medium src_ip=203.0.113.9 user=u1
         09:00 probing T1595.003 medium src_ip=203.0.113.77 user=u2
         09:00 object_access T1087 medium src_ip=203.0.113.3 user=u3",
        expect![[r#"
            risk.entity high page 203.0.113.0/24 count=3 09:00:00 to 09:00:00
            risk.entity high page prt_acme count=3 09:00:00 to 09:00:00
        "#]],
    );
}

#[test]
fn another_partners_alerts_about_the_same_name_add_nothing() {
    check(
        "09:00 key_use T1078 medium api_key=k1 tenant=prt_acme
         09:00 probing T1595.003 medium api_key=k1 tenant=prt_globex
         09:00 object_access T1087 medium api_key=k1 tenant=prt_initech",
        expect![""],
    );
}

#[test]
fn feeds_that_are_silent_and_clocks_that_are_wrong_add_nothing() {
    check(
        "09:00 source_health T1562.008 critical api_key=k1
         09:00 request_spike - critical api_key=k1
         09:00 object_access T1087 critical api_key=k1",
        expect![""],
    );
}

#[test]
fn of_a_partner_only_the_worst_of_each_detector_counts() {
    let lows: String = (0..30)
        .flat_map(|n| {
            ["failed_authentication T1110", "token_reuse T1550.001", "object_access T1087"]
                .map(|what| format!("09:{n:02} {what} low user=u{n}\n"))
        })
        .collect();
    check(&lows, expect![""]);
}

#[test]
fn a_day_is_told_once_and_the_next_anew() {
    check(
        "20:00 key_use T1078 high api_key=k1
         20:00 probing T1595.003 high api_key=k1
         21:00 object_access T1087 high api_key=k1
         01:00 secret_exposure T1552.001 high api_key=k1 day=1",
        expect![[r#"
            risk.entity high page k1 count=3 20:00:00 to 21:00:00
            risk.entity high page prt_acme count=4 20:00:00 to 01:00:00
            risk.entity high page k1 count=4 20:00:00 to 01:00:00
            risk.entity high page prt_acme count=3 20:00:00 to 21:00:00
        "#]],
    );
}

#[test]
fn an_alert_that_becomes_worse_counts_as_what_it_became() {
    let mut alerts = changes(
        "09:00 key_use T1078 medium api_key=k1 id=a
         09:10 probing T1595.003 medium api_key=k1
         09:20 object_access T1087 low api_key=k1",
    );
    assert!(run(&alerts, 0).alerts().is_empty());
    let mut worse = alerts[0].clone();
    (worse.change, worse.revision, worse.alert.severity) = (Change::Update, 1, Severity::Critical);
    alerts.push(worse);
    let told = run(&alerts, 0).alerts();
    let points: Vec<_> = told.values().map(|alert| alert.observed).collect();
    assert_eq!(points, [114.0, 114.0], "60, and what is left of 40 and 15");
    alerts.swap(0, 3);
    assert_eq!(told, run(&alerts, 0).alerts(), "its changes the other way round");
}

#[test]
fn one_partners_many_keys_push_out_no_other_partners() {
    let config = DetectConfig { keys_per_tenant_max: 64, ..DetectConfig::default() };
    let mut risk = Risk::new(&config);
    let quiet = |what: &str| change(&format!("09:00 {what} api_key=k1 tenant=quiet"));
    let mut told = risk.on_change(&quiet("key_use T1078 medium"), MONDAY);
    told.extend(risk.on_change(&quiet("probing T1595.003 medium"), MONDAY));
    for n in 0..1_000 {
        risk.on_change(&change(&format!("09:00 key_use T1078 medium api_key=k{n} tenant=noisy")), MONDAY);
    }
    let stats = risk.stats();
    assert!(stats.keys <= 64 + 2 && stats.evicted_total > 900, "{stats:?}");
    told.extend(risk.on_change(&quiet("object_access T1087 medium"), MONDAY));
    assert_eq!(told.len(), 2, "its key and itself");
}
