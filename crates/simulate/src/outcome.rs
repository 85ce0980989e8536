//! What came of a run, and how two of them differ.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use event::{Alert, AlertChange, Change, ipc};
use pipeline::TopicPartition;
use stages::topics::Topics;

use crate::log::{Entry, Log};

/// Every row that was written, and every alert as it ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How often each event and reject was written.
    rows: BTreeMap<String, usize>,
    alerts: BTreeMap<String, History>,
}

/// What became of an alert.
#[derive(Debug, Default)]
struct History {
    created: usize,
    /// The last revision's state.
    last: Option<(u32, Change, Alert)>,
    /// Revisions that were written more than once.
    repeated: Vec<u32>,
    seen: Vec<u32>,
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A row is there so often, and should be so often.
    Row { id: String, found: usize, expected: usize },
    /// An alert is missing, or too many.
    Alert { id: String, title: String, found: bool },
    /// An alert was created so often, or one of its revisions is there twice.
    NotOnce { id: String, created: usize, repeated: Vec<u32> },
    /// An alert ended in another state; the fields that differ.
    State { id: String, title: String, fields: Vec<String> },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { id, found, expected } => write!(f, "row {id} is there {found} times, not {expected}"),
            Self::Alert { id, title, found: true } => write!(f, "alert {id} should not be: {title}"),
            Self::Alert { id, title, found: false } => write!(f, "alert {id} is missing: {title}"),
            Self::NotOnce { id, created, repeated } => {
                write!(f, "alert {id} was created {created} times, revisions {repeated:?} are there twice")
            }
            Self::State { id, title, fields } => {
                write!(f, "alert {id} ({title}) differs: {}", fields.join("; "))
            }
        }
    }
}

impl Outcome {
    pub(crate) fn read(log: &Log, topics: &Topics) -> Self {
        let mut outcome = Self::default();
        for (topic, id) in [(&topics.events, "event_id"), (&topics.rejects, "reject_id")] {
            for entry in committed(log, topic) {
                let batch = ipc::decode(&entry.payload).expect("we wrote it");
                let ids = batch.column_by_name(id).expect("it has ids").as_string::<i32>();
                for row in 0..ids.len() {
                    *outcome.rows.entry(ids.value(row).to_owned()).or_default() += 1;
                }
            }
        }
        for entry in committed(log, &topics.alerts) {
            let change: AlertChange = serde_json::from_slice(&entry.payload).expect("we wrote it");
            outcome.alerts.entry(change.alert.alert_id.clone()).or_default().take(change);
        }
        outcome
    }

    /// How many alerts were raised.
    pub fn alerts(&self) -> usize {
        self.alerts.len()
    }

    /// How many rows were written.
    pub fn rows(&self) -> usize {
        self.rows.values().sum()
    }
}

impl History {
    fn take(&mut self, change: AlertChange) {
        self.created += usize::from(change.change == Change::Create);
        if self.seen.contains(&change.revision) {
            self.repeated.push(change.revision);
        }
        self.seen.push(change.revision);
        if self.last.as_ref().is_none_or(|(revision, ..)| *revision <= change.revision) {
            self.last = Some((change.revision, change.change, change.alert));
        }
    }

    fn title(&self) -> String {
        self.last.as_ref().map_or_else(String::new, |(.., alert)| alert.title.clone())
    }
}

fn committed(log: &Log, topic: &Arc<str>) -> Vec<Entry> {
    let of_topic = log.partitions(|name| *name == **topic);
    let all =
        |of: &TopicPartition| (0..log.stable_end(of)).filter_map(|at| log.read(of, at)).collect::<Vec<_>>();
    of_topic.iter().flat_map(all).collect()
}

/// How what was found differs from what was expected.
pub(crate) fn differences(expected: &Outcome, found: &Outcome) -> Vec<Difference> {
    let mut all = Vec::new();
    let ids = expected.rows.keys().chain(found.rows.keys());
    for id in ids.collect::<std::collections::BTreeSet<_>>() {
        let times = |outcome: &Outcome| outcome.rows.get(id).copied().unwrap_or(0);
        let (found, expected) = (times(found), times(expected));
        if found != expected {
            all.push(Difference::Row { id: id.clone(), found, expected });
        }
    }
    let ids = expected.alerts.keys().chain(found.alerts.keys());
    for id in ids.collect::<std::collections::BTreeSet<_>>() {
        match (expected.alerts.get(id), found.alerts.get(id)) {
            (Some(expected), Some(found)) => all.extend(of_one(id, expected, found)),
            (Some(missing), None) => {
                all.push(Difference::Alert { id: id.clone(), title: missing.title(), found: false });
            }
            (None, Some(extra)) => {
                all.push(Difference::Alert { id: id.clone(), title: extra.title(), found: true });
            }
            (None, None) => {}
        }
    }
    all
}

fn of_one(id: &str, expected: &History, found: &History) -> Vec<Difference> {
    let mut all = Vec::new();
    for history in [expected, found] {
        if history.created != 1 || !history.repeated.is_empty() {
            let (created, repeated) = (history.created, history.repeated.clone());
            all.push(Difference::NotOnce { id: id.to_owned(), created, repeated });
        }
    }
    let fields = differing(expected, found);
    if !fields.is_empty() {
        all.push(Difference::State { id: id.to_owned(), title: expected.title(), fields });
    }
    all
}

/// The fields of the last state that differ. When the first line to meet the rule was ingested is
/// not compared: which one is first depends on which partition was read first. Nor is in how many
/// changes the alert came there: two lines in one batch are one change, and in two batches two.
fn differing(expected: &History, found: &History) -> Vec<String> {
    let state = |history: &History| {
        let (_, change, alert) = history.last.as_ref()?;
        let mut value = serde_json::to_value(alert).ok()?;
        let fields = value.as_object_mut()?;
        fields.remove("ingested_at");
        fields.insert("closed".into(), (*change == Change::Close).into());
        Some(std::mem::take(fields))
    };
    let (Some(expected), Some(found)) = (state(expected), state(found)) else { return Vec::new() };
    let differs = |name: &&String| expected.get(*name) != found.get(*name);
    let shown = |name: &String| {
        let text = |fields: &serde_json::Map<String, serde_json::Value>| {
            fields.get(name).map_or_else(|| "nothing".to_owned(), ToString::to_string)
        };
        format!("{name} is {}, not {}", text(&found), text(&expected))
    };
    let names: std::collections::BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    names.into_iter().filter(differs).map(shown).collect()
}
