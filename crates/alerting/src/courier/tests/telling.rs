//! Who is told what, and when.

use chrono::TimeDelta;
use event::Severity;

use super::{actions, types};
use crate::testing::receiver::Receiver;
use crate::testing::{Bench, alert, closed, created, destination, pagerduty, raised, updated, webhook};
use crate::testing::{ROUTING_KEY, SIGNING_SECRET};

const HOUR: TimeDelta = TimeDelta::hours(1);

#[tokio::test]
async fn on_call_is_paged_and_the_page_is_resolved_when_the_episode_ends() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(HOUR).await;
    bench.apply(&[updated(&alert, 1), updated(&alert, 2)]).await;
    bench.run_for(HOUR).await;
    bench.apply(&[closed(&alert, 3)]).await;
    bench.run_for(HOUR).await;
    let got = receiver.got();
    assert_eq!(actions(&got), ["trigger error", "resolve -"]);
    assert!(got.iter().all(|got| got.json()["dedup_key"] == alert.dedup_key));
}

#[tokio::test]
async fn a_rise_in_severity_notifies_again_and_mere_updates_do_not() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    for change in
        [created(&alert), updated(&alert, 1), raised(&alert, 2, Severity::Critical), updated(&alert, 3)]
    {
        bench.apply(&[change]).await;
        bench.run_for(HOUR).await;
    }
    assert_eq!(actions(&receiver.got()), ["trigger error", "trigger critical"]);
}

#[tokio::test]
async fn token_reuse_is_never_resolved_by_itself() {
    let receiver = Receiver::start([]).await;
    let mut reuse = alert("prt_acme", "hmac256:k3:2dedb0c9e14eb74b");
    reuse.detector = "token_reuse".into();
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    bench.apply(&[created(&reuse), closed(&reuse, 1)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(actions(&receiver.got()), ["trigger error"]);
}

#[tokio::test]
async fn a_webhook_hears_the_last_word_on_token_reuse_as_an_update() {
    let receiver = Receiver::start([]).await;
    let mut reuse = alert("prt_acme", "hmac256:k3:2dedb0c9e14eb74b");
    reuse.detector = "token_reuse".into();
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    bench.apply(&[created(&reuse)]).await;
    bench.run_for(HOUR).await;
    bench.apply(&[closed(&reuse, 1)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(types(&receiver), ["alert.created 21", "alert.updated 21"]);
    assert_eq!(receiver.got()[1].json()["data"]["episode_open"], false);
}

#[tokio::test]
async fn a_page_and_its_end_in_one_batch_are_both_sent_in_order() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert), updated(&alert, 1), closed(&alert, 2)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(actions(&receiver.got()), ["trigger error", "resolve -"]);
}

#[tokio::test]
async fn only_what_pages_reaches_on_call() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let mut silent = alert("prt_acme", "silent");
    silent.page = false;
    let mut medium = alert("prt_acme", "medium");
    medium.severity = Severity::Medium;
    assert_eq!(bench.apply(&[created(&silent), created(&medium)]).await.queued, 0);
    // One that grows into a page pages when it does.
    bench.apply(&[raised(&medium, 1, Severity::High)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(actions(&receiver.got()), ["trigger error"]);
}

#[tokio::test]
async fn a_destination_may_want_some_partners_detectors_and_severities_only() {
    let receiver = Receiver::start([]).await;
    let config = format!(
        r#"{{"name": "hook", "kind": "webhook", "url": "{}", "allow_private": true, "secret_env": "S",
             "min_severity": "medium", "tenants": ["prt_acme"], "detectors": ["failed_login"]}}"#,
        receiver.url
    );
    let mut bench = Bench::new(destination(&config, SIGNING_SECRET)).await;
    let wanted = alert("prt_acme", "wanted");
    let mut low = alert("prt_acme", "low");
    low.severity = Severity::Low;
    let mut other = alert("prt_acme", "other");
    other.detector = "request_spike".into();
    bench
        .apply(&[created(&alert("prt_zeta", "theirs")), created(&low), created(&other), created(&wanted)])
        .await;
    bench.run_for(HOUR).await;
    let got = receiver.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].json()["data"]["entity"], "wanted");
}

