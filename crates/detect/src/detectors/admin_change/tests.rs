use expect_test::expect;
use proptest::prelude::*;

use crate::DetectConfig;
use crate::testing::{check, check_any_way, check_with, cuts};

/// A change a day from one network.
const PAST: &str = "09:00:00 signal reason=admin_change action=api_key.created entity=prt_acme user_ref=ana src_ip=192.0.2.7 x10 every 86400s\n";

#[test]
fn a_change_from_a_new_network_is_told_once_a_day_and_one_from_a_known_network_is_not() {
    check(
        &format!(
            "{PAST}+9d 20:00:00 signal reason=admin_change action=api_key.created entity=prt_acme user_ref=eve src_ip=198.51.100.9 x3 every 60s
             +9d 21:00:00 signal reason=admin_change action=permission.granted entity=prt_acme user_ref=ana src_ip=192.0.2.9
             +11d 09:00:00 signal reason=admin_change action=permission.granted entity=prt_acme user_ref=eve src_ip=198.51.100.9"
        ),
        expect![[r#"
            identity.admin_change medium 198.51.100.0/24 count=3 20:00:00 to 20:02:00
        "#]],
    );
}

#[test]
fn a_partner_without_a_past_has_no_new_networks() {
    check(
        "09:00:00 signal reason=admin_change entity=prt_acme src_ip=192.0.2.7 x4 every 86400s
         +8d 09:00:00 signal reason=admin_change entity=prt_acme src_ip=198.51.100.9
         +8d 10:00:00 signal reason=admin_change entity=prt_b tenant=prt_b src_ip=198.51.{n}.9 x20 every 60s",
        expect![""],
    );
}

#[test]
fn out_of_hours_is_told_where_hours_are_set() {
    let mut config = DetectConfig::default();
    (config.admin_change.from_hour, config.admin_change.until_hour) = (8, 18);
    config.admin_change.days_of_week = 5;
    check_with(
        &config,
        "09:00:00 signal reason=admin_change entity=prt_acme user_ref=ana
         17:59:59 signal reason=admin_change entity=prt_acme user_ref=ana
         +1d 03:00:00 signal reason=admin_change entity=prt_acme user_ref=eve
         +5d 09:00:00 signal reason=admin_change entity=prt_acme user_ref=eve",
        expect![[r#"
            identity.admin_change medium prt_acme count=1 03:00:00 to 03:00:00
            identity.admin_change medium prt_acme count=1 09:00:00 to 09:00:00
        "#]],
    );
}

#[test]
fn a_sandboxs_changes_are_low() {
    check(
        &format!(
            "{PAST}+9d 20:00:00 signal reason=admin_change entity=prt_acme env=sandbox src_ip=198.51.100.9"
        ),
        expect![[r#"
            identity.admin_change low 198.51.100.0/24 count=1 20:00:00 to 20:00:00
        "#]],
    );
}

fn changes() -> impl Strategy<Value = String> {
    let line = (0..12_i64, 0..86_400_i64, 1..6_i64, 1..9_000_i64, 0..4_u8, 0..3_u8);
    let lines = proptest::collection::vec(line, 1..20);
    lines.prop_map(|lines| {
        let line = |(day, start, times, every, net, env): (i64, i64, i64, i64, u8, u8)| {
            let clock = format!("{:02}:{:02}:{:02}", start / 3_600, start / 60 % 60, start % 60);
            let env = if env == 2 { " env=sandbox" } else { "" };
            format!("+{day}d {clock} signal reason=admin_change entity=prt_acme src_ip=198.51.10{net}.9{env} x{times} every {every}s\n")
        };
        lines.into_iter().map(line).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_changes_end_in_the_same_alerts(text in changes(), cut in cuts()) {
        let mut config = DetectConfig::default();
        (config.admin_change.changes_min, config.admin_change.history_ms) = (2, 86_400_000);
        config.admin_change.from_hour = 4;
        check_any_way(&config, &text, cut);
    }
}
