//! Puts files where they will be part of a table, and makes them part of it.

use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, Transaction};
use deltalake::logstore::ObjectStoreRef;
use deltalake::protocol::DeltaOperation;
use deltalake::table::state::DeltaTableState;
use event::Positions;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use crate::StoreError;
use crate::data_file::DataFile;
use crate::durable::unique;
use crate::follow::APPEND_ID;
use crate::ledger::Ledger;
use crate::tables::State;

/// A data file that is put but not yet committed.
pub(crate) struct Written {
    pub(crate) add: Add,
    pub(crate) rows: usize,
}

/// Puts a file under a name of its own. `data_change` says whether its rows are new to the table.
pub(crate) async fn put(
    objects: &ObjectStoreRef,
    file: DataFile,
    data_change: bool,
) -> Result<Written, StoreError> {
    let path = file.path(&unique());
    let written = Written { add: file.add(path.clone(), data_change), rows: file.rows };
    objects
        .put(&Path::from(path), file.bytes.into())
        .await
        .map_err(|cause| StoreError::unavailable("write data file", cause))?;
    Ok(written)
}

/// Removes files that will never be part of the table. What stays behind costs space only.
pub(crate) async fn discard(objects: &ObjectStoreRef, written: &[Written]) {
    for file in written {
        if let Err(cause) = objects.delete(&Path::from(file.add.path.as_str())).await {
            tracing::warn!(%cause, "could not remove a data file that is not needed");
        }
    }
}

/// One attempt at a commit from the state's snapshot. Commits of others since are checked by the
/// Delta protocol: two that name one position, or remove one file, do not both get through.
pub(crate) async fn try_commit(
    state: &State,
    actions: Vec<Action>,
    positions: &Positions,
    id: &str,
    operation: DeltaOperation,
) -> Result<(u64, DeltaTableState), DeltaTableError> {
    let transactions = positions
        .iter()
        .map(|(topic, partition, next)| {
            Transaction::new(Ledger::app_id(&(Arc::clone(topic), partition)), next)
        })
        .collect();
    let blind = matches!(operation, DeltaOperation::Write { .. });
    let properties = CommitProperties::default()
        .with_metadata([(APPEND_ID.to_owned(), json!(id)), ("isBlindAppend".to_owned(), json!(blind))])
        .with_application_transactions(transactions)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false));
    let snapshot = state.delta.snapshot()?;
    let finalized = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(snapshot), state.delta.log_store(), operation)
        .await?;
    Ok((finalized.version(), finalized.snapshot()))
}
