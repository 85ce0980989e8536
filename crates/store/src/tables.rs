//! The handle to all tables: what stages, queries and the binary hold.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use deltalake::DeltaTable;
use deltalake::datafusion::catalog::TableProvider;
use deltalake::datafusion::execution::SessionState;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext};
use event::Positions;
use object_store::ObjectStore;
use tokio::sync::Mutex;
use url::Url;

use crate::ledger::Ledger;
use crate::open::Root;
use crate::{Compacted, StoreError, Table, open};

/// How tables are read: text as plain text, which every client of Arrow knows, and filters on
/// columns before the others are decoded.
pub(crate) static READING: LazyLock<Arc<SessionState>> = LazyLock::new(|| {
    let mut config = SessionConfig::new();
    config.options_mut().execution.parquet.schema_force_view_types = false;
    config.options_mut().execution.parquet.pushdown_filters = true;
    Arc::new(SessionContext::new_with_config(config).state())
});

/// What can be chosen about the tables.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// A checkpoint of the Delta log is written every so many commits, so that opening stays quick.
    pub checkpoint_every: u64,
    /// Rows in one data file at most; what encoding holds in memory grows with it.
    pub file_rows_max: usize,
    /// Files smaller than this are merged by compaction, to about this size. A merge holds one
    /// such file in memory.
    pub file_bytes_target: u64,
    /// Options of the storage backend, e.g. `aws_region`; none for local folders.
    pub storage: HashMap<String, String>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            checkpoint_every: 100,
            file_rows_max: 500_000,
            file_bytes_target: 64 * 1024 * 1024,
            storage: HashMap::new(),
        }
    }
}

/// What an append did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows written.
    pub rows: usize,
    /// Data files written: one per day and [`StoreOptions::file_rows_max`] rows.
    pub files: usize,
    /// The table's version since.
    pub version: u64,
    /// Bytes of those files.
    pub bytes: u64,
}

/// The tables, opened. Clones are cheap and share everything, so that one process writes each
/// partition through one set of books.
#[derive(Clone)]
pub struct Tables {
    opened: Arc<[Opened; 3]>,
}

/// One opened table.
pub(crate) struct Opened {
    pub(crate) table: Table,
    pub(crate) physical: SchemaRef,
    pub(crate) options: StoreOptions,
    pub(crate) local: bool,
    pub(crate) state: Mutex<State>,
}

/// What is known of a table's log.
pub(crate) struct State {
    pub(crate) delta: DeltaTable,
    pub(crate) ledger: Ledger,
    pub(crate) listed: Instant,
}

impl Tables {
    /// Opens the tables under `root`, e.g. `file:///var/lib/watchfire/tables`. Those that are missing
    /// are created, columns that are missing are added.
    pub async fn open(root: &Url, options: StoreOptions) -> Result<Tables, StoreError> {
        Self::open_at(&Root { url: root, objects: None }, options).await
    }

    /// The same on an object store of the caller's, in which `root` names a folder, e.g.
    /// `memory:///tables`. A put of a name that must be new has to fail if the name is taken.
    pub async fn open_on(
        objects: Arc<dyn ObjectStore>,
        root: &Url,
        options: StoreOptions,
    ) -> Result<Tables, StoreError> {
        Self::open_at(&Root { url: root, objects: Some(objects) }, options).await
    }

    async fn open_at(root: &Root<'_>, options: StoreOptions) -> Result<Tables, StoreError> {
        let [events, alert_changes, rejects] = Table::ALL;
        let opened = [
            Opened::open(events, root, &options).await?,
            Opened::open(alert_changes, root, &options).await?,
            Opened::open(rejects, root, &options).await?,
        ];
        Ok(Self { opened: Arc::new(opened) })
    }

    /// The next offset to read of a partition, according to the table; `None` if nothing of it is
    /// stored. A reader starts, and after [`StoreError::Overtaken`] restarts, from here.
    pub async fn committed(
        &self,
        table: Table,
        topic: &str,
        partition: i32,
    ) -> Result<Option<i64>, StoreError> {
        self.get(table).committed(topic, partition).await
    }

    /// Writes rows and the positions up to which they were read, in one commit: both are durable
    /// when this returns, or neither is. Without rows the positions alone are committed; without
    /// positions the rows alone are, and nothing guards against writing them twice.
    pub async fn append(
        &self,
        table: Table,
        batches: Vec<RecordBatch>,
        positions: &Positions,
    ) -> Result<Appended, StoreError> {
        self.get(table).append(batches, positions).await
    }

    /// Merges a table's small files, day by day. Rows and positions stay what they are.
    pub async fn compact(&self, table: Table) -> Result<Compacted, StoreError> {
        self.get(table).compact().await
    }

    /// Removes files that no snapshot of the last day needs: those that were merged, and those of
    /// writes that were killed. Returns how many.
    pub async fn vacuum(&self, table: Table) -> Result<usize, StoreError> {
        self.get(table).vacuum().await
    }

    /// The table as of now, for SQL. It does not change while it is held.
    pub async fn provider(&self, table: Table) -> Result<Arc<dyn TableProvider>, StoreError> {
        self.get(table).provider().await
    }

    fn get(&self, table: Table) -> &Opened {
        &self.opened[table as usize]
    }
}

impl Opened {
    async fn open(table: Table, root: &Root<'_>, options: &StoreOptions) -> Result<Self, StoreError> {
        let delta = open::open(table, root, options).await?;
        let physical = open::physical_schema(table, &delta)?;
        let state = State { delta, ledger: Ledger::default(), listed: Instant::now() };
        let (options, local) = (options.clone(), root.is_local());
        Ok(Self { table, physical, options, local, state: Mutex::new(state) })
    }

    async fn committed(&self, topic: &str, partition: i32) -> Result<Option<i64>, StoreError> {
        let place = (Arc::from(topic), partition);
        let mut state = self.state.lock().await;
        state.refresh(self.table).await?;
        state.learn(self.table, &place).await?;
        Ok(state.ledger.tell(&place))
    }

    async fn provider(&self) -> Result<Arc<dyn TableProvider>, StoreError> {
        let delta = {
            let mut state = self.state.lock().await;
            state.refresh(self.table).await?;
            state.delta.clone()
        };
        delta
            .table_provider()
            .with_session(Arc::clone(&READING))
            .await
            .map_err(|cause| StoreError::unavailable("prepare table for reading", cause))
    }
}
