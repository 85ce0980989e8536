//! What can go wrong, by what the caller should do about it.

use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::kernel::transaction::TransactionError;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Try again, with backoff: storage did not answer, or another writer was quicker. Nothing
    /// was acknowledged; if the write did get through, trying again says `AlreadyStored`.
    #[error("table storage is not available: {action}")]
    Unavailable {
        /// What was being done.
        action: &'static str,
        /// Why it failed.
        #[source]
        cause: BoxError,
    },
    /// Carry on: everything up to these positions was stored before.
    #[error("{topic}/{partition} is stored up to offset {committed} already, nothing was written")]
    AlreadyStored {
        /// Topic of the first of the positions.
        topic: Arc<str>,
        /// Its partition.
        partition: i32,
        /// The next offset to read, according to the table.
        committed: i64,
    },
    /// Throw the batch away and read on from `committed`, if the partition is still ours: another
    /// writer has moved it, so this batch may hold rows that are stored already.
    #[error("{topic}/{partition} was moved by another writer, read on from {committed:?}")]
    Overtaken {
        /// The topic that was moved.
        topic: Arc<str>,
        /// Its partition.
        partition: i32,
        /// The next offset to read, according to the table; `None`: from the beginning.
        committed: Option<i64>,
    },
    /// Stop, and tell the operator: the table, its folder or the batch is not what this version
    /// works with.
    #[error("table {table} cannot be used: {reason}")]
    Unusable {
        /// Which table.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// Any cause.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    pub(crate) fn unavailable(action: &'static str, cause: impl Into<BoxError>) -> Self {
        Self::Unavailable { action, cause: cause.into() }
    }

    /// Sorts Delta's errors: a table that nobody can use until a person acts, or storage that may
    /// answer later.
    pub(crate) fn from_delta(table: &'static str, action: &'static str, cause: DeltaTableError) -> Self {
        use DeltaTableError as E;
        match &cause {
            E::Transaction {
                source:
                    TransactionError::UnsupportedTableFeatures(_)
                    | TransactionError::TableFeaturesRequired(_)
                    | TransactionError::DeltaTableAppendOnly,
            }
            | E::InvalidTableLocation(_)
            | E::InvalidJsonLog { .. }
            | E::SchemaMismatch { .. }
            | E::MetadataError(_) => Self::Unusable { table, reason: format!("{action}: {cause}") },
            _ => Self::unavailable(action, cause),
        }
    }
}
