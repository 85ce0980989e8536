//! How what is kept differs from what the topics hold, and from what a calm run keeps.

use std::collections::{BTreeMap, BTreeSet};

use alerting::StoredAlert;
use arrow::array::{Array, AsArray};
use event::{AlertChange, ipc};
use simulate::{Ended, Record};
use store::Table;

use crate::kept::{Counted, Kept, ends, revision, tables_and_topics};

/// Each row of a topic is kept once, and nothing else is; everything is read, and known to be.
pub(crate) fn against_topics(run: &str, kept: &Kept, ended: &Ended) -> Vec<String> {
    let mut all = Vec::new();
    for (table, topic) in tables_and_topics() {
        let sent = sent(table, &ended.records(&topic));
        all.extend(counts(table.name(), &kept.rows[table.name()], &sent));
        let mut owners = vec![table.name()];
        if table == Table::AlertChanges {
            all.extend(counts("the alert database", &kept.changes, &sent));
            all.extend(states(&kept.alerts, &newest(&ended.records(&topic))));
            owners.push("control");
        }
        for (partition, end) in ends(ended, &topic) {
            for owner in &owners {
                let next = kept.positions[&(*owner, topic.to_string(), partition)];
                if next != Some(end) {
                    all.push(format!("{owner} has read {topic}/{partition} to {next:?}, not {end}"));
                }
            }
        }
    }
    all.into_iter().map(|difference| format!("{run}{difference}")).collect()
}

/// How often each row was sent.
fn sent(table: Table, records: &[Record]) -> Counted {
    let column = match table {
        Table::Events => "event_id",
        Table::Rejects => "reject_id",
        Table::AlertChanges => {
            return counted(changes(records).map(|change| revision(&change.alert.alert_id, change.revision)));
        }
    };
    counted(records.iter().flat_map(|record| {
        let batch = ipc::decode(&record.payload).expect("we wrote it");
        let ids = batch.column_by_name(column).expect("it has ids").as_string::<i32>();
        (0..ids.len()).map(|row| ids.value(row).to_owned()).collect::<Vec<_>>()
    }))
}

fn changes(records: &[Record]) -> impl Iterator<Item = AlertChange> {
    records.iter().map(|record| serde_json::from_slice(&record.payload).expect("we wrote it"))
}

fn counted(names: impl Iterator<Item = String>) -> Counted {
    let mut counted = Counted::new();
    names.for_each(|name| *counted.entry(name).or_default() += 1);
    counted
}

fn counts(place: &str, found: &Counted, expected: &Counted) -> Vec<String> {
    let names: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let times = |counted: &Counted, name: &String| counted.get(name).copied().unwrap_or(0);
    let differs = |name: &&String| times(found, name) != times(expected, name);
    let say = |name: &String| {
        let (found, expected) = (times(found, name), times(expected, name));
        format!("{name} is in {place} {found} times, not {expected}")
    };
    names.into_iter().filter(differs).map(say).collect()
}

/// The newest revision of each alert.
fn newest(records: &[Record]) -> BTreeMap<String, AlertChange> {
    let mut newest: BTreeMap<String, AlertChange> = BTreeMap::new();
    for change in changes(records) {
        let known = newest.get(&change.alert.alert_id);
        if known.is_none_or(|known| known.revision < change.revision) {
            newest.insert(change.alert.alert_id.clone(), change);
        }
    }
    newest
}

/// The database's alerts stand at their newest revision, and there are no others.
fn states(found: &BTreeMap<String, StoredAlert>, newest: &BTreeMap<String, AlertChange>) -> Vec<String> {
    let mut all = Vec::new();
    for (id, change) in newest {
        match found.get(id).map(|stored| stored.revision) {
            None => all.push(format!("alert {id} is not in the database")),
            Some(revision) if revision == change.revision => {}
            Some(stands) => all.push(format!("alert {id} stands at {stands}, not {}", change.revision)),
        }
    }
    let unknown = found.keys().filter(|id| !newest.contains_key(*id));
    all.extend(unknown.map(|id| format!("alert {id} is in the database and in no topic")));
    all
}

/// Alerts are in the state, and messages are owed, as after a calm run. How many changes brought an
/// alert there is not compared: two lines in one batch are one change, and in two batches two.
pub(crate) fn against_calm(calm: &Kept, found: &Kept) -> Vec<String> {
    let mut all = Vec::new();
    let ids: BTreeSet<&String> = calm.alerts.keys().chain(found.alerts.keys()).collect();
    for id in ids {
        let state = |kept: &Kept| {
            let stored = kept.alerts.get(id)?;
            Some(format!("{} {}", stored.state.as_str(), stored.alert.severity.as_str()))
        };
        if state(found) != state(calm) {
            all.push(format!("alert {id} is kept as {:?}, not {:?}", state(found), state(calm)));
        }
        let (found, expected) = (found.notices.get(id), calm.notices.get(id));
        if found != expected {
            all.push(format!("of alert {id} is owed {found:?}, not {expected:?}"));
        }
    }
    all
}
