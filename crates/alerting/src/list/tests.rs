//! Reading alerts: filters, pages, and the wall between partners.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use event::{Alert, EventTime, Positions, Scope, Severity};

use super::*;
use crate::testing::{alert, created, start, tenant};

async fn with(alerts: &[Alert]) -> Control {
    let control = Control::in_memory().await.unwrap();
    let changes: Vec<_> = alerts.iter().map(created).collect();
    control.apply(&changes, &Positions::default(), start()).await.unwrap();
    control
}

async fn entities(control: &Control, filter: &AlertFilter) -> Vec<String> {
    let page = control.alerts(filter, &PageRequest::default()).await.unwrap();
    page.alerts.into_iter().map(|a| a.alert.entity).collect()
}

fn only(tenants: &[&str]) -> Scope {
    Scope::Tenants(tenants.iter().map(|id| tenant(id)).collect())
}

#[tokio::test]
async fn a_partner_sees_its_own_and_nothing_else() {
    let (acme, zeta) = (alert("prt_acme", "usr_1"), alert("prt_zeta", "usr_2"));
    let control = with(&[acme.clone(), zeta.clone()]).await;
    assert_eq!(entities(&control, &AlertFilter::new(only(&["prt_acme"]))).await, ["usr_1"]);
    assert!(control.alert(&only(&["prt_acme"]), &zeta.alert_id).await.unwrap().is_none());
    assert!(control.alert(&only(&["prt_acme"]), &acme.alert_id).await.unwrap().is_some());
    assert_eq!(control.changes_after(&only(&["prt_zeta"]), 0, 10).await.unwrap().len(), 1);
    assert_eq!(control.history(&only(&["prt_acme"]), &zeta.alert_id).await.unwrap(), []);
    assert_eq!(control.tenants_seen(&only(&["prt_zeta"])).await.unwrap().len(), 1);
    let asking_for_another =
        AlertFilter { tenant: Some(tenant("prt_zeta")), ..AlertFilter::new(only(&["prt_acme"])) };
    assert!(entities(&control, &asking_for_another).await.is_empty());
}

#[tokio::test]
async fn an_empty_scope_sees_nothing() {
    let control = with(&[alert("prt_acme", "usr_1")]).await;
    let nobody = Scope::Tenants(BTreeSet::new());
    assert!(entities(&control, &AlertFilter::new(nobody.clone())).await.is_empty());
    assert!(control.changes_after(&nobody, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn each_filter_narrows() {
    let mut low = alert("prt_acme", "low");
    low.severity = Severity::Low;
    let mut other = alert("prt_acme", "other");
    (other.detector, other.class) = ("request_spike".into(), "spike.flood".into());
    other.last_seen = EventTime::from_millis(start().timestamp_millis() + 3_600_000);
    let control = with(&[alert("prt_acme", "usual"), low, other]).await;
    let all = || AlertFilter::new(Scope::All);
    let cases = [
        (all(), vec!["other", "low", "usual"]),
        (AlertFilter { severity_min: Some(Severity::Medium), ..all() }, vec!["other", "usual"]),
        (AlertFilter { detector: Some("request_spike".into()), ..all() }, vec!["other"]),
        (AlertFilter { class: Some("auth.bruteforce".into()), ..all() }, vec!["low", "usual"]),
        (AlertFilter { state: Some(AlertState::Closed), ..all() }, vec![]),
        (AlertFilter { since: Some(start() + TimeDelta::minutes(30)), ..all() }, vec!["other"]),
        (AlertFilter { until: Some(start() + TimeDelta::minutes(30)), ..all() }, vec!["low", "usual"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(entities(&control, &filter).await, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn pages_hold_every_alert_once_though_alerts_change_meanwhile() {
    let alerts: Vec<Alert> = (0..25).map(|n| alert("prt_acme", &format!("usr_{n:02}"))).collect();
    let control = with(&alerts).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest::new(10, cursor).unwrap();
        let page = control.alerts(&AlertFilter::new(Scope::All), &page).await.unwrap();
        seen.extend(page.alerts.into_iter().map(|a| a.alert.entity));
        let change = crate::testing::updated(&alerts[seen.len() % 25], seen.len() as u32);
        control.apply(&[change], &Positions::default(), start()).await.unwrap();
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).rev().map(|n| format!("usr_{n:02}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_page_is_neither_empty_nor_endless() {
    assert!(PageRequest::new(0, None).is_err());
    assert!(PageRequest::new(501, None).is_err());
    let control = with(&[]).await;
    let page = PageRequest::new(1, Some("nonsense".into())).unwrap();
    assert!(matches!(
        control.alerts(&AlertFilter::new(Scope::All), &page).await,
        Err(ControlError::Invalid(_))
    ));
}

#[tokio::test]
async fn listeners_hear_of_changes_and_catch_up_from_where_they_were() {
    let control = with(&[alert("prt_acme", "usr_1")]).await;
    let mut newest = control.newest_sequence();
    assert_eq!(*newest.borrow_and_update(), 1);
    let change = created(&alert("prt_acme", "usr_2"));
    control.apply(&[change], &Positions::default(), start()).await.unwrap();
    newest.changed().await.unwrap();
    let missed = control.changes_after(&Scope::All, 1, 10).await.unwrap();
    assert_eq!(missed.iter().map(|c| c.sequence).collect::<Vec<_>>(), [2]);
    assert_eq!(missed[0].change.alert.entity, "usr_2");
}

#[tokio::test]
async fn a_stored_alert_is_one_flat_object() {
    let control = with(&[alert("prt_acme", "usr_1")]).await;
    let page = control.alerts(&AlertFilter::new(Scope::All), &PageRequest::default()).await.unwrap();
    let json = serde_json::to_value(&page.alerts[0]).unwrap();
    assert_eq!(
        (&json["entity"], &json["state"], &json["revision"]),
        (&"usr_1".into(), &"open".into(), &0.into())
    );
    assert_eq!(serde_json::from_value::<StoredAlert>(json).unwrap(), page.alerts[0]);
}
