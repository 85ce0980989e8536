//! What is kept in the end: the rows of the tables, the alerts of the database, the offsets of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::{AlertFilter, Control, PageRequest, StoredAlert};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use event::Scope;
use object_store::ObjectStore;
use simulate::Ended;
use stages::Topics;
use store::{StoreOptions, Table, Tables};

use crate::objects::Disk;
use crate::tables::root;

/// The entries of the change log that are read at once.
const ENTRIES: usize = 1_000;

/// How often each of some things is there.
pub(crate) type Counted = BTreeMap<String, usize>;

/// What is kept.
pub(crate) struct Kept {
    /// The rows of each table, an alert's change by alert and revision.
    pub(crate) rows: BTreeMap<&'static str, Counted>,
    /// The changes of the database's log, by alert and revision.
    pub(crate) changes: Counted,
    /// The database's alerts.
    pub(crate) alerts: BTreeMap<String, StoredAlert>,
    /// What each destination is owed of an alert.
    pub(crate) notices: BTreeMap<String, Vec<String>>,
    /// Where reading goes on: by who says so, topic and partition.
    pub(crate) positions: BTreeMap<(&'static str, String, i32), Option<i64>>,
}

impl Kept {
    pub(crate) async fn read(disk: &Disk, control: Control, ended: &Ended) -> Self {
        let objects: Arc<dyn ObjectStore> = Arc::clone(&disk.objects) as _;
        let tables = Tables::open_on(objects, &root(), StoreOptions::default()).await;
        let tables = tables.expect("nothing goes wrong any more");
        let mut kept = Self {
            rows: BTreeMap::new(),
            changes: changes(&control).await,
            alerts: alerts(&control).await,
            notices: BTreeMap::new(),
            positions: BTreeMap::new(),
        };
        for (table, ..) in tables_and_topics() {
            kept.rows.insert(table.name(), rows(&tables, table).await);
        }
        for id in kept.alerts.keys() {
            let notices = control.notices(&Scope::All, id).await.expect("the database answers");
            let text = |notice: &alerting::NoticeEntry| {
                format!("{} {} {}", notice.destination, notice.kind, notice.severity.as_str())
            };
            kept.notices.insert(id.clone(), notices.iter().map(text).collect());
        }
        kept.ask_positions(&tables, &control, ended).await;
        kept
    }

    async fn ask_positions(&mut self, tables: &Tables, control: &Control, ended: &Ended) {
        for (table, topic) in tables_and_topics() {
            for partition in ends(ended, &topic).into_keys() {
                let next = tables.committed(table, &topic, partition).await.expect("the tables answer");
                self.positions.insert((table.name(), topic.to_string(), partition), next);
                if table == Table::AlertChanges {
                    let next = control.committed(&topic, partition).await.expect("the database answers");
                    self.positions.insert(("control", topic.to_string(), partition), next);
                }
            }
        }
    }
}

/// Each table and what it is fed from.
pub(crate) fn tables_and_topics() -> [(Table, Arc<str>); 3] {
    let Topics { events, rejects, alerts, .. } = Topics::new("watchfire");
    [(Table::Events, events), (Table::Rejects, rejects), (Table::AlertChanges, alerts)]
}

/// The offset after the last record of each partition that has any.
pub(crate) fn ends(ended: &Ended, topic: &str) -> BTreeMap<i32, i64> {
    ended.records(topic).iter().map(|record| (record.partition, record.offset + 1)).collect()
}

async fn rows(tables: &Tables, table: Table) -> Counted {
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let provider = tables.provider(table).await.expect("the table can be read");
    session.register_table(table.name(), provider).expect("a free name");
    let columns = match table {
        Table::Events => "event_id",
        Table::Rejects => "reject_id",
        Table::AlertChanges => "alert_id, revision",
    };
    let read = session.sql(&format!("SELECT {columns} FROM {}", table.name())).await.expect("a plan");
    let mut counted = Counted::new();
    for batch in read.collect().await.expect("the files that the table names can be read") {
        names(&batch).into_iter().for_each(|name| *counted.entry(name).or_default() += 1);
    }
    counted
}

/// A row's id, with its revision if it has one.
fn names(rows: &RecordBatch) -> Vec<String> {
    let ids = arrow::compute::cast(rows.column(0), &arrow::datatypes::DataType::Utf8).expect("ids are text");
    let ids = ids.as_string::<i32>();
    let name = |row| match rows.columns().get(1) {
        Some(revisions) => revision(ids.value(row), revisions.as_primitive::<Int32Type>().value(row)),
        None => ids.value(row).to_owned(),
    };
    (0..ids.len()).map(name).collect()
}

/// What an alert's change is called here.
pub(crate) fn revision(alert_id: &str, revision: impl std::fmt::Display) -> String {
    format!("{alert_id} revision {revision}")
}

async fn changes(control: &Control) -> Counted {
    let (mut counted, mut after) = (Counted::new(), 0);
    loop {
        let entries = control.changes_after(&Scope::All, after, ENTRIES).await.expect("the database answers");
        let Some(last) = entries.last() else { return counted };
        after = last.sequence;
        for entry in &entries {
            let name = revision(&entry.change.alert.alert_id, entry.change.revision);
            *counted.entry(name).or_default() += 1;
        }
    }
}

async fn alerts(control: &Control) -> BTreeMap<String, StoredAlert> {
    let (mut all, mut cursor) = (BTreeMap::new(), None);
    loop {
        let request = PageRequest::new(PageRequest::LIMIT_MAX, cursor).expect("it is in range");
        let page = control.alerts(&AlertFilter::new(Scope::All), &request).await;
        let page = page.expect("the database answers");
        all.extend(page.alerts.into_iter().map(|stored| (stored.alert.alert_id.clone(), stored)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return all;
        }
    }
}
