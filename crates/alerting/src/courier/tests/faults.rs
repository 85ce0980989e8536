//! Receivers that fail, and what must hold: in order, nothing lost, on-call woken once.

use chrono::TimeDelta;
use event::{Positions, Severity};
use proptest::prelude::*;

use super::{actions, types, undelivered};
use crate::testing::receiver::Reply::{Header, Silence, Status};
use crate::testing::receiver::{Receiver, Reply, babbler, nobody};
use crate::testing::{Bench, HandClock, alert, closed, created, pagerduty, raised, start, updated, webhook};
use crate::{Control, DestinationCounts, Requeued};

const DAY: TimeDelta = TimeDelta::hours(24);

#[tokio::test]
async fn through_every_trouble_on_call_is_paged_once_and_in_order() {
    let receiver = Receiver::start([
        Status(500, "oops"),
        Header(429, "retry-after: 600", "slow down".into()),
        Status(503, "{\"garbage\": \u{1b}[31m"),
        Silence,
        Status(408, ""),
        Header(302, "location: http://169.254.169.254/latest/meta-data", String::new()),
    ])
    .await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let (a, b) = (alert("prt_acme", "usr_1"), alert("prt_zeta", "usr_2"));
    bench.apply(&[created(&a), created(&b)]).await;
    bench.run_for(TimeDelta::seconds(1)).await;
    bench.apply(&[raised(&a, 1, Severity::Critical), closed(&a, 2), updated(&b, 1)]).await;
    bench.run_for(TimeDelta::hours(2)).await;
    let of = |key: &str| {
        let all = receiver.accepted().into_iter();
        all.filter(|got| got.json()["dedup_key"] == key).collect::<Vec<_>>()
    };
    assert_eq!(actions(&of(&a.dedup_key)), ["trigger error", "trigger critical", "resolve -"]);
    assert_eq!(actions(&of(&b.dedup_key)), ["trigger error"]);
    let stats = bench.control.outbox_stats().await.unwrap();
    assert_eq!((stats[0].pending, stats[0].undelivered), (0, 0));
    let retried = 6;
    assert_eq!(
        bench.counters.counts(),
        [DestinationCounts { destination: "pd".into(), delivered: 4, retried, undelivered: 0, restarts: 0 }]
    );
}

