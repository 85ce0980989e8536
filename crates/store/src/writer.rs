//! Appends: rows become files, then one commit makes them and their positions part of the table.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use deltalake::kernel::Action;
use deltalake::logstore::ObjectStoreRef;
use deltalake::protocol::{DeltaOperation, SaveMode};
use event::Positions;

use crate::StoreError;
use crate::commit::{Written, discard, put, try_commit};
use crate::conform::conform;
use crate::data_file::encode;
use crate::durable::unique;
use crate::layout::Age;
use crate::ledger::Expected;
use crate::order::by_day;
use crate::table::DAY;
use crate::tables::{Appended, Opened};

/// What a commit that failed is called in its error.
pub(crate) const COMMIT: &str = "commit";

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
        if let Err(cause) = self.write_files(batches, &objects, &mut written).await {
            // A full disk must not get fuller with every attempt.
            discard(&objects, &written).await;
            return Err(cause);
        }
        match self.commit(&written, positions, &expected).await {
            Ok(version) => {
                self.maintain(version).await;
                let bytes = written.iter().map(|file| file.add.size as u64).sum();
                let rows = written.iter().map(|file| file.rows).sum();
                Ok(Appended { rows, files: written.len(), version, bytes })
            }
            Err(cause) => {
                if self.is_final(&cause) {
                    discard(&objects, &written).await;
                }
                Err(cause)
            }
        }
    }

    /// Whether a commit that failed cannot become part of the log any more. A local folder's cannot:
    /// the log was read again since. A request to a remote store may still be on its way.
    pub(crate) fn is_final(&self, cause: &StoreError) -> bool {
        let refused = matches!(cause, StoreError::AlreadyStored { .. } | StoreError::Overtaken { .. });
        refused || (self.local && matches!(cause, StoreError::Unavailable { action: COMMIT, .. }))
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
                let file = blocking("encode rows", move || {
                    encode(table, Age::Fresh, day, &batches, &rows[from..to])
                })
                .await?;
                written.push(put(objects, file, true).await?);
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
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![DAY.to_owned()]),
            predicate: None,
        };
        match try_commit(&state, adds, positions, &append, operation).await {
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
                Err(StoreError::from_delta(self.table.name(), COMMIT, cause))
            }
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
