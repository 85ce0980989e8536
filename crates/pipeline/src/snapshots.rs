//! Snapshots of a stage's state: where a restart begins reading.
//!
//! One object per snapshot, named by the offset it stands for, written whole or not at all, with a
//! SHA-256 in front. The newest one that is whole counts; a torn one is passed over and said.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tracing::warn;

/// State as it was when everything before `offset` had been read.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The next offset to read.
    pub offset: i64,
    /// The state, in its owner's own format.
    pub state: Vec<u8>,
}

/// Snapshots could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SnapshotError(#[from] object_store::Error);

/// Where snapshots live. Its calls block; they are for stage threads, not for async code.
#[derive(Clone)]
pub struct SnapshotStore {
    objects: Arc<dyn ObjectStore>,
    runtime: Handle,
    kept: usize,
}

const HASH_BYTES: usize = 32;

impl SnapshotStore {
    /// Snapshots in `objects`, the newest `kept` of each partition.
    pub fn new(objects: Arc<dyn ObjectStore>, runtime: Handle, kept: usize) -> Self {
        Self { objects, runtime, kept: kept.max(1) }
    }

    /// Writes a snapshot and expires old ones, if it can. Those that stand further on go too: offsets only
    /// grow, so they are of a log that is no more (its topic was made anew).
    pub fn save(&self, owner: &str, partition: i32, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        let mut bytes = Vec::with_capacity(HASH_BYTES + snapshot.state.len());
        bytes.extend_from_slice(&Sha256::digest(&snapshot.state));
        bytes.extend_from_slice(&snapshot.state);
        let path = folder(owner, partition).join(format!("{:020}.snapshot", snapshot.offset));
        self.runtime.block_on(async {
            self.objects.put(&path, PutPayload::from(bytes)).await?;
            if let Err(why) = self.expire(owner, partition, snapshot.offset).await {
                warn!(%why, "old snapshots cannot be removed; they take up room");
            }
            Ok(())
        })
    }

    async fn expire(&self, owner: &str, partition: i32, newest: i64) -> Result<(), object_store::Error> {
        let (mut foreign, mut ours) = (Vec::new(), Vec::new());
        for (path, offset) in self.list(owner, partition).await? {
            if offset > newest { foreign.push(path) } else { ours.push(path) }
        }
        // One that cannot be removed does not keep the others.
        let mut removed = Ok(());
        for old in foreign.into_iter().chain(ours.into_iter().skip(self.kept)) {
            removed = self.objects.delete(&old).await.and(removed);
        }
        removed
    }

    /// The newest snapshot that is whole and stands at or before `offset_max`.
    pub fn newest(
        &self,
        owner: &str,
        partition: i32,
        offset_max: i64,
    ) -> Result<Option<Snapshot>, SnapshotError> {
        self.runtime.block_on(async {
            for (path, offset) in self.list(owner, partition).await? {
                if offset > offset_max {
                    continue;
                }
                let bytes = self.objects.get(&path).await?.bytes().await?;
                match bytes.split_at_checked(HASH_BYTES) {
                    Some((hash, state)) if Sha256::digest(state)[..] == *hash => {
                        return Ok(Some(Snapshot { offset, state: state.to_vec() }));
                    }
                    _ => warn!(%path, "snapshot is torn; an older one is taken"),
                }
            }
            Ok(None)
        })
    }

    /// Newest first.
    async fn list(&self, owner: &str, partition: i32) -> Result<Vec<(Path, i64)>, object_store::Error> {
        let listed: Vec<_> = self.objects.list(Some(&folder(owner, partition))).try_collect().await?;
        let mut found: Vec<(Path, i64)> = listed
            .into_iter()
            .filter_map(|object| {
                let offset = object.location.filename()?.strip_suffix(".snapshot")?.parse().ok()?;
                Some((object.location, offset))
            })
            .collect();
        found.sort_by_key(|(_, offset)| std::cmp::Reverse(*offset));
        Ok(found)
    }
}

fn folder(owner: &str, partition: i32) -> Path {
    Path::from_iter([owner, &partition.to_string()])
}

#[cfg(test)]
mod tests;
