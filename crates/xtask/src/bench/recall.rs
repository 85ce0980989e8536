//! Which of the attacks that were put in were found, and what else was.

use std::collections::{BTreeMap, BTreeSet};

use event::{Alert, Severity};
use testkit::quality::led_there;
use testkit::traffic::Label;

/// How many attacks of one kind there were, and how many of them an alert tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recall {
    pub(crate) put_in: u64,
    pub(crate) found: u64,
}

/// By kind of attack; under [`UNLABELLED`] the alerts of medium severity or above that tell of
/// no label, nor add up alerts of which one does.
pub(crate) fn recall(labels: &[Label], alerts: &[Alert]) -> BTreeMap<String, Recall> {
    let mut by_attack: BTreeMap<String, Recall> = BTreeMap::new();
    for label in labels {
        let recall = by_attack.entry(label.attack.clone()).or_default();
        recall.put_in += 1;
        recall.found += u64::from(alerts.iter().any(|alert| label.is_told_by(alert)));
    }
    let tells_of_a_label = |alert: &&Alert| labels.iter().any(|label| label.is_told_by(alert));
    let right: BTreeSet<&str> =
        alerts.iter().filter(tells_of_a_label).map(|alert| alert.alert_id.as_str()).collect();
    let is_right =
        |alert: &Alert| right.contains(&*alert.alert_id) || led_there(alert).any(|id| right.contains(id));
    let unlabelled = alerts.iter().filter(|alert| alert.severity >= Severity::Medium);
    let unlabelled = unlabelled.filter(|alert| !is_right(alert)).count();
    by_attack.insert(UNLABELLED.to_owned(), Recall { put_in: 0, found: unlabelled as u64 });
    by_attack
}

/// The row of alerts that no label explains. The attack that the end of the traffic cut off has no
/// label, so one or two may be right.
pub(crate) const UNLABELLED: &str = "~ no label (medium or above)";
