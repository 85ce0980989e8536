use expect_test::expect;

use crate::DetectConfig;
use crate::testing::{Bench, check, script, summary};

#[test]
fn a_second_use_from_another_network_is_one_high_alert() {
    check(
        "09:26:53 issued token=t1 user_ref=u1 src_ip=203.0.113.24
         09:26:58 redeemed token=t1 user_ref=u1 src_ip=203.0.113.90 ua=mac
         09:27:11 rejected token=t1 user_ref=u1 src_ip=198.51.100.77 ua=iphone reason=already_used",
        expect![[r#"
            token.reuse.other_origin high page hmac256:k1:t1 count=2 09:26:58 to 09:27:11
        "#]],
    );
}

#[test]
fn the_issue_may_come_last_and_the_rejection_first() {
    let facts = script(
        "09:26:53 issued token=t1 user_ref=u1
         09:26:58 redeemed token=t1 user_ref=u1 src_ip=203.0.113.90 ua=mac
         09:27:11 rejected token=t1 user_ref=u1 src_ip=198.51.100.77 ua=iphone reason=already_used",
    );
    let mut in_order = Bench::new(&DetectConfig::default());
    facts.iter().for_each(|fact| in_order.record(std::slice::from_ref(fact)));
    assert_eq!(in_order.changes.len(), 1, "told with the rejection, at once");
    let mut reversed = Bench::new(&DetectConfig::default());
    facts.iter().rev().for_each(|fact| reversed.record(std::slice::from_ref(fact)));
    assert_eq!(in_order.finish().final_alerts(), reversed.finish().final_alerts());
}

#[test]
fn the_same_records_three_times_change_nothing() {
    let facts = script(
        "09:26:58 redeemed token=t1 src_ip=203.0.113.90
         09:27:11 rejected token=t1 src_ip=198.51.100.77 reason=already_used",
    );
    let mut bench = Bench::new(&DetectConfig::default());
    (0..3).for_each(|_| bench.record(&facts));
    assert_eq!(bench.changes.len(), 1);
    let alert = &bench.changes[0].alert;
    assert_eq!((alert.count, alert.evidence.len()), (2, 2));
    assert_eq!(bench.engine.stats().detectors[0].duplicates_total, 4);
}

#[test]
fn a_double_click_is_for_the_record_only() {
    check(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac
         09:00:00.4 rejected token=t1 src_ip=203.0.113.90 ua=mac reason=already_used",
        expect![[r#"
            token.reuse.benign_double info hmac256:k1:t1 count=2 09:00:00 to 09:00:00
        "#]],
    );
}

#[test]
fn the_same_browser_well_after_its_use_has_cached_the_token() {
    check(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac
         09:00:11 rejected token=t1 src_ip=203.0.113.90 ua=mac reason=already_used",
        expect![[r#"
            token.reuse.same_origin low hmac256:k1:t1 count=2 09:00:00 to 09:00:11
        "#]],
    );
}

#[test]
fn a_phone_that_leaves_the_wifi_does_not_page() {
    check(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90 ua=phone
         09:00:30 rejected token=t1 src_ip=198.51.100.77 ua=phone reason=already_used
         09:00:00 redeemed token=t2 src_ip=203.0.113.90 ua=phone
         09:00:31 rejected token=t2 src_ip=198.51.100.77 ua=phone reason=already_used",
        expect![[r#"
            token.reuse.network_switch medium hmac256:k1:t1 count=2 09:00:00 to 09:00:30
            token.reuse.other_origin high page hmac256:k1:t2 count=2 09:00:00 to 09:00:31
        "#]],
    );
}

#[test]
fn two_accepted_uses_are_a_failed_control() {
    check(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac
         09:04:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac",
        expect![[r#"
            token.double_redeem critical page hmac256:k1:t1 count=2 09:00:00 to 09:04:00
        "#]],
    );
}

#[test]
fn two_logs_of_one_redemption_are_one() {
    check(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac
         09:00:01 redeemed token=t1 src_ip=203.0.113.90 ua=mac topic=logs.prt_acme.backend",
        expect![""],
    );
}

#[test]
fn after_its_end_a_token_may_be_refused_but_not_accepted() {
    check(
        "09:00:00 issued token=t1
         09:04:59 redeemed token=t1
         09:00:00 issued token=t2
         09:05:01 redeemed token=t2
         09:00:00 issued token=t3
         09:05:31 redeemed token=t3
         09:00:00 issued token=t4
         09:05:31 rejected token=t4 reason=expired
         09:00:00 issued token=t5
         10:05:31 rejected token=t5 reason=expired
         09:00:00 issued token=t6 expires=09:20:00
         09:10:00 redeemed token=t6",
        expect![[r#"
            token.expired_use.accepted critical page hmac256:k1:t3 count=1 09:05:31 to 09:05:31
            token.expired_use.rejected info hmac256:k1:t4 count=1 09:05:31 to 09:05:31
            token.expired_use.rejected medium hmac256:k1:t5 count=1 10:05:31 to 10:05:31
        "#]],
    );
}

#[test]
fn a_token_is_bound_to_its_user_its_partner_and_its_page() {
    check(
        "09:00:00 issued token=t1 user_ref=ann
         09:00:05 rejected token=t1 user_ref=bob reason=wrong_user
         09:00:00 issued token=t2 user_ref=ann
         09:00:05 redeemed token=t2 user_ref=bob
         09:00:00 issued token=t3 partner=prt_acme
         09:00:05 rejected token=t3 partner=prt_evil reason=wrong_partner
         09:00:00 issued token=t4 bound=https://shop.acme.example
         09:00:05 redeemed token=t4 origin=evil.example
         09:00:00 issued token=t5 bound=https://shop.acme.example
         09:00:05 redeemed token=t5 origin=shop.acme.example",
        expect![[r#"
            token.wrong_partner high page hmac256:k1:t3 count=1 09:00:05 to 09:00:05
            token.wrong_partner medium hmac256:k1:t4 count=1 09:00:05 to 09:00:05
            token.wrong_user critical page hmac256:k1:t2 count=1 09:00:05 to 09:00:05
            token.wrong_user high page hmac256:k1:t1 count=1 09:00:05 to 09:00:05
        "#]],
    );
}

#[test]
fn one_token_under_two_partners_is_critical() {
    check(
        "09:00:00 redeemed token=t1 partner=prt_a
         09:00:05 rejected token=t1 partner=prt_b reason=wrong_partner",
        expect![[r#"
            token.replay_across_partners critical page hmac256:k1:t1 count=2 09:00:00 to 09:00:05
        "#]],
    );
}

#[test]
fn a_revoked_token_is_refused_or_something_is_wrong() {
    check(
        "09:00:00 revoked token=t1
         09:00:20 redeemed token=t1
         09:00:00 revoked token=t2
         09:00:31 redeemed token=t2
         09:00:00 revoked token=t3
         09:00:31 rejected token=t3 reason=revoked",
        expect![[r#"
            token.revoked_use critical page hmac256:k1:t2 count=1 09:00:31 to 09:00:31
            token.revoked_use medium hmac256:k1:t3 count=1 09:00:31 to 09:00:31
        "#]],
    );
}

#[test]
fn a_token_stolen_for_later_is_remembered() {
    let mut bench = Bench::new(&DetectConfig::default());
    for line in [
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90",
        "15:00:00 redeemed token=other src_ip=203.0.113.90 id=2",
        "20:00:00 rejected token=t1 src_ip=198.51.100.77 reason=already_used id=3",
    ] {
        bench.record(&script(line));
    }
    let line = summary(&bench.finish().final_alerts());
    expect![[r#"
        token.reuse.other_origin high page hmac256:k1:t1 count=2 09:00:00 to 20:00:00
    "#]]
    .assert_eq(&line);
}

#[test]
fn what_a_log_says_cannot_break_an_alert() {
    let mut facts = script("09:00:00 redeemed token=t1\n09:00:00 redeemed token=t1");
    for fact in &mut facts {
        fact.user_ref = Some("eve\r\n\u{1b}[2J'; DROP TABLE events; --\u{202e}".into());
        fact.token_fp = Some("hmac256:it's".into());
    }
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&facts);
    let alert = &bench.changes[0].alert;
    assert!(!alert.description.chars().any(|c| c.is_control() || c == '\u{202e}'), "{}", alert.description);
    assert!(alert.query_sql.contains("token_fp = 'hmac256:it''s'"), "{}", alert.query_sql);
}

#[test]
fn what_is_no_fingerprint_joins_nobody() {
    let mut facts = script(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90
         09:01:00 redeemed token=t1 src_ip=198.51.100.77",
    );
    facts.iter_mut().for_each(|fact| fact.token_fp = Some("-".into()));
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&facts);
    assert!(bench.changes.is_empty());
    assert_eq!(bench.engine.stats().detectors[0].keys, 0);
}

#[test]
fn a_thief_after_many_retries_is_seen() {
    check(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac
         09:00:01 rejected token=t1 src_ip=203.0.113.90 ua=mac reason=already_used x15 every 1s
         09:04:00 rejected token=t1 src_ip=198.51.100.77 ua=iphone reason=already_used",
        expect![[r#"
            token.reuse.other_origin high page hmac256:k1:t1 count=17 09:00:00 to 09:04:00
        "#]],
    );
    // Nor do the early retries hide that the later ones are no double click.
    check(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac
         09:00:01 rejected token=t1 src_ip=203.0.113.90 ua=mac reason=already_used x60 every 1s",
        expect![[r#"
            token.reuse.same_origin low hmac256:k1:t1 count=61 09:00:00 to 09:01:00
        "#]],
    );
}

#[test]
fn what_is_no_fact_about_a_token_leaves_no_trace() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script(
        "09:00:00 seen token=t{n} action=token.presented_in_url x20 every 1s
         09:01:00 expired token=t{n} x20 every 1s",
    ));
    let stats = &bench.engine.stats().detectors[0];
    assert_eq!((stats.keys, stats.duplicates_total), (0, 0));
}

#[test]
fn invented_tokens_do_not_push_out_real_ones() {
    let config = DetectConfig { keys_per_tenant_max: 64, ..DetectConfig::default() };
    let mut bench = Bench::new(&config);
    bench.record(&script("09:00:00 redeemed token=t{n} src_ip=203.0.113.90 x300 every 0.1s"));
    for minute in 1..9 {
        let invented = format!(
            "09:{minute:02}:00 rejected token=x{minute}_{{n}} src_ip=192.0.2.1 reason=unknown x1000 every 0.01s"
        );
        bench.record(&script(&invented));
    }
    bench.record(&script("09:10:00 rejected token=t0 src_ip=198.51.100.77 reason=already_used id=last"));
    expect![[r#"
        token.reuse.other_origin high page hmac256:k1:t0 count=2 09:00:00 to 09:10:00
    "#]]
    .assert_eq(&summary(&bench.final_alerts()));
}

#[test]
fn a_token_that_comes_back_after_it_was_forgotten_goes_on_with_its_alert() {
    for days in [2, 20] {
        let mut bench = Bench::new(&DetectConfig::default());
        for line in [
            "09:00:00 redeemed token=t1 src_ip=203.0.113.90 id=0",
            "09:10:00 rejected token=t1 src_ip=198.51.100.77 reason=already_used id=1",
            &format!("+{days}d 09:00:00 redeemed token=other src_ip=203.0.113.90 id=2"),
            &format!("+{days}d 10:00:00 rejected token=t1 src_ip=198.51.100.78 reason=already_used id=3"),
        ] {
            bench.record(&script(line));
        }
        let alert: Vec<_> = bench.changes.iter().map(|c| (c.change, c.revision, c.alert.count)).collect();
        assert_eq!(alert, [(event::Change::Create, 0, 2), (event::Change::Update, 1, 3)]);
    }
}

#[test]
fn two_logs_may_name_users_partners_and_addresses_differently() {
    check(
        "09:00:00 issued token=t1 user_ref=0b5c-11 partner=7f3e-42 topic=logs.prt_acme.backend
         09:00:05 redeemed token=t1 user_ref=ann partner=prt_acme src_ip=203.0.113.90
         09:00:06 redeemed token=t1 user_ref=0b5c-11 partner=7f3e-42 src_ip=10.0.0.7 topic=logs.prt_acme.backend",
        expect![""],
    );
    // A refusal is held against the redemption in its own log, and else against any.
    check(
        "09:00:05 redeemed token=t1 src_ip=10.0.0.7 ua=mac topic=logs.prt_acme.backend
         09:00:06 redeemed token=t1 src_ip=203.0.113.90 ua=mac
         09:01:00 rejected token=t1 src_ip=203.0.113.90 ua=mac reason=already_used
         09:00:05 redeemed token=t2 src_ip=203.0.113.90 ua=mac topic=logs.prt_acme.eu
         09:01:00 rejected token=t2 src_ip=198.51.100.77 ua=mac reason=already_used topic=logs.prt_acme.us",
        expect![[r#"
            token.reuse.other_origin high page hmac256:k1:t2 count=2 09:00:05 to 09:01:00
            token.reuse.same_origin low hmac256:k1:t1 count=3 09:00:05 to 09:01:00
        "#]],
    );
}

#[test]
fn a_double_click_is_harmless_only_where_browser_and_address_are_known() {
    check(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90
         09:00:01 rejected token=t1 src_ip=203.0.113.90 reason=already_used
         09:00:00 redeemed token=t2 ua=mac
         09:00:01 rejected token=t2 ua=mac reason=already_used
         09:00:00 redeemed token=t3 src_ip=203.0.113.90 ua=mac
         09:00:01 rejected token=t3 src_ip=203.0.113.91 ua=mac reason=already_used",
        expect![[r#"
            token.reuse.same_origin low hmac256:k1:t2 count=2 09:00:00 to 09:00:01
            token.reuse.same_origin low hmac256:k1:t3 count=2 09:00:00 to 09:00:01
            token.reuse.same_origin low hmac256:k1:t1 count=2 09:00:00 to 09:00:01
        "#]],
    );
}

#[test]
fn a_token_whose_first_use_nobody_saw_is_a_reuse_by_the_issuers_word() {
    check(
        "09:00:00 rejected token=t1 src_ip=203.0.113.90 reason=already_used
         09:05:00 rejected token=t2 src_ip=203.0.113.90 reason=already_used
         09:06:00 rejected token=t2 src_ip=198.51.100.77 reason=already_used",
        expect![[r#"
            token.reuse.same_origin low hmac256:k1:t1 count=1 09:00:00 to 09:00:00
            token.reuse.other_origin high page hmac256:k1:t2 count=2 09:05:00 to 09:06:00
        "#]],
    );
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script("09:00:00 rejected token=t1 src_ip=203.0.113.90 reason=already_used"));
    assert!(bench.changes.is_empty(), "the use may still arrive");
    let alerts = bench.finish().final_alerts();
    let alert = alerts.values().next().unwrap();
    assert!(alert.description.contains("Its first use was not seen."), "{}", alert.description);
    assert_eq!(alert.details["first_use_seen"], false);
}

/// What is left in the end if each fact comes in a record of its own, in just this order.
fn in_this_order(facts: &str, expected: expect_test::Expect) {
    let mut bench = Bench::new(&DetectConfig::default());
    script(facts).iter().for_each(|fact| bench.record(std::slice::from_ref(fact)));
    expected.assert_eq(&summary(&bench.finish().final_alerts()));
}

#[test]
fn another_logs_redemption_pages_nobody_while_that_of_the_own_log_may_still_come() {
    in_this_order(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.90 ua=mac topic=logs.prt_acme.edge
         09:00:03 rejected token=t1 src_ip=10.0.0.1 ua=mac reason=already_used
         09:00:00.2 redeemed token=t1 src_ip=10.0.0.1 ua=mac",
        expect![[r#"
            token.reuse.benign_double info hmac256:k1:t1 count=3 09:00:00 to 09:00:03
        "#]],
    );
}

#[test]
fn an_end_that_no_record_said_is_not_held_against_a_use_while_one_may_still_say_it() {
    in_this_order(
        "09:00:00 issued token=t1 topic=logs.prt_acme.edge
         09:00:00 issued token=t2 topic=logs.prt_acme.edge
         09:06:00 redeemed token=t1
         09:06:00 redeemed token=t2
         09:05:50 issued token=t1 expires=09:20:00
         09:09:00 issued token=t2 expires=09:20:00",
        expect![[r#"
            token.expired_use.accepted critical page hmac256:k1:t2 count=1 09:06:00 to 09:06:00
        "#]],
    );
}

#[test]
fn a_page_is_the_wrong_one_only_if_no_record_of_the_issue_names_it() {
    in_this_order(
        "09:00:00 issued token=t1 bound=https://shop.acme.example topic=logs.prt_acme.edge
         09:00:05 redeemed token=t1 origin=pay.acme.example
         09:00:01 issued token=t1 bound=https://pay.acme.example",
        expect![""],
    );
}

#[test]
fn a_retry_from_a_neighbours_address_is_not_lost_between_the_owners_own() {
    in_this_order(
        "09:00:00 redeemed token=t1 src_ip=203.0.113.7 ua=mac
         09:00:01 rejected token=t1 src_ip=203.0.113.7 ua=mac reason=already_used
         09:00:03 rejected token=t1 src_ip=203.0.113.7 ua=mac reason=already_used
         09:00:02 rejected token=t1 src_ip=203.0.113.8 ua=mac reason=already_used",
        expect![[r#"
            token.reuse.same_origin low hmac256:k1:t1 count=4 09:00:00 to 09:00:03
        "#]],
    );
}

#[test]
fn an_alert_is_created_before_it_is_raised_though_what_raised_it_happened_first() {
    let mut bench = Bench::new(&DetectConfig::default());
    bench.record(&script(
        "09:00:00 rejected token=t1 src_ip=203.0.113.7 reason=already_used
         09:00:10 rejected token=t1 src_ip=203.0.113.7 reason=expired
         09:10:00 issued token=t2",
    ));
    let said: Vec<_> = bench.changes.iter().map(|c| (c.revision, c.alert.severity.as_str())).collect();
    assert_eq!(said, [(0, "info"), (1, "low")]);
}

#[test]
fn a_redemption_long_after_a_reuse_takes_nothing_back_of_it() {
    check(
        "09:00:00 rejected token=t1 src_ip=203.0.113.90 reason=already_used
         09:00:01 rejected token=t1 src_ip=198.51.100.7 reason=already_used
         10:00:00 redeemed token=t1",
        expect![[r#"
            token.reuse.other_origin high page hmac256:k1:t1 count=3 09:00:00 to 10:00:00
        "#]],
    );
}

#[test]
fn a_token_used_on_either_side_of_a_change_of_keys_is_one() {
    check(
        "09:26:53 issued token=old user_ref=u1
         09:26:53 issued token=new user_ref=u1 rehearsal=1
         09:26:58 redeemed token=old user_ref=u1 src_ip=203.0.113.90 ua=mac
         09:26:58 redeemed token=new user_ref=u1 src_ip=203.0.113.90 ua=mac rehearsal=1
         09:27:11 rejected token=new user_ref=u1 src_ip=198.51.100.77 ua=iphone reason=already_used",
        expect![[r#"
            token.reuse.other_origin high page hmac256:k1:new count=2 09:26:58 to 09:27:11
        "#]],
    );
}

#[test]
fn what_is_only_remembered_for_a_change_of_keys_is_told_under_its_present_name() {
    check(
        "09:26:58 redeemed token=old user_ref=u1 src_ip=203.0.113.90 ua=mac
         09:26:58 redeemed token=new user_ref=u1 src_ip=203.0.113.90 ua=mac rehearsal=1
         09:27:11 rejected token=old user_ref=u1 src_ip=198.51.100.77 ua=iphone reason=already_used
         09:27:11 rejected token=new user_ref=u1 src_ip=198.51.100.77 ua=iphone reason=already_used rehearsal=1",
        expect![[r#"
            token.reuse.other_origin high page hmac256:k1:old count=2 09:26:58 to 09:27:11
        "#]],
    );
}
