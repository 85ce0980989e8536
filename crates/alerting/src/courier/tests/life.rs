//! What people do with alerts, and what receivers hear of it.

use chrono::TimeDelta;
use event::{Scope, Severity};

use super::{actions, types};
use crate::testing::receiver::Receiver;
use crate::testing::{Bench, alert, closed, created, pagerduty, raised, start, tenant, updated, webhook};
use crate::{Action, Actor, AlertState, ControlError, Verdict};

const ANNA: Actor<'static> = Actor { name: "anna", note: Some("looking") };
const HOUR: TimeDelta = TimeDelta::hours(1);

async fn act(bench: &Bench, alert: &event::Alert, action: Action) -> crate::StoredAlert {
    bench.control.act(&Scope::All, &alert.alert_id, action, ANNA).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_acknowledgement_reaches_on_call_and_holds_until_it_gets_worse() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(act(&bench, &alert, Action::Acknowledge).await.state, AlertState::Acknowledged);
    act(&bench, &alert, Action::Acknowledge).await;
    bench.apply(&[updated(&alert, 1)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(actions(&receiver.got()), ["trigger error", "acknowledge -"]);
    bench.apply(&[raised(&alert, 2, Severity::Critical)]).await;
    bench.run_for(HOUR).await;
    let stored = bench.control.alert(&Scope::All, &alert.alert_id).await.unwrap().unwrap();
    assert_eq!(stored.state, AlertState::Open);
    assert_eq!(actions(&receiver.got())[2..], ["trigger critical"]);
}

#[tokio::test]
async fn a_snooze_holds_messages_back_and_expires() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(webhook(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    bench.run_for(TimeDelta::seconds(1)).await;
    act(&bench, &alert, Action::Snooze { until: start() + HOUR }).await;
    for revision in 1..=40 {
        bench.apply(&[updated(&alert, revision)]).await;
        bench.run_for(TimeDelta::minutes(1)).await;
    }
    assert_eq!(types(&receiver), ["alert.created 21"]);
    bench.run_for(HOUR).await;
    assert_eq!(types(&receiver), ["alert.created 21", "alert.updated 61"]);
}

#[tokio::test]
async fn what_is_over_before_its_snooze_wakes_nobody() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let over = alert("prt_acme", "usr_1");
    let mut stolen = alert("prt_acme", "usr_2");
    stolen.detector = "token_reuse".into();
    bench.apply(&[created(&over), created(&stolen)]).await;
    for alert in [&over, &stolen] {
        act(&bench, alert, Action::Snooze { until: start() + HOUR }).await;
    }
    bench.apply(&[closed(&over, 1), closed(&stolen, 1)]).await;
    bench.run_for(HOUR * 2).await;
    let got = receiver.got();
    assert_eq!(actions(&got), ["trigger error"], "of what no episode's end makes good");
    assert_eq!(got[0].json()["dedup_key"], stolen.dedup_key);
}

#[tokio::test]
async fn what_gets_worse_breaks_the_snooze() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    act(&bench, &alert, Action::Snooze { until: start() + HOUR }).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    assert!(receiver.got().is_empty());
    bench.apply(&[raised(&alert, 1, Severity::Critical)]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    assert_eq!(actions(&receiver.got()), ["trigger critical"]);
}

#[tokio::test]
async fn a_person_may_close_anything_and_then_nobody_is_woken_for_it() {
    let receiver = Receiver::start([]).await;
    let mut bench = Bench::new(pagerduty(&receiver.url)).await;
    let mut told = alert("prt_acme", "told");
    told.detector = "token_reuse".into();
    let untold = alert("prt_acme", "untold");
    bench.apply(&[created(&told)]).await;
    bench.run_for(TimeDelta::minutes(1)).await;
    bench.apply(&[created(&untold)]).await;
    for alert in [&told, &untold] {
        let closed = act(&bench, alert, Action::Close { verdict: Verdict::FalsePositive }).await;
        assert_eq!((closed.state, closed.closed_by.as_deref()), (AlertState::Closed, Some("anna")));
    }
    bench.apply(&[updated(&told, 1), closed(&untold, 1)]).await;
    bench.run_for(HOUR).await;
    assert_eq!(actions(&receiver.got()), ["trigger error", "resolve -"]);
    let stored = bench.control.alert(&Scope::All, &told.alert_id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.revision), (AlertState::Closed, 1), "an update does not reopen it");
}

#[tokio::test]
async fn verdicts_make_a_detectors_precision() {
    let bench = Bench::new(webhook("http://127.0.0.1:9/")).await;
    for (n, verdict) in
        [Verdict::TruePositive, Verdict::Benign, Verdict::TruePositive, Verdict::FalsePositive]
            .into_iter()
            .enumerate()
    {
        let alert = alert("prt_acme", &format!("usr_{n}"));
        bench.apply(&[created(&alert)]).await;
        act(&bench, &alert, Action::Close { verdict }).await;
    }
    let verdicts = bench.control.verdicts(&Scope::All).await.unwrap();
    assert_eq!((verdicts[0].detector.as_str(), verdicts[0].precision()), ("failed_login", Some(0.75)));
}

#[tokio::test]
async fn the_audit_trail_says_who_did_what() {
    let bench = Bench::new(webhook("http://127.0.0.1:9/")).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    act(&bench, &alert, Action::Acknowledge).await;
    act(&bench, &alert, Action::Close { verdict: Verdict::Benign }).await;
    let trail = bench.control.history(&Scope::All, &alert.alert_id).await.unwrap();
    let trail: Vec<_> =
        trail.iter().map(|c| (c.action.as_deref(), c.actor.as_deref(), c.note.as_deref())).collect();
    let (anna, looking) = (Some("anna"), Some("looking"));
    assert_eq!(
        trail,
        [(None, None, None), (Some("acknowledge"), anna, looking), (Some("close"), anna, looking)]
    );
}

#[tokio::test]
async fn a_verdict_stays_in_the_trail_when_the_alert_is_opened_again() {
    let bench = Bench::new(webhook("http://127.0.0.1:9/")).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert)]).await;
    act(&bench, &alert, Action::Snooze { until: start() + HOUR }).await;
    act(&bench, &alert, Action::Close { verdict: Verdict::Benign }).await;
    bench.apply(&[raised(&alert, 1, Severity::Critical)]).await;
    let stored = bench.control.alert(&Scope::All, &alert.alert_id).await.unwrap().unwrap();
    assert_eq!((stored.state, stored.verdict), (AlertState::Open, None));
    let trail = bench.control.history(&Scope::All, &alert.alert_id).await.unwrap();
    assert_eq!(trail[1].snoozed_until, Some(start() + HOUR));
    assert_eq!((trail[2].state, trail[2].verdict), (Some(AlertState::Closed), Some(Verdict::Benign)));
    assert_eq!((trail[2].change.change, trail[3].state), (event::Change::Close, Some(AlertState::Open)));
}

