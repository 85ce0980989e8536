//! Compaction: eight small files of a day become one, sorted anew and with Bloom filters.

use std::collections::HashSet;
use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::datafusion::execution::SendableRecordBatchStream;
use deltalake::datafusion::execution::memory_pool::FairSpillPool;
use deltalake::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use deltalake::datafusion::prelude::{SessionConfig, SessionContext, col};
use deltalake::kernel::{Action, Remove, Transaction};
use deltalake::logstore::ObjectStoreRef;
use deltalake::protocol::DeltaOperation;
use event::Positions;
use futures::{StreamExt, TryStreamExt};

use crate::StoreError;
use crate::commit::{Written, discard, put, try_commit};
use crate::conform::conform;
use crate::data_file::Encoder;
use crate::day::Day;
use crate::durable::unique;
use crate::layout::{Age, time_column};
use crate::table::DAY;
use crate::tables::{Opened, READING, State};
use crate::tiers::{Candidate, merges};
use crate::writer::{COMMIT, blocking};

/// Memory for sorting; what is more goes to temporary files.
const SORT_BYTES: usize = 64 * 1024 * 1024;

/// The application id that every merge of a table moves.
const TURN: &str = "watchfire/compaction";

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Small files that were merged.
    pub files_removed: u64,
    /// Files they became.
    pub files_added: u64,
    /// Bytes of the files removed.
    pub bytes_removed: u64,
    /// Bytes of the files added.
    pub bytes_added: u64,
}

/// A file to merge.
struct Small {
    path: String,
    day: String,
    bytes: u64,
    remove: Remove,
}

impl Opened {
    pub(crate) async fn compact(&self) -> Result<Compacted, StoreError> {
        let mut done = Compacted::default();
        // A merge may make the eighth file of the next size.
        loop {
            let delta = {
                let mut state = self.state.lock().await;
                state.refresh(self.table).await?;
                state.delta.clone()
            };
            let groups = self.groups(&delta).await?;
            if groups.is_empty() {
                return Ok(done);
            }
            for files in groups {
                // Somebody else merges this table too, and was quicker.
                let Some(added) = self.merge(&delta, &files).await? else { return Ok(done) };
                done.files_removed += files.len() as u64;
                done.bytes_removed += files.iter().map(|file| file.bytes).sum::<u64>();
                done.files_added += added.len() as u64;
                done.bytes_added += added.iter().map(|file| file.add.size as u64).sum::<u64>();
            }
        }
    }

    /// Which files to merge with which.
    async fn groups(&self, delta: &DeltaTable) -> Result<Vec<Vec<Small>>, StoreError> {
        let files: Vec<Small> = delta
            .get_active_add_actions_by_partitions(&[])
            .map_ok(|file| Small {
                path: file.path().into_owned(),
                day: file.partition_values_map().remove(DAY).flatten().unwrap_or_default(),
                bytes: file.size().unsigned_abs(),
                remove: file.remove_action(false),
            })
            .try_collect()
            .await
            .map_err(|cause| StoreError::from_delta(self.table.name(), "list files", cause))?;
        let candidates =
            files.iter().map(|file| Candidate { day: file.day.clone(), bytes: file.bytes }).collect();
        let mut files: Vec<Option<Small>> = files.into_iter().map(Some).collect();
        let groups = merges(candidates, self.options.file_bytes_target);
        Ok(groups
            .into_iter()
            .map(|group| group.into_iter().filter_map(|i| files[i].take()).collect())
            .collect())
    }

    /// `None` if the files were merged by somebody else meanwhile.
    async fn merge(&self, delta: &DeltaTable, files: &[Small]) -> Result<Option<Vec<Written>>, StoreError> {
        let day = files.first().and_then(|file| Day::from_iso(&file.day)).unwrap_or(Day(0));
        let objects = delta.object_store();
        let mut written = Vec::new();
        let rows = self.sorted(delta, files).await?;
        if let Err(cause) = self.rewrite(rows, day, &objects, &mut written).await {
            discard(&objects, &written).await;
            return Err(cause);
        }
        match self.replace(files, &written).await {
            Ok(true) => Ok(Some(written)),
            Ok(false) => {
                discard(&objects, &written).await;
                Ok(None)
            }
            Err(cause) => {
                // Files that the log may name after all are left for vacuum.
                if self.is_final(&cause) {
                    discard(&objects, &written).await;
                }
                Err(cause)
            }
        }
    }

