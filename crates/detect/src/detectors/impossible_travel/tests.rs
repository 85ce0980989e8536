use expect_test::expect;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::DetectConfig;
use crate::testing::{Bench, check, check_any_way, check_with, cuts, run, script, summary};

const BERLIN: &str = "lat=52.52 lon=13.405 country=DE asn=64500 src_ip=203.0.113.9";
const SINGAPORE: &str = "lat=1.35 lon=103.82 country=SG asn=64504 src_ip=198.51.100.9";
const NEW_YORK: &str = "lat=40.71 lon=-74.01 country=US asn=64503 src_ip=192.0.2.9";
const LEIPZIG: &str = "lat=51.34 lon=12.37 country=DE asn=64502 src_ip=198.18.0.9";

#[test]
fn a_user_in_two_places_that_are_further_apart_than_anybody_flies_is_told_once_a_day() {
    check(
        &format!(
            "09:00:00 let_in user_ref=ana {BERLIN}
             09:40:00 let_in user_ref=ana {SINGAPORE}
             09:50:00 let_in user_ref=ana {BERLIN}
             09:55:00 let_in user_ref=bob {SINGAPORE}"
        ),
        expect![[r#"
            user.impossible_travel medium ana count=3 09:00:00 to 09:50:00
        "#]],
    );
}

#[test]
fn who_flies_or_changes_networks_in_town_or_comes_back_the_next_day_is_not() {
    check(
        &format!(
            "09:00:00 let_in user_ref=ana {BERLIN}
             09:02:00 let_in user_ref=ana {LEIPZIG}
             09:04:00 let_in user_ref=ana {BERLIN}
             17:04:00 let_in user_ref=ana {NEW_YORK}
             +2d 09:00:00 let_in user_ref=ana {SINGAPORE}"
        ),
        expect![""],
    );
}

#[test]
fn two_uses_within_a_minute_are_not_compared_but_both_with_what_was_before() {
    check(
        &format!(
            "09:00:00 let_in user_ref=ana {BERLIN}
             09:00:59 let_in user_ref=ana {SINGAPORE}"
        ),
        expect![""],
    );
    check(
        &format!(
            "09:00:00 let_in user_ref=ana {BERLIN} x30 every 20s
             09:05:10 let_in user_ref=ana {SINGAPORE} x15 every 20s"
        ),
        expect![[r#"
            user.impossible_travel medium ana count=28 09:04:00 to 09:09:50
        "#]],
    );
}

#[test]
fn hosts_shared_accounts_and_places_that_are_not_known_are_nobodys_travels() {
    check(
        &format!(
            "09:00:00 let_in user_ref=ana {BERLIN}
             09:10:00 let_in user_ref=ana lat=1.35 lon=103.82 asn=14061 src_ip=198.51.100.9
             09:20:00 let_in user_ref=ana src_ip=192.0.2.1
             09:00:00 let_in user_ref=Root {BERLIN}
             09:10:00 let_in user_ref=Root {SINGAPORE}"
        ),
        expect![""],
    );
}

#[test]
fn thresholds_are_those_that_are_set_and_a_sandbox_is_low() {
    let mut config = DetectConfig::default();
    (config.impossible_travel.distance_km, config.impossible_travel.speed_kmh) = (100.0, 300.0);
    check_with(
        &config,
        &format!(
            "09:00:00 let_in user_ref=ana env=sandbox {BERLIN}
             09:20:00 let_in user_ref=ana env=sandbox {LEIPZIG}"
        ),
        expect![[r#"
            user.impossible_travel low ana count=2 09:00:00 to 09:20:00
        "#]],
    );
}

#[test]
fn an_alert_says_how_far_and_how_fast_and_whether_the_networks_are_known() {
    let said = |places: [&str; 2]| {
        let mut bench = Bench::new(&DetectConfig::default());
        let [from, to] = places;
        bench.record(&script(&format!(
            "09:00:00 let_in user_ref=ana {from}\n09:40:00 let_in user_ref=ana {to}"
        )));
        let alerts = bench.finish().final_alerts();
        let alert = alerts.values().next().unwrap();
        format!(
            "{}\n{}\n{} {}\n{}\n",
            alert.title, alert.description, alert.observed, alert.confidence, alert.query_sql
        )
    };
    expect![[r#"
        prt_acme: user ana was 9916 km away within 40 min
        User ana was let in from 203.0.113.9 (DE) and, 40 min later, from 198.51.100.9 (SG): 9916 km, which would take 14875 km/h. Neither network is known to let others out. Ask the user by another way than the one that was used; if it was not them, end all their sessions and have their credentials changed. A VPN, or a database that is wrong about an address, looks the same.
        14875 60
        SELECT time, action, outcome, reason, src_ip, user_ref, coalesce(api_key_id, api_key_fp) AS api_key, route, status, event_id FROM events WHERE tenant = 'prt_acme' AND time >= TIMESTAMP '2026-03-16T09:00:00.000Z' AND time <= TIMESTAMP '2026-03-16T09:40:00.000Z' AND user_ref = 'ana' AND outcome = 'success' AND src_lat IS NOT NULL ORDER BY time, event_id
    "#]].assert_eq(&said([BERLIN, SINGAPORE]));
    expect![[r#"
        prt_acme: user ana was 9916 km away within 40 min
        User ana was let in from 203.0.113.9 and, 40 min later, from an address that is not known: 9916 km, which would take 14875 km/h. Whether either network belongs to a VPN or a hosting company is not known. Ask the user by another way than the one that was used; if it was not them, end all their sessions and have their credentials changed. A VPN, or a database that is wrong about an address, looks the same.
        14875 40
        SELECT time, action, outcome, reason, src_ip, user_ref, coalesce(api_key_id, api_key_fp) AS api_key, route, status, event_id FROM events WHERE tenant = 'prt_acme' AND time >= TIMESTAMP '2026-03-16T09:00:00.000Z' AND time <= TIMESTAMP '2026-03-16T09:40:00.000Z' AND user_ref = 'ana' AND outcome = 'success' AND src_lat IS NOT NULL ORDER BY time, event_id
    "#]].assert_eq(&said(["lat=52.52 lon=13.405 src_ip=203.0.113.9", "lat=1.35 lon=103.82"]));
}

/// Two users who are here and there, often enough at nearly the same time.
fn journeys() -> impl Strategy<Value = String> {
    let line = (
        0..3_i64,
        prop_oneof![0..7_200_i64, 0..86_400_i64],
        1..8_i64,
        prop_oneof![1..90_i64, 60..9_000_i64],
        0..5_usize,
        0..2_u8,
    );
    proptest::collection::vec(line, 1..16).prop_map(|lines| {
        let line = |(day, start, times, every, place, who): (i64, i64, i64, i64, usize, u8)| {
            let place = [BERLIN, SINGAPORE, NEW_YORK, LEIPZIG, "lat=52.5 lon=13.5"][place];
            let clock = format!("{:02}:{:02}:{:02}", start / 3_600, start / 60 % 60, start % 60);
            format!("+{day}d {clock} let_in user_ref=user{who} {place} x{times} every {every}s\n")
        };
        lines.into_iter().map(line).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_uses_end_in_the_same_alerts(text in journeys(), cut in cuts()) {
        check_any_way(&DetectConfig::default(), &text, cut);
    }
}

#[test]
fn some_of_these_journeys_are_told_and_some_are_not() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let told = |text: &str| {
        let mut rows = script(text);
        rows.sort_by_key(|row| row.time);
        !summary(&run(&DetectConfig::default(), &rows, 16, 0).final_alerts()).is_empty()
    };
    let count = (0..60).filter(|_| told(&journeys().new_tree(&mut runner).unwrap().current())).count();
    assert!((10..58).contains(&count), "{count} of 60");
}
