//! Follows a table's log: what other writers have committed since we last looked.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use deltalake::kernel::Action;
use deltalake::logstore::get_actions;

use crate::ledger::{Ledger, Place};
use crate::tables::State;
use crate::{StoreError, Table};

/// The key under which an append notes its own id in the log, to recognise itself by.
pub(crate) const APPEND_ID: &str = "watchfireAppend";

/// How often the log is listed even though the next commit is not there: its writer may have been
/// gone for so long that the next commit was cleaned up.
const LIST_EVERY: Duration = Duration::from_secs(60);

impl State {
    /// Reads what is new in the log: one request if nothing is. Returns the appends it has seen.
    pub(crate) async fn refresh(&mut self, table: Table) -> Result<HashSet<String>, StoreError> {
        let failed = |cause| StoreError::from_delta(table.name(), "read log", cause);
        let log = self.delta.log_store();
        let before = self.delta.version().unwrap_or_default();
        let mut newest = before;
        let mut appends = HashSet::new();
        while let Some(commit) = log.read_commit_entry(newest + 1).await.map_err(failed)? {
            newest += 1;
            for action in get_actions(newest, &commit).map_err(failed)? {
                match action {
                    Action::Txn(txn) => {
                        if let Some(place) = Ledger::place(&txn.app_id) {
                            self.ledger.log(place, Some(txn.version));
                        }
                    }
                    Action::CommitInfo(info) => {
                        appends
                            .extend(info.info.get(APPEND_ID).and_then(|id| id.as_str()).map(str::to_owned));
                    }
                    _ => {}
                }
            }
        }
        if newest > before {
            self.delta.update_incremental(Some(newest)).await.map_err(failed)?;
            self.listed = Instant::now();
        } else if self.listed.elapsed() > LIST_EVERY {
            self.delta.update_incremental(None).await.map_err(failed)?;
            if self.delta.version() != Some(before) {
                self.ledger.forget_log();
            }
            self.listed = Instant::now();
        }
        Ok(appends)
    }

    /// Looks up a place's position in the snapshot, unless it is known.
    pub(crate) async fn learn(&mut self, table: Table, place: &Place) -> Result<(), StoreError> {
        if self.ledger.knows(place) {
            return Ok(());
        }
        let failed = |cause| StoreError::from_delta(table.name(), "read positions", cause);
        let log = self.delta.log_store();
        let snapshot = self.delta.snapshot().map_err(failed)?;
        let next = snapshot.transaction_version(log.as_ref(), Ledger::app_id(place)).await.map_err(failed)?;
        self.ledger.log(place.clone(), next);
        Ok(())
    }
}
