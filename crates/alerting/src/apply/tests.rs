//! Applying changes: once, twice, in any order, and across a restart.

use std::sync::Arc;

use event::{Alert, AlertChange, Positions, Scope, Severity};
use proptest::prelude::*;

use crate::testing::{alert, closed, created, raised, start, updated, webhook};
use crate::{AlertFilter, AlertState, Applied, Control, PageRequest, StoredAlert};

async fn control() -> Control {
    Control::in_memory().await.unwrap()
}

async fn apply(control: &Control, changes: &[AlertChange]) -> Applied {
    control.apply(changes, &Positions::default(), start()).await.unwrap()
}

async fn stored(control: &Control, alert: &Alert) -> StoredAlert {
    control.alert(&Scope::All, &alert.alert_id).await.unwrap().unwrap()
}

fn read(offset: i64) -> Positions {
    let mut positions = Positions::default();
    positions.read(&Arc::from("watchfire.alerts"), 0, offset);
    positions
}

#[tokio::test]
async fn an_episode_opens_changes_and_closes() {
    let control = control().await;
    let alert = alert("prt_acme", "usr_1");
    let applied = apply(&control, &[created(&alert), updated(&alert, 1), closed(&alert, 2)]).await;
    assert_eq!(applied, Applied { new: 1, updated: 1, closed: 1, ..Applied::default() });
    let stored = stored(&control, &alert).await;
    assert_eq!((stored.revision, stored.state, stored.closed_at), (2, AlertState::Closed, Some(start())));
    assert_eq!(*control.newest_sequence().borrow(), 3);
}

#[tokio::test]
async fn applying_the_same_batch_again_changes_nothing() {
    let control = control().await;
    control.set_destinations(&[webhook("http://127.0.0.1:9/")]).await.unwrap();
    let alert = alert("prt_acme", "usr_1");
    let batch = [created(&alert), updated(&alert, 1)];
    assert_eq!(apply(&control, &batch).await.queued, 1, "the update went into the message that waits");
    let before = stored(&control, &alert).await;
    let again = apply(&control, &batch).await;
    assert_eq!(again, Applied { ignored: 2, ..Applied::default() });
    assert_eq!(stored(&control, &alert).await, before);
    assert_eq!(*control.newest_sequence().borrow(), 2);
}

#[tokio::test]
async fn an_older_revision_does_not_overwrite_a_newer_one() {
    let control = control().await;
    let alert = alert("prt_acme", "usr_1");
    apply(&control, &[created(&alert), updated(&alert, 7)]).await;
    let late = apply(&control, &[updated(&alert, 3)]).await;
    assert_eq!(late, Applied { ignored: 1, ..Applied::default() });
    let stored = stored(&control, &alert).await;
    assert_eq!((stored.revision, stored.alert.count), (7, alert.count + 7));
}

#[tokio::test]
async fn severity_never_falls() {
    let control = control().await;
    let alert = alert("prt_acme", "usr_1");
    apply(&control, &[created(&alert), raised(&alert, 1, Severity::Critical)]).await;
    apply(&control, &[raised(&alert, 2, Severity::Medium)]).await;
    let stored = stored(&control, &alert).await;
    assert_eq!((stored.revision, stored.alert.severity), (2, Severity::Critical));
}

#[tokio::test]
async fn offsets_are_kept_with_the_alerts_and_never_go_back() {
    let control = control().await;
    assert_eq!(control.committed("watchfire.alerts", 0).await.unwrap(), None);
    control.apply(&[], &read(41), start()).await.unwrap();
    assert_eq!(control.committed("watchfire.alerts", 0).await.unwrap(), Some(42));
    control.apply(&[], &read(7), start()).await.unwrap();
    assert_eq!(control.committed("watchfire.alerts", 0).await.unwrap(), Some(42));
    assert_eq!(control.committed("watchfire.alerts", 1).await.unwrap(), None);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let alert = alert("prt_acme", "usr_1");
    let control = Control::open(&path).await.unwrap();
    control.apply(&[created(&alert)], &read(41), start()).await.unwrap();
    drop(control);
    let control = Control::open(&path).await.unwrap();
    assert_eq!(control.committed("watchfire.alerts", 0).await.unwrap(), Some(42));
    assert_eq!(stored(&control, &alert).await.revision, 0);
    assert_eq!(*control.newest_sequence().borrow(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let _control = Control::open(&path).await.unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
}

/// Two episodes with every kind of change, severities as no detector should send them.
fn changes() -> Vec<AlertChange> {
    let (a, b) = (alert("prt_acme", "usr_1"), alert("prt_zeta", "usr_2"));
    vec![
        created(&a),
        updated(&a, 1),
        raised(&a, 2, Severity::Critical),
        raised(&a, 3, Severity::Low),
        closed(&a, 4),
        created(&b),
        raised(&b, 1, Severity::Medium),
        updated(&b, 2),
    ]
}

async fn end_state(order: &[usize], batch: usize) -> (Vec<StoredAlert>, usize) {
    let changes = changes();
    let control = control().await;
    for batch in order.chunks(batch) {
        let batch: Vec<AlertChange> = batch.iter().map(|&n| changes[n].clone()).collect();
        apply(&control, &batch).await;
    }
    let filter = AlertFilter::new(Scope::All);
    let mut alerts = control.alerts(&filter, &PageRequest::default()).await.unwrap().alerts;
    alerts.sort_by(|a, b| a.alert.alert_id.cmp(&b.alert.alert_id));
    // The number of the newest change tells the order of arrival, and nothing else may.
    alerts.iter_mut().for_each(|alert| alert.sequence = 0);
    (alerts, control.changes_after(&Scope::All, 0, 100).await.unwrap().len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_order_and_repetition_ends_in_the_same_state(
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        repeats in prop::collection::vec((0..8_usize, 0..8_usize), 0..8),
        batch in 1..5_usize,
    ) {
        let mut order = order;
        for (at, what) in repeats {
            order.insert(at, what);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (got, expected) = runtime.block_on(async {
            (end_state(&order, batch).await, end_state(&[0, 1, 2, 3, 4, 5, 6, 7], 8).await)
        });
        prop_assert_eq!(got, expected);
    }
}