    /// The rows of some files in the table's order.
    async fn sorted(
        &self,
        delta: &DeltaTable,
        files: &[Small],
    ) -> Result<SendableRecordBatchStream, StoreError> {
        let failed = |cause| StoreError::unavailable("read files to merge", cause);
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(SORT_BYTES)));
        let config = SessionConfig::new().with_target_partitions(1);
        let session = SessionContext::new_with_config_rt(config, runtime.build_arc().map_err(failed)?);
        let paths = files.iter().map(|file| file.path.clone());
        let provider = delta
            .table_provider()
            .with_session(Arc::clone(&READING))
            .with_file_paths(paths)
            .await
            .map_err(failed)?;
        let order = ["tenant", time_column(self.table)].map(|column| col(column).sort(true, true));
        let rows = session.read_table(provider).and_then(|rows| rows.sort(order.to_vec())).map_err(failed)?;
        rows.execute_stream().await.map_err(failed)
    }

    async fn rewrite(
        &self,
        mut rows: SendableRecordBatchStream,
        day: Day,
        objects: &ObjectStoreRef,
        written: &mut Vec<Written>,
    ) -> Result<(), StoreError> {
        let mut open: Option<Encoder> = None;
        while let Some(batch) = rows.next().await {
            let mut batch = batch.map_err(|cause| StoreError::unavailable("read files to merge", cause))?;
            if let Ok(column) = batch.schema().index_of(DAY) {
                batch.remove_column(column);
            }
            let batch = conform(self.table, &self.physical, &batch)?;
            let (table, schema) = (self.table, Arc::clone(&self.physical));
            let encoder = blocking("encode rows", move || {
                let mut encoder = match open {
                    Some(encoder) => encoder,
                    None => Encoder::new(table, Age::Compacted, day, schema)?,
                };
                encoder.write(&batch)?;
                Ok::<_, parquet::errors::ParquetError>(encoder)
            })
            .await?;
            let full = encoder.bytes() as u64 >= self.options.file_bytes_target
                || encoder.rows() >= self.options.file_rows_max.saturating_mul(4);
            open = if full {
                written.push(
                    put(objects, blocking("encode rows", move || encoder.finish()).await?, false).await?,
                );
                None
            } else {
                Some(encoder)
            };
        }
        if let Some(encoder) = open {
            written
                .push(put(objects, blocking("encode rows", move || encoder.finish()).await?, false).await?);
        }
        Ok(())
    }

    /// Commits the new files in place of the old ones; `false` if those are no longer in the table.
    ///
    /// Delta lets two commits remove one file if neither changes data, and the rows would be there
    /// twice. So every merge also moves a transaction of its own, and of two that do not see each
    /// other the protocol lets one through.
    async fn replace(&self, files: &[Small], written: &[Written]) -> Result<bool, StoreError> {
        let mut state = self.state.lock().await;
        state.refresh(self.table).await?;
        if !self.holds(&state, files).await? {
            return Ok(false);
        }
        let version = state.delta.version().unwrap_or_default() as i64;
        let turn = std::iter::once(Action::Txn(Transaction::new(TURN, version)));
        let removes = files.iter().map(|file| Action::Remove(file.remove.clone()));
        let adds = written.iter().map(|file| Action::Add(file.add.clone()));
        let operation =
            DeltaOperation::Optimize { predicate: None, target_size: self.options.file_bytes_target as i64 };
        let id = unique();
        let actions = turn.chain(removes).chain(adds).collect();
        match try_commit(&state, actions, &Positions::default(), &id, operation).await {
            Ok(_) => {
                // It is in the log; that it could not be read again is for the next reader to mend.
                if let Err(cause) = state.refresh(self.table).await {
                    tracing::warn!(table = %self.table, %cause, "could not read the log after a merge");
                }
                Ok(true)
            }
            Err(cause) => {
                // The answer may be lost while the commit is not.
                if state.refresh(self.table).await?.contains(&id) {
                    return Ok(true);
                }
                if !self.holds(&state, files).await? {
                    return Ok(false);
                }
                Err(StoreError::from_delta(self.table.name(), COMMIT, cause))
            }
        }
    }

    /// Whether all of these files are in the table still.
    async fn holds(&self, state: &State, files: &[Small]) -> Result<bool, StoreError> {
        let active: HashSet<String> = state
            .delta
            .get_active_add_actions_by_partitions(&[])
            .map_ok(|file| file.path().into_owned())
            .try_collect()
            .await
            .map_err(|cause| StoreError::from_delta(self.table.name(), "list files", cause))?;
        Ok(files.iter().all(|file| active.contains(&file.path)))
    }
}
