use expect_test::expect;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::testing::{Bench, batch, check, check_any_way, check_with, cuts, run, script, summary};
use crate::{Contract, DetectConfig};

/// So many days of one route at one rate.
fn days(days: i64, rate: u64) -> String {
    (0..days)
        .map(|day| format!("+{day}d 00:00:00 requests route=/v1/sessions count={rate} x1440 every 60s\n"))
        .collect()
}

fn contract(rate: f64) -> DetectConfig {
    let mut config = DetectConfig::default();
    let contract = Contract { requests_per_minute: rate, zone: None };
    config.contracts.insert("prt_acme".into(), contract);
    config
}

#[test]
fn a_quarter_of_an_hour_with_a_fifth_of_the_usual_requests_is_a_lull_and_ten_minutes_are_not() {
    let past = days(15, 60);
    check(
        &format!(
            "{past}+15d 00:00:00 requests route=/v1/sessions count=60 x240 every 60s
             +15d 04:00:00 requests route=/v1/sessions count=9 x10 every 60s
             +15d 04:10:00 requests route=/v1/sessions count=60 x110 every 60s
             +15d 06:00:00 requests route=/v1/sessions count=9 x20 every 60s
             +15d 06:20:00 requests route=/v1/sessions count=60 x60 every 60s"
        ),
        expect![[r#"
            traffic.drop medium prt_acme count=180 06:00:00 to 06:19:00
        "#]],
    );
}

#[test]
fn a_silence_and_a_new_partners_lull_are_no_drop() {
    check(
        &format!(
            "{}+15d 00:00:00 requests route=/v1/sessions count=60 x60 every 60s
             +15d 01:30:00 requests route=/v1/sessions count=5
             +15d 01:31:00 requests route=/v1/sessions count=60 x60 every 60s",
            days(15, 60)
        ),
        expect![""],
    );
    check(
        &format!("{}+3d 00:00:00 requests route=/v1/sessions count=5 x60 every 60s", days(3, 60)),
        expect![""],
    );
}

/// Two Mondays from nine to twelve, and a third on which stretches of some minutes have so many tenths of the
/// usual requests.
fn ebbing() -> impl Strategy<Value = String> {
    let stretch = (prop_oneof![Just(0), Just(1), Just(2), Just(3), Just(10)], 1..25_i64);
    (12..60_i64, proptest::collection::vec(stretch, 3..8)).prop_map(|(usual, stretches)| {
        let mut text = String::new();
        for day in [0, 7] {
            text += &format!("+{day}d 09:00:00 requests route=/v1/sessions count={usual} x180 every 60s\n");
        }
        text += &format!("+14d 09:00:00 requests route=/v1/sessions count={usual} x60 every 60s\n");
        let mut minute = 0;
        for (tenths, minutes) in stretches.into_iter().filter(|(_, minutes)| *minutes > 0) {
            let count = usual * tenths / 10;
            if count > 0 {
                let at = format!("{:02}:{:02}:00", 10 + minute / 60, minute % 60);
                text +=
                    &format!("+14d {at} requests route=/v1/sessions count={count} x{minutes} every 60s\n");
            }
            minute += minutes;
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_same_requests_give_the_same_lulls_however_they_come(text in ebbing(), cuts in cuts()) {
        check_any_way(&DetectConfig::default(), &text, cuts);
    }
}

#[test]
fn what_ebbs_is_told_often_enough_for_that_to_mean_something() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let told = |text: &str| {
        let mut rows = script(text);
        rows.sort_by_key(|row| row.time);
        summary(&run(&DetectConfig::default(), &rows, 16, 0).final_alerts()).contains("traffic.drop")
    };
    let count = (0..40).filter(|_| told(&ebbing().new_tree(&mut runner).unwrap().current())).count();
    assert!((5..36).contains(&count), "{count} of 40");
}

#[test]
fn after_hours_of_history_three_bad_minutes_of_five_are_a_spike() {
    check(
        "00:00:00 requests route=/v1/sessions count=30 x180 every 60s
         03:00:00 requests route=/v1/sessions count=400 x6 every 60s",
        expect![[r#"
            traffic.spike medium /v1/sessions count=2400 03:00:00 to 03:05:00
        "#]],
    );
}

#[test]
fn two_bad_minutes_are_not() {
    check(
        "00:00:00 requests route=/v1/sessions count=30 x180 every 60s
         03:00:00 requests route=/v1/sessions count=200 x2 every 60s
         03:02:00 requests route=/v1/sessions count=30 x60 every 60s",
        expect![""],
    );
}

#[test]
fn a_bad_minute_before_a_silence_is_no_part_of_the_spike_behind_it() {
    check(
        "00:00:00 requests route=/v1/sessions count=30 x180 every 60s
         03:00:00 requests route=/v1/new count=400
         03:20:00 requests route=/v1/new count=400 x3 every 60s",
        expect![[r#"
            traffic.spike medium prt_acme count=1200 03:20:00 to 03:22:00
        "#]],
    );
}

#[test]
fn a_flood_is_told_before_its_minute_is_over() {
    let mut bench = Bench::new(&DetectConfig::default());
    for row in script("00:00:00 requests route=/v1/sessions count=100 x180 every 60s") {
        bench.record(&[row]);
    }
    bench.record(&script("03:00:00 requests route=/v1/sessions count=1200 status=401"));
    let alerts = bench.final_alerts();
    expect![[r#"
        traffic.flood high page prt_acme count=1200 03:00:00 to 03:00:00
    "#]]
    .assert_eq(&summary(&alerts));
}

#[test]
fn refused_requests_make_it_high() {
    check(
        "00:00:00 requests route=/v1/sessions count=100 x180 every 60s
         03:00:00 requests route=/v1/sessions count=600 status=404 x5 every 60s",
        expect![[r#"
            traffic.spike high page /v1/sessions count=3000 03:00:00 to 03:04:00
        "#]],
    );
}

#[test]
fn a_new_partner_is_held_against_its_contract() {
    check_with(
        &contract(100.0),
        "09:00:00 requests route=/v1/sessions count=5 x70 every 60s
         10:10:00 requests route=/v1/sessions count=290 x10 every 60s",
        expect![""],
    );
    check_with(
        &contract(100.0),
        "09:00:00 requests route=/v1/sessions count=310 x5 every 60s",
        expect![[r#"
        traffic.spike medium /v1/sessions count=1550 09:00:00 to 09:04:00
    "#]],
    );
}

#[test]
fn a_new_partner_without_a_contract_is_left_alone_at_first() {
    check("09:00:00 requests route=/v1/sessions count=500 x30 every 60s", expect![""]);
}

#[test]
fn traffic_that_grows_over_the_morning_is_no_spike() {
    let grows: String = (0..240)
        .map(|n| {
            format!("{:02}:{:02}:00 requests route=/v1/sessions count={}\n", 5 + n / 60, n % 60, 20 + n * 3)
        })
        .collect();
    check(&grows, expect![""]);
}

#[test]
fn a_weekly_job_is_a_habit_by_its_second_week_and_six_hours_later_it_is_not() {
    let config = DetectConfig::default();
    let mut text = days(15, 40);
    for day in [0, 7, 14] {
        text.push_str(&format!("+{day}d 02:00:00 requests route=/v1/sessions count=400 x20 every 60s\n"));
    }
    expect![[r#"
        traffic.spike medium /v1/sessions count=8800 02:00:00 to 02:19:00
    "#]]
    .assert_eq(&spikes(&config, &text));
    text.push_str("+14d 08:00:00 requests route=/v1/sessions count=400 x20 every 60s\n");
    expect![[r#"
        traffic.spike medium /v1/sessions count=8800 02:00:00 to 02:19:00
        traffic.spike medium /v1/sessions count=8800 08:00:00 to 08:19:00
    "#]]
    .assert_eq(&spikes(&config, &text));
}

#[test]
fn what_is_refused_in_the_same_hour_a_week_later_is_told_again() {
    let mut text = days(8, 40);
    for day in [0, 7] {
        text.push_str(&format!(
            "+{day}d 02:00:00 requests route=/v1/sessions count=400 status=401 x20 every 60s\n"
        ));
    }
    let told = spikes(&DetectConfig::default(), &text);
    assert_eq!(told.matches("traffic.spike high").count(), 2, "{told}");
}

/// Straight through only: two weeks are long.
fn spikes(config: &DetectConfig, text: &str) -> String {
    let mut rows = script(text);
    rows.sort_by_key(|row| row.time);
    let mut bench = Bench::new(config);
    rows.chunks(16).for_each(|rows| bench.record(rows));
    summary(&bench.finish().final_alerts())
}

#[test]
fn a_spike_over_many_endpoints_is_the_tenants() {
    check(
        "00:00:00 requests route=/v1/a{n} count=4 x20 every 1s
         00:00:00 requests route=/v1/all count=100 x180 every 60s
         03:00:00 requests route=/v1/r0 count=50 x5 every 60s
         03:00:00 requests route=/v1/r1 count=50 x5 every 60s
         03:00:00 requests route=/v1/r2 count=50 x5 every 60s
         03:00:00 requests route=/v1/r3 count=50 x5 every 60s
         03:00:00 requests route=/v1/r4 count=50 x5 every 60s
         03:00:00 requests route=/v1/r5 count=50 x5 every 60s
         03:00:00 requests route=/v1/r6 count=50 x5 every 60s
         03:00:00 requests route=/v1/r7 count=50 x5 every 60s
         03:00:00 requests route=/v1/r8 count=50 x5 every 60s
         03:00:00 requests route=/v1/all count=100 x5 every 60s",
        expect![[r#"
            traffic.spike medium prt_acme count=2750 03:00:00 to 03:04:00
        "#]],
    );
}

#[test]
fn late_rows_are_counted_and_do_not_make_a_spike() {
    let mut bench = Bench::new(&DetectConfig::default());
    for row in script("00:00:00 requests route=/v1/sessions count=30 x180 every 60s") {
        bench.record(&[row]);
    }
    bench.record(&script("01:00:00 requests route=/v1/sessions count=900 x30 every 60s"));
    assert_eq!(bench.engine.stats().detectors[2].late_total, 30);
    assert_eq!(summary(&bench.finish().final_alerts()), "");
}

#[test]
fn an_empty_record_is_harmless() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.engine.on_record(&batch(&[]), &[], event::EventTime(0));
    bench.record(&[]);
}

#[test]
fn where_the_watermark_stands_still_the_oldest_minutes_are_judged_and_what_comes_for_them_is_late() {
    let mut bench = Bench::new(&DetectConfig::default());
    let rows = script(
        "00:00:00 requests route=/v1/sessions count=30 x180 every 60s
         03:00:00 requests route=/v1/sessions count=400 x6 every 60s
         03:06:00 requests route=/v1/sessions count=30 x1440 every 60s",
    );
    rows.chunks(60).for_each(|rows| bench.record_lagging(rows, "prt_acme", crate::testing::MONDAY));
    expect![[r#"
        traffic.spike medium /v1/sessions count=2400 03:00:00 to 03:05:00
    "#]]
    .assert_eq(&summary(&bench.final_alerts()));
    bench.record_lagging(
        &script("03:00:00 requests route=/v1/sessions count=400 id=late"),
        "prt_acme",
        crate::testing::MONDAY,
    );
    assert_eq!(bench.engine.stats().detectors[2].late_total, 1);
}

#[test]
fn a_weekly_job_ten_times_as_high_is_told_once_and_then_a_habit() {
    let mut text = days(15, 100);
    for day in [0, 7, 14] {
        text.push_str(&format!("+{day}d 02:00:00 requests route=/v1/sessions count=1000 x20 every 60s\n"));
    }
    expect![[r#"
        traffic.spike medium /v1/sessions count=22000 02:00:00 to 02:19:00
    "#]]
    .assert_eq(&spikes(&DetectConfig::default(), &text));
}

#[test]
fn a_spikes_queries_keep_to_its_partner_and_say_who_sent_it() {
    let mut bench = Bench::new(&DetectConfig::default());
    for row in script(
        "00:00:00 requests route=/v1/sessions partner=prt_shop count=30 x180 every 60s
         03:00:00 requests route=/v1/sessions partner=prt_shop count=400 x6 every 60s",
    ) {
        bench.record(&[row]);
    }
    let alerts = bench.finish().final_alerts();
    let alert = alerts.values().next().unwrap();
    expect![[r#"
        SELECT date_trunc('minute', time) AS minute, route, status, count(*) AS requests FROM events WHERE tenant = 'prt_acme' AND time >= TIMESTAMP '2026-03-16T03:00:00.000Z' AND time < TIMESTAMP '2026-03-16T03:06:00.000Z' AND route IS NOT NULL AND coalesce(partner_id, '') = 'prt_shop' AND route = '/v1/sessions' GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC
        SELECT src_ip, coalesce(api_key_id, api_key_fp) AS api_key, user_ref, count(*) AS requests FROM events WHERE tenant = 'prt_acme' AND time >= TIMESTAMP '2026-03-16T03:00:00.000Z' AND time < TIMESTAMP '2026-03-16T03:06:00.000Z' AND route IS NOT NULL AND coalesce(partner_id, '') = 'prt_shop' AND route = '/v1/sessions' GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 20
    "#]]
    .assert_eq(&format!("{}\n{}\n", alert.query_sql, alert.details["senders_sql"].as_str().unwrap()));
}

#[test]
fn the_query_of_what_stands_for_many_routes_asks_for_no_route_of_that_name() {
    let mut bench = Bench::new(&DetectConfig::default());
    for row in script(
        "00:00:00 requests route=(others) count=30 x180 every 60s
         03:00:00 requests route=(others) count=400 x6 every 60s",
    ) {
        bench.record(&[row]);
    }
    let alerts = bench.finish().final_alerts();
    let sql = &alerts.values().next().unwrap().query_sql;
    assert!(!sql.contains("others") && sql.contains("coalesce(partner_id, '') = ''"), "{sql}");
}

#[test]
fn a_list_of_passwords_from_everywhere_shows_in_the_share_of_refusals() {
    let usual = "00:00:00 requests route=/v1/login count=40 x180 every 60s
         00:00:00 requests route=/v1/login count=1 status=401 x180 every 60s";
    check(
        &format!(
            "{usual}\n03:00:00 requests route=/v1/login count=40 x15 every 60s
         03:00:00 requests route=/v1/login count=20 status=401 x15 every 60s"
        ),
        expect![[r#"
            auth.rate_anomaly medium prt_acme count=305 02:55:00 to 03:14:00
        "#]],
    );
    // Fewer than one in five, or fewer than thirty, are not.
    check(
        &format!(
            "{usual}\n03:00:00 requests route=/v1/login count=40 x15 every 60s
         03:00:00 requests route=/v1/login count=8 status=401 x15 every 60s"
        ),
        expect![""],
    );
    check(&format!("{usual}\n03:15:00 requests route=/v1/login count=29 status=401"), expect![""]);
}

#[test]
fn a_client_that_always_asks_twice_is_usual() {
    check(
        "00:00:00 requests route=/v1/login count=30 x300 every 60s
         00:00:00 requests route=/v1/login count=30 status=401 x300 every 60s",
        expect![""],
    );
}

#[test]
fn refusals_end_with_the_last_of_them_and_not_with_the_minute_that_shows_their_share() {
    check(
        "09:00:00 requests route=/v1/a count=3 x65 every 60s
         10:05:00 requests route=/v1/a count=100 x3 every 60s
         10:08:00 requests route=/v1/a count=7 status=401 x6 every 60s
         10:14:00 requests route=/v1/a count=2 x4 every 60s",
        expect![[r#"
            auth.rate_anomaly medium prt_acme count=42 10:08:00 to 10:13:00
        "#]],
    );
}
