//! Keeps the log short and the folder clean: checkpoints, then old log entries and files go.

use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::checkpoints;

use crate::StoreError;
use crate::tables::Opened;

impl Opened {
    /// Does what is due after a commit. It only saves time later, so a failure is noted and the
    /// next occasion tries again.
    pub(crate) async fn maintain(&self, version: u64) {
        if !(version + 1).is_multiple_of(self.options.checkpoint_every.max(1)) {
            return;
        }
        let delta = self.state.lock().await.delta.clone();
        let done = match checkpoints::create_checkpoint(&delta, None).await {
            Ok(()) => checkpoints::cleanup_metadata(&delta, None).await,
            Err(cause) => Err(cause),
        };
        match done {
            Ok(removed) => tracing::debug!(table = %self.table, version, removed, "checkpoint written"),
            Err(cause) => tracing::warn!(table = %self.table, version, %cause, "checkpoint failed"),
        }
    }

    pub(crate) async fn vacuum(&self) -> Result<usize, StoreError> {
        let delta = {
            let mut state = self.state.lock().await;
            state.refresh(self.table).await?;
            state.delta.clone()
        };
        let properties =
            CommitProperties::default().with_create_checkpoint(false).with_cleanup_expired_logs(Some(false));
        let (_, removed) = delta
            .vacuum()
            .with_mode(VacuumMode::Full)
            .with_commit_properties(properties)
            .await
            .map_err(|cause| StoreError::from_delta(self.table.name(), "vacuum", cause))?;
        Ok(removed.files_deleted.len())
    }
}
