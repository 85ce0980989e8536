//! STORE over tables in memory, and the upkeep of those tables beside it.

use std::sync::Arc;

use keep::store::{StoreStage, TableSink, start_at};
use simulate::{Attempt, Process, Role, metrics};
use store::{StoreError, StoreOptions, Table, Tables};
use tokio::runtime::Handle;
use url::Url;

use crate::objects::{Disk, TableObjects};

/// Often, so that tables are opened from checkpoints too.
const CHECKPOINT_EVERY: u64 = 6;
/// Few records at a time, so that there are many commits.
const RECORDS_MAX: i64 = 3;
/// Upkeep looks at a table in one of so many of its steps.
const COMPACTS_IN: u64 = 60;

/// Opens the tables as one process does, through what it sees of the disk.
fn open(disk: &Arc<Disk>, process: &Process, runtime: &Handle) -> Result<Tables, String> {
    let objects = Arc::new(TableObjects::new(disk, process));
    let options = StoreOptions { checkpoint_every: CHECKPOINT_EVERY, ..StoreOptions::default() };
    match runtime.block_on(Tables::open_on(objects, &root(), options)) {
        Ok(tables) => Ok(tables),
        // Nothing that happens here may take an operator to mend.
        Err(error @ StoreError::Unusable { .. }) => panic!("{error}"),
        Err(error) => Err(error.to_string()),
    }
}

/// Where the tables are.
pub(crate) fn root() -> Url {
    Url::parse("memory:///tables").expect("it is a URL")
}

/// STORE.
pub(crate) struct Store {
    disk: Arc<Disk>,
    runtime: Handle,
}

impl Store {
    pub(crate) fn new(disk: &Arc<Disk>, runtime: &Handle) -> Self {
        Self { disk: Arc::clone(disk), runtime: runtime.clone() }
    }
}

impl Role for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    fn reads(&self) -> fn(&str) -> bool {
        |topic| [".events", ".rejects", ".alerts"].iter().any(|ours| topic.ends_with(ours))
    }

    fn open<'a>(&'a self, process: &'a Process) -> Result<Attempt<'a>, String> {
        let tables = open(&self.disk, process, &self.runtime)?;
        Ok(Box::new(move || {
            let (topics, runtime) = (process.topics(), &self.runtime);
            let start_at = start_at(topics.clone(), tables.clone(), runtime.clone());
            let source = process.source(self, start_at, RECORDS_MAX);
            let stage = StoreStage::new(topics.clone(), metrics());
            let sink = TableSink { tables: tables.clone(), runtime: runtime.clone(), metrics: metrics() };
            process.run(source, stage, sink)
        }))
    }
}

/// Merges small files while others append.
pub(crate) struct Upkeep {
    disk: Arc<Disk>,
    runtime: Handle,
}

impl Upkeep {
    pub(crate) fn new(disk: &Arc<Disk>, runtime: &Handle) -> Self {
        Self { disk: Arc::clone(disk), runtime: runtime.clone() }
    }
}

impl Role for Upkeep {
    fn name(&self) -> &'static str {
        "upkeep"
    }

    fn reads(&self) -> fn(&str) -> bool {
        |_| false
    }

    fn open<'a>(&'a self, process: &'a Process) -> Result<Attempt<'a>, String> {
        let tables = open(&self.disk, process, &self.runtime)?;
        Ok(Box::new(move || {
            while !process.shutdown().is_requested() {
                process.step();
                if process.draw(COMPACTS_IN) > 0 {
                    continue;
                }
                let table = Table::ALL[process.draw(Table::ALL.len() as u64) as usize];
                let compacted = self.runtime.block_on(tables.compact(table));
                process.tell(|| format!("compacts {table}: {compacted:?}"));
            }
            Ok(())
        }))
    }
}
