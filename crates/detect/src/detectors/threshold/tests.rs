use expect_test::expect;
use proptest::prelude::*;

use crate::DetectConfig;
use crate::testing::{Bench, check, check_any_way, cuts, script};

#[test]
fn a_user_who_is_issued_twenty_tokens_in_ten_minutes_is_told_and_one_who_logs_in_all_day_is_not() {
    check(
        "09:00:00 signal reason=token_issued entity=u1 user_ref=u1 x20 every 31s
         09:00:00 signal reason=token_issued entity=u2 user_ref=u2 x19 every 1s
         09:00:00 signal reason=token_issued entity=u3 user_ref=u3 x200 every 40s",
        expect![[r#"
            user.token_flood medium u1 count=20 09:00:00 to 09:09:49
        "#]],
    );
}

#[test]
fn a_client_that_goes_on_beyond_its_limit_is_low_and_one_that_never_stops_is_medium() {
    check(
        "09:00:00 signal reason=rate_limited entity=k1 api_key=k1 x25 every 5s
         09:00:00 signal reason=rate_limited entity=k2 api_key=k2 x400 every 1s
         09:00:00 signal reason=rate_limited entity=k3 api_key=k3 x100 every 20s",
        expect![[r#"
            abuse.rate_limit low k1 count=25 09:00:00 to 09:02:00
            abuse.rate_limit medium k2 count=400 09:00:00 to 09:06:39
        "#]],
    );
}

#[test]
fn webhooks_with_wrong_signatures_and_stopped_frames_are_told_by_feed() {
    check(
        "09:00:00 signal reason=webhook_signature entity=logs.prt_acme.api x5 every 60s
         09:00:00 signal reason=csp_violation entity=logs.prt_acme.csp origin=evil.example x10 every 300s
         09:00:00 signal reason=csp_violation entity=logs.prt_acme.old origin=evil.example x10 every 600s",
        expect![[r#"
            csp.violation medium logs.prt_acme.csp count=10 09:00:00 to 09:45:00
            webhook.signature_failed medium logs.prt_acme.api count=5 09:00:00 to 09:04:00
        "#]],
    );
}

#[test]
fn a_sandboxs_alerts_are_low() {
    check(
        "09:00:00 signal reason=webhook_signature entity=f env=sandbox x9 every 1s",
        expect![[r#"
            webhook.signature_failed low f count=9 09:00:00 to 09:00:08
        "#]],
    );
}

#[test]
fn it_is_told_with_the_one_that_is_too_many() {
    let mut bench = Bench::new(&DetectConfig::default());
    for (n, fact) in
        script("09:00:00 signal reason=webhook_signature entity=f x6 every 1s").iter().enumerate()
    {
        bench.record(std::slice::from_ref(fact));
        assert_eq!(bench.changes.is_empty(), n < 4, "{n}");
    }
}

#[test]
fn a_window_over_midnight_is_told() {
    check(
        "23:58:00 signal reason=webhook_signature entity=f x6 every 30s",
        expect![[r#"
            webhook.signature_failed medium f count=2 00:00:00 to 00:00:30
        "#]],
    );
}

#[test]
fn a_signal_of_a_newer_version_is_left_alone() {
    check("09:00:00 signal reason=mood entity=f x100 every 1s", expect![""]);
}

#[test]
fn three_accounts_that_are_locked_within_three_hours_are_a_wave_and_one_that_is_again_and_again_is_not() {
    check(
        "09:00:00 signal reason=account_locked entity=prt_acme user_ref=u{n} x3 every 3600s
         09:00:00 signal reason=account_locked entity=prt_b tenant=prt_b user_ref=job x9 every 900s
         09:00:00 signal reason=account_locked entity=prt_c tenant=prt_c user_ref=u{n} x3 every 5600s",
        expect![[r#"
            auth.lockout_wave medium prt_acme count=3 09:00:00 to 11:00:00
        "#]],
    );
}

#[test]
fn one_webhook_that_comes_again_is_enough() {
    check(
        "09:00:00 signal reason=webhook_replayed entity=logs.prt_acme.api",
        expect![[r#"
            webhook.replayed high page logs.prt_acme.api count=1 09:00:00 to 09:00:00
        "#]],
    );
}

#[test]
fn a_key_over_a_wire_that_anybody_can_read_wakes_somebody_and_a_users_call_does_not() {
    check(
        "09:00:00 signal reason=plain_credential entity=key_1 api_key=key_1 x3 every 60s
         09:00:00 signal reason=plain_call entity=logs.prt_acme.web user_ref=u{n} x9 every 60s",
        expect![[r#"
            transport.plaintext high page key_1 count=3 09:00:00 to 09:02:00
            transport.plaintext low logs.prt_acme.web count=9 09:00:00 to 09:08:00
        "#]],
    );
}

fn signals() -> impl Strategy<Value = String> {
    let line = (0..8_usize, 0..9_000_i64, 1..30_i64, prop_oneof![1..60_i64, 200..900_i64], 0..3_u8);
    let lines = proptest::collection::vec(line, 1..16);
    lines.prop_map(|lines| {
        let line = |(signal, start, times, every, n): (usize, i64, i64, i64, u8)| {
            let name = event::Signal::ALL[signal].name();
            let clock = format!("{:02}:{:02}:{:02}", start / 3_600 + 21, start / 60 % 60, start % 60);
            let env = if n == 2 { " env=sandbox" } else { "" };
            format!("{clock} signal reason={name} entity=e{} user_ref=u{start}_{{n}}{env} x{times} every {every}s\n", n % 2)
        };
        lines.into_iter().map(line).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_signals_end_in_the_same_alerts(
        text in signals(), cut in cuts(),
    ) {
        let config = DetectConfig::default();
        check_any_way(&config, &text, cut);
    }
}
