//! Where a stage that keeps state begins: at the newest snapshot that stands before what it has committed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use detect::Rules;
use pipeline::{SnapshotError, SnapshotStore, StartAt, TopicPartition};
use tracing::warn;

use crate::judge::Judge;

/// Where each partition's state begins: found while Kafka assigns it, taken by the stage right after.
pub struct Starts<J>(Arc<Mutex<HashMap<i32, Start<J>>>>);

pub(crate) struct Start<J> {
    pub(crate) judge: J,
    /// The next offset to read, as of the state.
    pub(crate) next: i64,
    pub(crate) committed: i64,
}

impl<J> Default for Starts<J> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<J> Clone for Starts<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Judge> Starts<J> {
    /// Looks for the newest snapshot at or before the committed offset; its offset is where to read from.
    pub fn start_at(&self, snapshots: SnapshotStore, rules: impl Into<Rules>) -> StartAt {
        let (starts, rules) = (self.clone(), rules.into());
        StartAt::Owner(Arc::new(move |partition: &TopicPartition, committed: Option<i64>| {
            let committed = committed.unwrap_or(0);
            let (judge, offset) = newest_state(&snapshots, &rules, partition.partition, committed)
                .map_err(|error| format!("load snapshot: {error}"))?;
            let start = Start { judge, next: offset.unwrap_or(0), committed };
            starts.lock().insert(partition.partition, start);
            Ok(offset)
        }))
    }

    pub(crate) fn take(&self, partition: i32) -> Option<Start<J>> {
        self.lock().remove(&partition)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Start<J>>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// The newest state at or before an offset, and the offset it stands for. A snapshot that this
/// version cannot read is passed over: state is then rebuilt from as much as the topic holds.
pub(crate) fn newest_state<J: Judge>(
    snapshots: &SnapshotStore,
    rules: &Rules,
    partition: i32,
    mut offset_max: i64,
) -> Result<(J, Option<i64>), SnapshotError> {
    let mut judge = J::new(rules);
    while let Some(snapshot) = snapshots.newest(J::NAME, partition, offset_max)? {
        match judge.restore(&snapshot.state) {
            Ok(()) => return Ok((judge, Some(snapshot.offset))),
            Err(why) => {
                let offset = snapshot.offset;
                warn!(stage = J::NAME, partition, offset, %why, "snapshot is passed over; what only it remembers has to be learnt anew");
            }
        }
        offset_max = snapshot.offset - 1;
    }
    Ok((judge, None))
}