#[tokio::test]
async fn nothing_is_sent_before_retry_after_is_over_not_even_after_a_restart() {
    let receiver = Receiver::start([Header(429, "retry-after: 120", String::new())]).await;
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    bench.run_for(TimeDelta::seconds(10)).await;
    bench.apply(&[created(&alert("prt_acme", "usr_2"))]).await;
    let mut bench = Bench::on(bench.control, webhook(&receiver.url), bench.clock).await;
    bench.run_for(TimeDelta::seconds(109)).await;
    assert_eq!(receiver.got().len(), 1);
    bench.run_for(TimeDelta::seconds(2)).await;
    assert_eq!(receiver.accepted().len(), 2);
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    let until = "retry-after: Sat, 14 Mar 2026 09:31:54 GMT";
    let receiver = Receiver::start([Header(503, until, String::new())]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    bench.run_for(TimeDelta::seconds(299)).await;
    assert_eq!(receiver.got().len(), 1);
    bench.run_for(TimeDelta::seconds(2)).await;
    assert_eq!(receiver.accepted().len(), 1);
}

#[tokio::test]
async fn an_hour_without_a_listener_loses_nothing() {
    let address = nobody().await;
    let mut bench = Bench::new(pagerduty(&format!("http://{address}"))).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(TimeDelta::minutes(30)).await;
    bench.apply(&[closed(&alert, 1)]).await;
    bench.run_for(TimeDelta::minutes(30)).await;
    let notices = bench.control.notices(&event::Scope::All, &alert.alert_id).await.unwrap();
    assert!(notices[0].attempts > 10 && notices[1].attempts == 0, "{notices:?}");
    let receiver = Receiver::start_at(&address, []).await;
    bench.run_for(TimeDelta::minutes(6)).await;
    assert_eq!(actions(&receiver.got()), ["trigger error", "resolve -"]);
}

#[tokio::test]
async fn what_does_not_speak_http_is_tried_again() {
    let mut bench = Bench::new(webhook(&format!("http://{}", babbler().await))).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(TimeDelta::seconds(20)).await;
    let notices = bench.control.notices(&event::Scope::All, &alert.alert_id).await.unwrap();
    assert_eq!(notices[0].state, "pending");
    assert!(notices[0].attempts > 1);
    assert!(!notices[0].last_error.as_deref().unwrap().contains('\u{1b}'));
}

#[tokio::test]
async fn after_a_day_a_message_is_set_aside_and_can_be_sent_by_hand() {
    let address = nobody().await;
    let mut bench = Bench::new(pagerduty(&format!("http://{address}"))).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    bench.run_for(DAY - TimeDelta::minutes(1)).await;
    assert!(undelivered(&bench.control).await.is_empty());
    bench.run_for(TimeDelta::minutes(11)).await;
    let given_up = undelivered(&bench.control).await;
    assert_eq!((given_up.len(), given_up[0].kind.as_str()), (1, "opened"));
    assert_eq!(bench.counters.counts()[0].undelivered, 1);
    let receiver = Receiver::start_at(&address, []).await;
    let requeued = bench.control.requeue_undelivered("pd").await.unwrap();
    assert_eq!(requeued, Some(Requeued { requeued: 1, overtaken: 0 }));
    assert_eq!(bench.control.requeue_undelivered("nowhere").await.unwrap(), None);
    bench.run_for(TimeDelta::seconds(1)).await;
    assert_eq!(actions(&receiver.got()), ["trigger error"]);
}

#[tokio::test]
async fn a_permanent_refusal_is_shown_with_its_reason_and_holds_up_nothing() {
    let receiver = Receiver::start([Status(
        400,
        r#"{"status":"invalid event","errors":["Length of 'routing_key' is incorrect"]}"#,
    )])
    .await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert), closed(&alert, 1)]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(actions(&receiver.got()), ["trigger error", "resolve -"]);
    let refused = undelivered(&bench.control).await;
    assert_eq!(refused.len(), 1);
    let reason = refused[0].last_error.as_deref().unwrap();
    assert!(reason.contains("400") && reason.contains("Length of 'routing_key'"), "{reason}");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let receiver = Receiver::start([]).await;
    receiver.then([Header(422, "x-long: yes", "x".repeat(10_000_000))]);
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    assert!(undelivered(&bench.control).await[0].last_error.as_deref().unwrap().len() < 2_200);
}

