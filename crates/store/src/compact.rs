//! Compaction: a day's many small files become a few large ones.

use std::num::NonZeroU64;

use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::optimize::OptimizeType;

use crate::StoreError;
use crate::layout::{Age, writer_properties};
use crate::tables::Opened;

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

impl Opened {
    pub(crate) async fn compact(&self) -> Result<Compacted, StoreError> {
        let delta = {
            let mut state = self.state.lock().await;
            state.refresh(self.table).await?;
            state.delta.clone()
        };
        let mut optimize = delta
            .optimize()
            .with_type(OptimizeType::Compact)
            .with_max_concurrent_tasks(1)
            .with_writer_properties(writer_properties(self.table, Age::Compacted))
            .with_commit_properties(
                CommitProperties::default().with_create_checkpoint(false).with_cleanup_expired_logs(Some(false)),
            );
        if let Some(target) = NonZeroU64::new(self.options.file_bytes_target) {
            optimize = optimize.with_target_size(target);
        }
        let (_, metrics) =
            optimize.await.map_err(|cause| StoreError::from_delta(self.table.name(), "compact", cause))?;
        self.state.lock().await.refresh(self.table).await?;
        Ok(Compacted {
            files_removed: metrics.num_files_removed,
            files_added: metrics.num_files_added,
            bytes_removed: metrics.files_removed.total_size as u64,
            bytes_added: metrics.files_added.total_size as u64,
        })
    }
}