#[tokio::test]
async fn a_long_trail_ends_with_who_closed_it() {
    let bench = Bench::new(webhook("http://127.0.0.1:9/")).await;
    let alert = alert("prt_acme", "usr_1");
    let changes: Vec<_> = (0..1_200).map(|revision| updated(&alert, revision)).collect();
    bench.apply(&changes).await;
    act(&bench, &alert, Action::Close { verdict: Verdict::Benign }).await;
    let trail = bench.control.history(&Scope::All, &alert.alert_id).await.unwrap();
    assert_eq!((trail.len(), trail[0].sequence), (1_000, 202));
    assert_eq!(trail.last().unwrap().actor.as_deref(), Some("anna"));
}

#[tokio::test]
async fn nobody_touches_another_partners_alert_or_what_is_over() {
    let bench = Bench::new(webhook("http://127.0.0.1:9/")).await;
    let alert = alert("prt_acme", "usr_1");
    bench.apply(&[created(&alert), closed(&alert, 1)]).await;
    let theirs = Scope::Tenants([tenant("prt_zeta")].into());
    let refused = bench.control.act(&theirs, &alert.alert_id, Action::Acknowledge, ANNA).await.unwrap();
    assert_eq!(refused, None);
    let over = bench.control.act(&Scope::All, &alert.alert_id, Action::Acknowledge, ANNA).await;
    assert!(matches!(over, Err(ControlError::Invalid(_))));
}
