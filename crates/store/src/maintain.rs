//! Keeps the log short: a checkpoint every so many commits, then old log entries go.

use deltalake::protocol::checkpoints;

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
}
