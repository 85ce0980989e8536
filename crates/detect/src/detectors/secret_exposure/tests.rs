use expect_test::expect;

use crate::DetectConfig;
use crate::testing::{Bench, check, script};

#[test]
fn a_leak_is_told_once_with_the_secrets_that_it_holds() {
    check(
        "09:00:00 secret reason=api_key action=user_agent token=s1 x30 every 60s
         09:10:30 secret reason=api_key action=user_agent token=s2",
        expect![[r#"
            secret.exposed high page logs.prt_acme.auth api_key user_agent count=31 09:00:00 to 09:29:00
        "#]],
    );
}

#[test]
fn each_kind_and_place_is_a_leak_of_its_own() {
    check(
        "09:00:00 secret reason=api_key action=user_agent token=s1
         09:00:00 secret reason=api_key action=message token=s1
         09:00:00 secret reason=password action=message
         09:00:00 secret reason=password action=message topic=logs.prt_acme.other",
        expect![[r#"
            secret.exposed high page logs.prt_acme.auth api_key message count=1 09:00:00 to 09:00:00
            secret.exposed medium logs.prt_acme.auth password message count=1 09:00:00 to 09:00:00
            secret.exposed medium logs.prt_acme.other password message count=1 09:00:00 to 09:00:00
            secret.exposed high page logs.prt_acme.auth api_key user_agent count=1 09:00:00 to 09:00:00
        "#]],
    );
}

#[test]
fn a_leak_that_goes_on_is_told_again_the_next_day() {
    check(
        "23:50:00 secret reason=jwt action=query_redacted token=s{n} x4 every 300s",
        expect![[r#"
            secret.exposed medium logs.prt_acme.auth jwt query_redacted count=2 23:50:00 to 23:55:00
            secret.exposed medium logs.prt_acme.auth jwt query_redacted count=2 00:00:00 to 00:05:00
        "#]],
    );
}

#[test]
fn a_sandboxs_leak_is_low_until_production_has_it_too() {
    let facts = script(
        "09:00:00 secret reason=api_key action=message token=s1 env=sandbox
         09:01:00 secret reason=api_key action=message token=s1 env=production",
    );
    let mut bench = Bench::new(&DetectConfig::default());
    facts.iter().for_each(|fact| bench.record(std::slice::from_ref(fact)));
    let severities: Vec<_> = bench.changes.iter().map(|change| change.alert.severity).collect();
    assert_eq!(severities, [event::Severity::Low, event::Severity::High]);
    let description = &bench.changes[1].alert.description;
    assert!(
        description.starts_with("2 lines of this day held an API key in message, 1 different."),
        "{description}"
    );
}

#[test]
fn what_comes_after_its_day_is_told_with_the_day_that_it_comes_on() {
    let mut bench = Bench::new(&DetectConfig::default());
    for fact in script(
        "09:00:00 secret reason=password action=message
         +2d 09:00:00 secret reason=password action=message
         09:30:00 secret reason=password action=message",
    ) {
        bench.record(&[fact]);
    }
    let alerts = bench.finish().final_alerts();
    let mut counts: Vec<_> =
        alerts.values().map(|alert| (alert.count, alert.late, alert.episode_open)).collect();
    counts.sort();
    assert_eq!(counts, [(1, false, false), (2, true, false)]);
}
