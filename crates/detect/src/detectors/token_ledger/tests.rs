use expect_test::expect;
use proptest::prelude::*;

use crate::DetectConfig;
use crate::testing::{Bench, check, check_any_way, cuts, script};

/// Tokens are issued and redeemed for an hour.
const ISSUING: &str = "09:00:00 issued token=i{n} user_ref=u{n} x180 every 20s
    09:00:02 redeemed token=i{n} user_ref=u{n} src_ip=203.0.113.{n} x180 every 20s\n";

fn with_issuing(text: &str) -> String {
    format!("{ISSUING}{text}")
}

#[test]
fn five_tokens_that_nobody_issued_within_five_minutes_are_told_and_four_are_not() {
    check(
        &with_issuing(
            "09:20:00 rejected token=x{n} reason=unknown src_ip=198.51.100.7 x5 every 60s
             09:20:00 rejected token=y{n} reason=unknown src_ip=192.0.2.7 x4 every 5s",
        ),
        expect![[r#"
            token.never_issued medium 198.51.100.0/24 count=5 09:20:00 to 09:24:00
        "#]],
    );
}

#[test]
fn one_token_that_is_tried_again_and_again_is_one() {
    check(
        &with_issuing("09:20:00 rejected token=x reason=unknown src_ip=198.51.100.7 x40 every 5s"),
        expect![""],
    );
}

#[test]
fn fifty_tokens_that_nobody_issued_are_high() {
    check(
        &with_issuing("09:20:00 rejected token=x{n} src_ip=198.51.100.7 x60 every 4s"),
        expect![[r#"
            token.never_issued high page 198.51.100.0/24 count=60 09:20:00 to 09:23:56
        "#]],
    );
}

#[test]
fn tokens_that_nobody_issued_from_many_clients_are_the_partners() {
    check(
        &with_issuing("09:20:00 rejected token=x{n} reason=unknown src_ip=198.51.{n}.7 x9 every 20s"),
        expect![[r#"
            token.never_issued medium prt_acme count=9 09:20:00 to 09:22:40
        "#]],
    );
}

#[test]
fn tokens_whose_issue_is_told_later_than_their_use_were_issued() {
    check(
        "09:00:00 issued token=i{n} x60 every 60s
         09:20:00 rejected token=x{n} src_ip=198.51.100.7 x9 every 5s
         09:20:20 issued token=x{n} x9 every 5s",
        expect![""],
    );
}

#[test]
fn what_an_issuer_knows_was_issued() {
    check(
        &with_issuing(
            "09:20:00 rejected token=x{n} reason=wrong_env src_ip=198.51.100.7 x9 every 5s
             09:21:00 rejected token=y{n} reason=blocked src_ip=192.0.2.7 x9 every 5s",
        ),
        expect![""],
    );
}

#[test]
fn before_issuing_was_seen_for_a_tokens_life_nothing_is_said() {
    check(
        &with_issuing("09:04:00 rejected token=x{n} reason=unknown src_ip=198.51.100.7 x30 every 5s"),
        expect![""],
    );
}

#[test]
fn where_issuing_is_not_told_of_nothing_is_said() {
    check("09:20:00 rejected token=x{n} reason=unknown src_ip=198.51.100.7 x60 every 4s", expect![""]);
    check(
        "09:00:00 issued token=i{n} x30 every 20s
         09:25:00 rejected token=x{n} reason=unknown src_ip=198.51.100.7 x40 every 4s",
        expect![""],
    );
}

#[test]
fn a_token_is_known_under_the_name_that_it_will_have() {
    check(
        "09:00:00 issued token=i{n} x60 every 60s
         09:19:00 issued token=x{n} rehearsal=1 x9 every 5s
         09:20:00 rejected token=x{n} src_ip=198.51.100.7 x9 every 5s",
        expect![""],
    );
}

#[test]
fn a_sandboxs_are_low() {
    check(
        &with_issuing("09:20:00 rejected token=x{n} env=sandbox src_ip=198.51.100.7 x60 every 4s"),
        expect![[r#"
            token.never_issued low 198.51.100.0/24 count=60 09:20:00 to 09:23:56
        "#]],
    );
}

#[test]
fn an_hour_whose_tokens_nobody_redeems_is_told_where_they_usually_are() {
    check(
        "00:00:00 issued token=i{n} x480 every 60s
         00:00:10 redeemed token=i{n} x480 every 60s
         08:00:00 issued token=h{n} x60 every 60s
         08:00:10 redeemed token=h{n} x3 every 60s",
        expect![[r#"
            token.issue_without_redeem low prt_acme count=60 08:00:00 to 09:00:00
        "#]],
    );
}

#[test]
fn who_never_tells_of_redemptions_is_not_held_against_them() {
    check("00:00:00 issued token=i{n} x600 every 60s", expect![""]);
}

#[test]
fn few_tokens_and_half_of_them_say_nothing() {
    check(
        "00:00:00 issued token=i{n} x480 every 60s
         00:00:10 redeemed token=i{n} x480 every 60s
         08:00:00 issued token=h{n} x30 every 60s
         09:00:00 issued token=j{n} x60 every 60s
         09:00:10 redeemed token=j{n} x30 every 60s",
        expect![""],
    );
}

#[test]
fn over_its_bound_the_oldest_issues_are_forgotten_and_nothing_is_said_of_what_may_be_among_them() {
    let config = DetectConfig { keys_per_tenant_max: 16, ..DetectConfig::default() };
    let mut bench = Bench::new(&config);
    let mut facts =
        script(&with_issuing("09:30:00 rejected token=i{n} reason=unknown src_ip=198.51.100.7 x9 every 5s"));
    facts.sort_by_key(|fact| fact.time);
    facts.chunks(5).for_each(|facts| bench.record(facts));
    let classes: Vec<_> = bench.finish().final_alerts().into_values().map(|alert| alert.class).collect();
    assert!(!classes.iter().any(|class| class == "token.never_issued"), "{classes:?}");
}

fn tokens() -> impl Strategy<Value = String> {
    let line = (0..4_u8, 0..5_400_i64, 1..20_i64, 1..90_i64, 0..5_i64, 0..3_u8);
    let lines = proptest::collection::vec(line, 1..14);
    lines.prop_map(|lines| {
        let mut all =
            "20:30:00 issued token=i{n} x250 every 60s\n20:30:03 redeemed token=i{n} x150 every 60s\n"
                .to_owned();
        for (number, (fact, start, times, every, more, net)) in lines.into_iter().enumerate() {
            let at = |s: i64| format!("{:02}:{:02}:{:02}", s / 3_600 + 22, s / 60 % 60, s % 60);
            let mut say = |start: i64, fact: &str, of: i64, times: i64| {
                let start = at(start);
                all += &format!(
                    "{start} {fact} token=t{of}_{{n}} src_ip=198.51.10{net}.7 x{times} every {every}s\n"
                );
            };
            match fact {
                0 => say(start, "issued", more, times),
                1 => {
                    say(start, "issued", 10 + number as i64, times);
                    say(start + more * 100, "redeemed", 10 + number as i64, times.min(9));
                }
                _ => say(start, "rejected", more, times),
            }
        }
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_same_tokens_end_in_the_same_alerts(text in tokens(), cut in cuts()) {
        let mut config = DetectConfig::default();
        config.token_ledger.usual_hours_min = 1;
        check_any_way(&config, &text, cut);
    }
}
