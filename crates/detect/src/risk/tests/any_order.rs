//! What is told does not hang on the order in which alerts change, nor on how often a change is read.

use std::collections::{BTreeMap, BTreeSet};

use event::{AlertChange, Change, Severity};
use proptest::prelude::*;
use testkit::oracle;

use super::bench::{MINUTE_MS, change, run};
use crate::stable;

/// A few days of alerts about few entities, so that points often are just enough.
fn traffic() -> impl Strategy<Value = Vec<AlertChange>> {
    let one =
        (0..6_usize, 0..5_usize, 0..4_i64, 5..1_440_i64, 0..3_u8, 0..3_u8, proptest::bool::weighted(0.3));
    proptest::collection::vec(one, 1..40).prop_map(|alerts| {
        let made = alerts.into_iter().enumerate().flat_map(|(n, (detector, severity, day, minute, user, net, again))| {
            let what = [
                "key_use T1078",
                "probing T1595.003",
                "object_access T1087",
                "token_reuse T1550.001",
                "failed_authentication T1110",
                "threshold T1110",
            ][detector];
            let severity = ["info", "low", "medium", "high", "critical"][severity];
            let (hour, minute) = (minute / 60, minute % 60);
            let first = change(&format!(
                "{hour:02}:{minute:02} {what} {severity} day={day} id=alr_{n} user=u{user} src_ip=203.0.{net}.9"
            ));
            let mut worse = first.clone();
            (worse.change, worse.revision, worse.alert.severity) = (Change::Update, 1, Severity::Critical);
            worse.alert.last_seen = worse.alert.last_seen + 90 * MINUTE_MS;
            // A late event may be what met it first.
            worse.alert.triggered_at = worse.alert.triggered_at - 2 * MINUTE_MS;
            [Some(first), again.then_some(worse)].into_iter().flatten().collect::<Vec<_>>()
        });
        made.collect()
    })
}

fn shuffled(changes: &[AlertChange], seed: u64) -> Vec<AlertChange> {
    let place = |n: usize| stable::hash(&[&seed.to_string(), &n.to_string()]);
    let mut places: Vec<_> = (0..changes.len()).collect();
    places.sort_by_key(|n| place(*n));
    places.into_iter().map(|n| changes[n].clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_same_changes_end_in_the_same_alerts_however_they_come(
        changes in traffic(), seed in any::<u64>(), restart_every in 1..6_usize,
    ) {
        let straight = run(&changes, 0).alerts();
        prop_assert_eq!(&straight, &run(&changes, restart_every).alerts(), "restarted");
        prop_assert_eq!(&straight, &run(&shuffled(&changes, seed), restart_every).alerts(), "shuffled");
        let twice = shuffled(&[&*changes, &*changes].concat(), seed);
        prop_assert_eq!(&straight, &run(&twice, 0).alerts(), "delivered twice");
    }

    #[test]
    fn it_tells_what_the_oracle_reads_off_the_alerts_as_they_ended(changes in traffic()) {
        let ended: BTreeMap<_, _> = changes.iter().map(|change| (&change.alert.alert_id, &change.alert)).collect();
        let ended: Vec<_> = ended.into_values().cloned().collect();
        let told = run(&changes, 0).alerts();
        let told: BTreeSet<_> = told.values().map(|alert| oracle::Risk {
            tenant: alert.tenant.to_string(),
            entity_type: alert.entity_type.clone(),
            entity: alert.entity.clone(),
            points: alert.observed as u64,
            alerts: alert.count as usize,
            triggered_at: alert.triggered_at,
        }).collect();
        prop_assert_eq!(told, oracle::risk(&ended));
    }

    #[test]
    fn what_was_told_stays_told_when_more_becomes_known(changes in traffic(), known in 0..40_usize) {
        let ids = |changes: &[AlertChange]| run(changes, 0).alerts().into_keys().collect::<BTreeSet<_>>();
        let (some, all) = (ids(&changes[..known.min(changes.len())]), ids(&changes));
        prop_assert!(some.is_subset(&all), "{:?}", some.difference(&all));
    }

    #[test]
    fn no_detector_tells_by_itself(changes in traffic()) {
        let mut changes = changes;
        changes.iter_mut().for_each(|change| change.alert.detector = "key_use".to_owned());
        prop_assert!(run(&changes, 0).said.is_empty());
    }
}
