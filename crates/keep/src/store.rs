//! STORE: events, rejects and alert changes in; table rows and offsets in one commit out.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::store::{StoreError, Table, Tables};
use arrow::record_batch::RecordBatch;
use event::{AlertChange, EventBatch, Positions, RejectBatch, ipc};
use pipeline::metrics::{OutputLabel, TableLabel};
use pipeline::{
    Metrics, Polled, Reader, RecordView, Sink, SinkError, SourceError, Stage, StageError, StartAt,
    TopicPartition,
};
use stages::Topics;
use stages::unreadable::Unreadable;
use tokio::runtime::Handle;
use tracing::{info, warn};

/// Where the tables say a partition is to be read from.
pub fn start_at(topics: Topics, tables: Tables, runtime: Handle) -> StartAt {
    StartAt::Owner(Arc::new(move |partition: &TopicPartition, _: Option<i64>| {
        let table = table_of(&topics, &partition.topic)
            .ok_or_else(|| format!("no table reads {}", partition.topic))?;
        runtime
            .block_on(tables.committed(table, &partition.topic, partition.partition))
            .map_err(|error| format!("ask the {} table for its offset: {error}", table.name()))
    }))
}

fn table_of(topics: &Topics, topic: &str) -> Option<Table> {
    let tables = [
        (&topics.events, Table::Events),
        (&topics.rejects, Table::Rejects),
        (&topics.alerts, Table::AlertChanges),
    ];
    tables.into_iter().find(|(name, _)| ***name == *topic).map(|(_, table)| table)
}

/// What one commit of one table brings.
#[derive(Default)]
pub struct Append {
    batches: Vec<RecordBatch>,
    positions: Positions,
}

/// STORE. What it makes of a batch is for [`TableSink`].
pub struct StoreStage {
    topics: Topics,
    appends: BTreeMap<Table, Append>,
    changes: Vec<AlertChange>,
    unreadable: Unreadable,
}

impl StoreStage {
    /// Reads those of these topics that have a table.
    pub fn new(topics: Topics, metrics: Metrics) -> Self {
        let read = [&topics.events, &topics.rejects, &topics.alerts];
        let unreadable = Unreadable::new("store", &read, metrics);
        Self { topics, appends: BTreeMap::new(), changes: Vec::new(), unreadable }
    }
}

impl Reader for StoreStage {
    fn assigned(&mut self, _: &[TopicPartition]) -> Result<(), SourceError> {
        Ok(())
    }

    fn revoked(&mut self, _: &[TopicPartition]) {}

    fn record(&mut self, record: RecordView<'_>) {
        let Some(table) = table_of(&self.topics, record.topic) else { return };
        let append = self.appends.entry(table).or_default();
        append.positions.read(record.topic, record.partition, record.offset);
        let rows = match table {
            Table::Events => batch(record.payload, EventBatch::from_arrow).map(EventBatch::into_arrow),
            Table::Rejects => batch(record.payload, RejectBatch::from_arrow).map(RejectBatch::into_arrow),
            Table::AlertChanges => {
                match serde_json::from_slice(record.payload) {
                    Ok(change) => self.changes.push(change),
                    Err(why) => self.unreadable.note(&record, &why),
                }
                return;
            }
        };
        match rows {
            Ok(rows) => append.batches.push(rows),
            Err(why) => self.unreadable.note(&record, &why),
        }
    }
}

fn batch<B>(
    bytes: &[u8],
    check: impl Fn(RecordBatch) -> Result<B, event::WrongColumns>,
) -> Result<B, ipc::DecodeError> {
    Ok(check(ipc::decode(bytes)?)?)
}

impl Stage for StoreStage {
    type Output = BTreeMap<Table, Append>;

    fn finish(&mut self, _: &Polled) -> Result<BTreeMap<Table, Append>, StageError> {
        self.unreadable.check()?;
        let changes = std::mem::take(&mut self.changes);
        if let (Some(append), false) = (self.appends.get_mut(&Table::AlertChanges), changes.is_empty()) {
            append.batches.push(::store::alert_changes_batch(&changes));
        }
        Ok(std::mem::take(&mut self.appends))
    }

    fn delivered(&mut self, _: &Positions) -> Result<(), StageError> {
        Ok(())
    }
}

/// Commits to the tables, one after the other and always in the same order. Its calls block; they
/// are for stage threads, not for async code.
pub struct TableSink {
    /// The tables.
    pub tables: Tables,
    /// Where their answers are waited for.
    pub runtime: Handle,
    /// Where commits and rows are counted.
    pub metrics: Metrics,
}

impl Sink<BTreeMap<Table, Append>> for TableSink {
    fn deliver(&mut self, appends: BTreeMap<Table, Append>, _: &Positions) -> Result<bool, SinkError> {
        let any = !appends.is_empty();
        for (table, append) in appends {
            let appended =
                self.runtime.block_on(self.tables.append(table, append.batches, &append.positions));
            match appended {
                Ok(appended) => {
                    let label = TableLabel { table: table.name().to_owned() };
                    self.metrics.store_commits.get_or_create(&label).inc();
                    self.metrics.store_bytes.get_or_create(&label).inc_by(appended.bytes);
                    let label = OutputLabel { stage: "store".into(), output: table.name().to_owned() };
                    self.metrics.rows_out.get_or_create(&label).inc_by(appended.rows as u64);
                }
                // An earlier attempt got through although we never heard so.
                Err(error @ StoreError::AlreadyStored { .. }) => {
                    info!(table = table.name(), %error, "carrying on")
                }
                Err(error) => return Err(named(table, &error)),
            }
        }
        Ok(any)
    }
}

fn named(table: Table, error: &StoreError) -> SinkError {
    let text = format!("append to {}: {}", table.name(), crate::chain(error));
    match error {
        StoreError::Unusable { .. } => SinkError::Misconfigured(text),
        _ => {
            warn!(table = table.name(), why = text, "append failed");
            SinkError::Interrupted(text)
        }
    }
}
