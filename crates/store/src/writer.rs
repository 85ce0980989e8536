//! Appends: rows become files, then one commit makes them and their positions part of the table.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::logstore::ObjectStoreRef;
use deltalake::protocol::{DeltaOperation, SaveMode};
use event::Positions;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use crate::conform::conform;
use crate::data_file::encode;
use crate::durable::unique;
use crate::follow::APPEND_ID;
use crate::layout::Age;
use crate::ledger::{Expected, Ledger};
use crate::order::by_day;
use crate::table::DAY;
use crate::tables::{Appended, Opened, State};
use crate::StoreError;

impl Opened {
    pub(crate) async fn append(
        &self,
        batches: Vec<RecordBatch>,
        positions: &Positions,
    ) -> Result<Appended, StoreError> {
        let batches = batches
            .iter()
            .filter(|batch| batch.num_rows() > 0)
            .map(|batch| conform(self.table, &self.physical, batch))
            .collect::<Result<Vec<_>, _>>()?;
        let (expected, objects) = {
            let mut state = self.state.lock().await;
            state.refresh(self.table).await?;
            for (topic, partition, _) in positions.iter() {
                state.learn(self.table, &(Arc::clone(topic), partition)).await?;
            }
            let expected = state.ledger.expect(positions);
            state.ledger.check(positions, &expected)?;
            (expected, state.delta.object_store())
        };
        if batches.is_empty() && positions.is_empty() {
            return Ok(Appended { version: self.version().await, ..Appended::default() });
        }

        let mut written = Vec::new();
        let outcome = match self.write_files(batches, &objects, &mut written).await {
            Ok(()) => self.commit(&written, positions, &expected).await,
            Err(cause) => Err(cause),
        };
        match outcome {
            Ok(version) => {
                self.maintain(version).await;
                let bytes = written.iter().map(|file| file.add.size as u64).sum();
                let rows = written.iter().map(|file| file.rows).sum();
                Ok(Appended { rows, files: written.len(), version, bytes })
            }
            // Whether a commit got through may be unknown; then its files must stay.
            Err(refused @ (StoreError::AlreadyStored { .. } | StoreError::Overtaken { .. })) => {
                discard(&objects, &written).await;
                Err(refused)
            }
            Err(cause) => Err(cause),
        }
    }

    async fn version(&self) -> u64 {
        self.state.lock().await.delta.version().unwrap_or_default()
    }

    /// Encodes and puts one file after the other, so that one is in memory at a time.
    async fn write_files(
        &self,
        batches: Vec<RecordBatch>,
        objects: &ObjectStoreRef,
        written: &mut Vec<Written>,
    ) -> Result<(), StoreError> {
        let table = self.table;
        let batches: Arc<[RecordBatch]> = batches.into();
        let days = {
            let batches = Arc::clone(&batches);
            blocking("sort rows", move || Ok::<_, std::convert::Infallible>(by_day(table, &batches))).await?
        };
        for (day, rows) in days {
            let rows = Arc::new(rows);
            for from in (0..rows.len()).step_by(self.options.file_rows_max.max(1)) {
                let to = rows.len().min(from + self.options.file_rows_max.max(1));
                let (batches, rows) = (Arc::clone(&batches), Arc::clone(&rows));
                let mut file = blocking("encode rows", move || {
                    encode(table, Age::Fresh, day, &batches, &rows[from..to])
                })
                .await?;
                let path = file.path(&unique());
                let add = file.add(path.clone(), true);
                objects
                    .put(&Path::from(path), std::mem::take(&mut file.bytes).into())
                    .await
                    .map_err(|cause| StoreError::unavailable("write data file", cause))?;
                written.push(Written { add, rows: file.rows });
            }
        }
        Ok(())
    }

    /// Commits files and positions, if the positions are still where they were.
    async fn commit(
        &self,
        written: &[Written],
        positions: &Positions,
        expected: &Expected,
    ) -> Result<u64, StoreError> {
        let mut state = self.state.lock().await;
        state.ledger.check(positions, expected)?;
        let append = unique();
        let adds = written.iter().map(|file| Action::Add(file.add.clone())).collect();
        let before = state.delta.version().unwrap_or_default();
        match try_commit(&state, adds, positions, &append).await {
            Ok((version, snapshot)) => {
                state.delta.state = Some(snapshot);
                if version != before + 1 {
                    state.ledger.forget_log();
                }
                state.ledger.stored(positions);
                Ok(version)
            }
            Err(cause) => {
                // The answer may be lost while the commit is not, or somebody was quicker.
                if state.refresh(self.table).await?.contains(&append) {
                    state.ledger.stored(positions);
                    return Ok(state.delta.version().unwrap_or_default());
                }
                state.ledger.check(positions, expected)?;
                Err(StoreError::from_delta(self.table.name(), "commit", cause))
            }
        }
    }
}

/// A data file that is put but not yet committed.
struct Written {
    add: Add,
    rows: usize,
}

async fn try_commit(
    state: &State,
    adds: Vec<Action>,
    positions: &Positions,
    append: &str,
) -> Result<(u64, deltalake::table::state::DeltaTableState), deltalake::DeltaTableError> {
    let transactions = positions
        .iter()
        .map(|(topic, partition, next)| Transaction::new(Ledger::app_id(&(Arc::clone(topic), partition)), next))
        .collect();
    let properties = CommitProperties::default()
        .with_metadata([(APPEND_ID.to_owned(), json!(append)), ("isBlindAppend".to_owned(), json!(true))])
        .with_application_transactions(transactions)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false));
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: Some(vec![DAY.to_owned()]),
        predicate: None,
    };
    let snapshot = state.delta.snapshot()?;
    let finalized = CommitBuilder::from(properties)
        .with_actions(adds)
        .build(Some(snapshot), state.delta.log_store(), operation)
        .await?;
    Ok((finalized.version(), finalized.snapshot()))
}

/// Removes files that will never be part of the table. What stays behind costs space only.
async fn discard(objects: &ObjectStoreRef, written: &[Written]) {
    for file in written {
        if let Err(cause) = objects.delete(&Path::from(file.add.path.as_str())).await {
            tracing::warn!(%cause, "could not remove a file of a refused append");
        }
    }
}

/// Runs work that keeps a core busy where it does not hold up anybody's I/O.
pub(crate) async fn blocking<T, E>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, StoreError>
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(cause)) => Err(StoreError::unavailable(action, cause)),
        Err(panicked) => Err(StoreError::unavailable(action, panicked)),
    }
}