#[tokio::test]
async fn retries_of_a_webhook_are_the_same_message() {
    let receiver = Receiver::start([Status(500, ""), Status(502, ""), Status(429, "")]).await;
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(TimeDelta::milliseconds(0)).await;
    bench.apply(&[updated(&alert, 1)]).await;
    bench.run_for(TimeDelta::minutes(5)).await;
    let got = receiver.got();
    let first = (got[0].header("webhook-id").to_owned(), got[0].body.clone());
    for retry in &got[1..4] {
        assert_eq!((retry.header("webhook-id").to_owned(), retry.body.clone()), first);
    }
    assert_eq!(types(&receiver), ["alert.created 21", "alert.updated 22"]);
    assert_ne!(got[4].header("webhook-id"), first.0, "another message has another id");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_until_the_next_start() {
    let receiver = Receiver::start([Status(410, "gone")]).await;
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    bench.apply(&[created(&alert("prt_acme", "usr_2"))]).await;
    bench.run_for(DAY).await;
    assert_eq!(receiver.got().len(), 1);
    let stats = bench.control.outbox_stats().await.unwrap();
    assert_eq!((stats[0].pending, stats[0].disabled_at.is_some()), (0, true));
    assert_eq!((stats[0].undelivered, bench.counters.counts()[0].undelivered), (2, 2), "where people see it");
    assert_eq!(stats[0].last_error.as_deref(), Some("answered 410 Gone"));
    let clock = bench.clock.clone();
    clock.set(start() + TimeDelta::minutes(2));
    let mut bench = Bench::on(bench.control, webhook(&receiver.url), clock).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(receiver.accepted().len(), 2);
}

#[tokio::test]
async fn a_key_that_is_refused_for_an_hour_loses_no_page() {
    for kind in [pagerduty, webhook] {
        let receiver = Receiver::start([
            Status(401, "unauthorized"),
            Status(403, "rate limit"),
            Status(404, "no such route"),
            Status(405, ""),
            Status(451, ""),
        ])
        .await;
        let mut bench = Bench::new(kind(&receiver.url)).await;
        bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
        bench.courier.turn().await.unwrap();
        let stats = bench.control.outbox_stats().await.unwrap();
        assert_eq!(
            (stats[0].failing, stats[0].last_error.as_deref()),
            (1, Some("answered 401 Unauthorized: unauthorized"))
        );
        bench.run_for(TimeDelta::hours(1)).await;
        assert_eq!((receiver.got().len(), receiver.accepted().len()), (6, 1));
        assert!(undelivered(&bench.control).await.is_empty());
    }
}

#[tokio::test]
async fn a_webhook_gives_up_on_nothing_but_gone() {
    let receiver = Receiver::start([Status(400, ""), Status(413, ""), Status(422, "")]).await;
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    bench.run_for(TimeDelta::hours(1)).await;
    assert_eq!(types(&receiver), ["alert.created 21"]);
}

#[tokio::test]
async fn a_receiver_cannot_ask_for_less_patience_than_we_have() {
    for retry_after in ["retry-after: 0", "retry-after: Sat, 14 Mar 2026 09:00:00 GMT"] {
        let always = (0..1_000).map(|_| Header(429, retry_after, String::new()));
        let receiver = Receiver::start(always).await;
        let mut bench = Bench::new(webhook(&receiver.url)).await;
        bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
        bench.run_for(TimeDelta::minutes(2)).await;
        let tries = receiver.got().len();
        assert!((2..60).contains(&tries), "{retry_after}: {tries} tries in two minutes");
    }
}

#[tokio::test]
async fn a_page_is_not_sent_again_after_its_end() {
    let refused = || Status(400, "no");
    let receiver = Receiver::start([refused()]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let (over, raised_since) = (alert("prt_acme", "usr_1"), alert("prt_acme", "usr_2"));
    let goes_on = alert("prt_acme", "usr_3");
    bench.apply(&[created(&over)]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    bench.apply(&[closed(&over, 1)]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    receiver.then([refused(), refused()]);
    bench.apply(&[created(&raised_since), created(&goes_on)]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    bench.apply(&[raised(&raised_since, 1, Severity::Critical)]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    let told = receiver.accepted().len();
    let requeued = bench.control.requeue_undelivered("pd").await.unwrap();
    assert_eq!(requeued, Some(Requeued { requeued: 1, overtaken: 2 }));
    bench.run_for(TimeDelta::minutes(1)).await;
    let since: Vec<_> = receiver.accepted().into_iter().skip(told).map(|got| got.json()).collect();
    assert_eq!(since.len(), 1);
    assert_eq!(since[0]["dedup_key"], goes_on.dedup_key);
}

#[tokio::test]
async fn what_was_queued_before_a_kill_is_sent_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let receiver = Receiver::start([Silence]).await;
    let clock = HandClock::new();
    let alert = alert("prt_acme", "usr_1");
    {
        let control = Control::open(&path).await.unwrap();
        let mut bench = Bench::on(control, webhook(&receiver.url), clock.clone()).await;
        bench.apply(&[created(&alert)]).await;
        // Killed while the message is under way: nobody knows whether it arrived.
        let turn = tokio::time::timeout(std::time::Duration::from_millis(200), bench.courier.turn());
        assert!(turn.await.is_err());
        bench.apply(&[updated(&alert, 1)]).await;
    }
    let control = Control::open(&path).await.unwrap();
    let log = [created(&alert), updated(&alert, 1)];
    let again = control.apply(&log, &Positions::default(), clock.now()).await.unwrap();
    assert_eq!(again.queued, 0, "re-reading the log queues nothing twice");
    let mut bench = Bench::on(control, webhook(&receiver.url), clock).await;
    bench.run_for(TimeDelta::minutes(2)).await;
    assert_eq!(types(&receiver), ["alert.created 21", "alert.updated 22"]);
    let got = receiver.got();
    assert_eq!(
        got[0].header("webhook-id"),
        got[1].header("webhook-id"),
        "the receiver can tell that it is a repeat"
    );
}

#[tokio::test]
async fn a_clock_set_back_while_down_costs_an_hour_at_most() {
    let receiver = Receiver::start([Header(503, "retry-after: 3000", String::new())]).await;
    let clock = HandClock::new();
    clock.advance(TimeDelta::days(30));
    let control = Control::in_memory().await.unwrap().with_page_age_max(None);
    let mut bench = Bench::on(control, webhook(&receiver.url), clock).await;
    bench.apply(&[created(&alert("prt_acme", "usr_1"))]).await;
    bench.courier.turn().await.unwrap();
    let mut bench = Bench::on(bench.control, webhook(&receiver.url), HandClock::new()).await;
    bench.run_for(TimeDelta::minutes(61)).await;
    assert_eq!(receiver.accepted().len(), 1);
}

fn trouble() -> impl Strategy<Value = Vec<Reply>> {
    let reply = prop_oneof![
        Just(Status(500, "oops")),
        Just(Status(408, "")),
        Just(Header(429, "retry-after: 7", String::new())),
        Just(Header(503, "retry-after: soon", "{".into())),
        Just(Header(307, "location: http://127.0.0.1:1/", String::new())),
        Just(Status(200, "")),
    ];
    prop::collection::vec(reply, 0..12)
}

/// The webhook ids and revisions of one alert's messages, as they were accepted.
fn story(receiver: &Receiver, alert: &event::Alert) -> Vec<(String, u64, String)> {
    let mut story = Vec::new();
    for got in receiver.accepted() {
        let message = got.json();
        if message["data"]["alert_id"] == alert.alert_id {
            let revision = message["data"]["revision"].as_u64().unwrap();
            let kind = message["type"].as_str().unwrap().to_owned();
            story.push((got.header("webhook-id").to_owned(), revision, kind));
        }
    }
    story
}

async fn whatever_the_answers(script: Vec<Reply>, pauses: Vec<i64>) -> Result<(), TestCaseError> {
    let receiver = Receiver::start(script).await;
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    let alerts = [alert("prt_acme", "usr_1"), alert("prt_zeta", "usr_2")];
    for (revision, pause) in (0..).zip(pauses) {
        for alert in &alerts {
            let severity = if revision > 2 { Severity::Critical } else { Severity::High };
            bench.apply(&[raised(alert, revision, severity)]).await;
        }
        bench.run_for(TimeDelta::seconds(pause)).await;
    }
    bench.apply(&alerts.each_ref().map(|alert| closed(alert, 100))).await;
    bench.run_for(TimeDelta::hours(2)).await;
    for alert in &alerts {
        let story = story(&receiver, alert);
        prop_assert!(story.windows(2).all(|pair| pair[0].1 <= pair[1].1), "out of order: {story:?}");
        let ids: std::collections::BTreeSet<_> = story.iter().map(|(id, ..)| id).collect();
        prop_assert_eq!(ids.len(), story.len(), "twice: {:?}", story);
        let kinds = |kind: &str| story.iter().filter(|(.., k)| k == kind).count();
        prop_assert_eq!((kinds("alert.created"), kinds("alert.closed")), (1, 1));
        prop_assert_eq!(story.last().map(|(_, revision, _)| *revision), Some(100));
    }
    prop_assert!(undelivered(&bench.control).await.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_a_receiver_answers_the_story_arrives_once_and_in_order(
        script in trouble(),
        pauses in prop::collection::vec(0..90_i64, 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(whatever_the_answers(script, pauses))?;
    }
}