#[tokio::test]
async fn updates_come_once_a_minute_and_the_final_state_always() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    // An update every second for two and a half minutes, then the end.
    for revision in 1..=150 {
        bench.run_for(TimeDelta::seconds(1)).await;
        bench.apply(&[updated(&alert, revision)]).await;
    }
    bench.apply(&[closed(&alert, 151)]).await;
    bench.run_for(HOUR).await;
    let types = types(&receiver);
    assert_eq!(types, ["alert.created 21", "alert.updated 80", "alert.updated 140", "alert.closed 21"]);
}

#[tokio::test]
async fn without_an_end_the_newest_state_is_sent_a_minute_later() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(TimeDelta::seconds(1)).await;
    bench.apply(&[updated(&alert, 1)]).await;
    bench.apply(&[updated(&alert, 2)]).await;
    bench.run_for(TimeDelta::seconds(58)).await;
    assert_eq!(types(&receiver), ["alert.created 21"]);
    bench.run_for(TimeDelta::seconds(2)).await;
    assert_eq!(types(&receiver), ["alert.created 21", "alert.updated 23"]);
}

#[tokio::test]
async fn no_more_than_the_budget_leaves_in_a_minute_and_the_worst_goes_first() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let mut alerts: Vec<_> = (0..100).map(|n| alert("prt_acme", &format!("usr_{n}"))).collect();
    alerts[99].severity = Severity::Critical;
    let changes: Vec<_> = alerts.iter().map(created).collect();
    bench.apply(&changes).await;
    bench.run_for(TimeDelta::milliseconds(500)).await;
    assert_eq!(receiver.got().len(), 60);
    bench.run_for(TimeDelta::seconds(60)).await;
    assert_eq!(receiver.got().len(), 100);
    assert!(receiver.got()[..8].iter().any(|got| got.json()["payload"]["severity"] == "critical"));
}

#[tokio::test]
async fn a_log_that_is_read_again_pages_for_nothing_older_than_a_day() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let aged = |entity: &str, hours: i64| {
        let mut aged = alert("prt_acme", entity);
        aged.last_seen = aged.last_seen - hours * 3_600_000;
        aged
    };
    let (last_year, yesterday) = (aged("usr_1", 9_000), aged("usr_2", 23));
    bench.apply(&[created(&last_year), raised(&last_year, 1, Severity::Critical), created(&yesterday)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(receiver.got().len(), 1);
    assert_eq!(receiver.got()[0].json()["dedup_key"], yesterday.dedup_key);
    let stored = bench.control.alert(&event::Scope::All, &last_year.alert_id).await.unwrap();
    assert!(stored.is_some(), "it is there for those who look");
    // What was paged for is resolved, however late.
    bench.clock.advance(TimeDelta::days(30));
    bench.apply(&[closed(&last_year, 2), closed(&yesterday, 1)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(actions(&receiver.got()), ["trigger error", "resolve -"]);

    let mut unlimited = Bench::new(pagerduty(&receiver.url)).await;
    unlimited.control = unlimited.control.with_page_age_max(None);
    assert_eq!(unlimited.apply(&[created(&last_year)]).await.queued, 1);
}

#[tokio::test]
async fn a_destination_that_is_added_later_hears_of_what_still_goes_on() {
    let receiver = Receiver::start([]).await;
    let control = crate::Control::in_memory().await.unwrap();
    let alert = alert("prt_acme", "usr_1");
    let clock = crate::testing::HandClock::new();
    control.apply(&[created(&alert)], &event::Positions::default(), clock.now()).await.unwrap();
    let mut bench = Bench::on(control, pagerduty(&receiver.url), clock).await;
    bench.run_for(HOUR).await;
    assert!(receiver.got().is_empty());
    bench.apply(&[updated(&alert, 1)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(actions(&receiver.got()), ["trigger error"]);
    assert_eq!(receiver.got()[0].json()["routing_key"], ROUTING_KEY);
}
