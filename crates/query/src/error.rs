//! What can go wrong with a query, by whose turn it is then.

use std::time::Duration;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use store::StoreError;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The caller should correct the SQL; the text says where.
    #[error("{0}")]
    Invalid(String),
    /// The caller asked for something that is not reading; it will never work.
    #[error("{0}")]
    Refused(String),
    /// The caller should ask for less, e.g. for fewer days.
    #[error("query took longer than {} s", limit.as_secs_f64())]
    TooLong {
        /// How long a query may take.
        limit: Duration,
    },
    /// The caller should ask for less, e.g. for fewer groups or columns.
    #[error("query needs more memory than the {} MiB that one may use", limit_bytes / (1024 * 1024))]
    TooMuchMemory {
        /// How much memory a query may use.
        limit_bytes: usize,
    },
    /// The caller should try again shortly.
    #[error("{0} queries are running already, try again shortly")]
    Busy(usize),
    /// The operator should look: the tables cannot be read. The text tells a caller nothing more;
    /// the cause is for the log.
    #[error("tables cannot be read at the moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for QueryError {
    fn from(cause: StoreError) -> Self {
        Self::Unavailable(cause.into())
    }
}

impl QueryError {
    /// Sorts DataFusion's errors from before anything was read: their text speaks of the SQL.
    pub(crate) fn from_planning(cause: DataFusionError) -> Self {
        use DataFusionError as E;
        match cause.find_root() {
            E::SQL(..) | E::Plan(_) | E::SchemaError(..) | E::NotImplemented(_) | E::Configuration(_) => {
                Self::Invalid(first_line(&cause))
            }
            _ => Self::from_running(cause),
        }
    }

    /// Sorts DataFusion's errors of a running query. Those that the caller's own rows caused keep
    /// their text; those of storage do not, because it names files.
    pub(crate) fn from_running(cause: DataFusionError) -> Self {
        use DataFusionError as E;
        let about_rows = match cause.find_root() {
            E::ArrowError(error, _) => !matches!(
                **error,
                ArrowError::IoError(..) | ArrowError::ExternalError(_) | ArrowError::ParquetError(_)
            ),
            E::SQL(..) | E::Plan(_) | E::SchemaError(..) | E::NotImplemented(_) | E::Configuration(_) => true,
            E::Execution(_) | E::Internal(_) => true,
            _ => false,
        };
        let text = first_line(&cause);
        match about_rows && !names_a_file(&text) {
            true => Self::Invalid(text),
            false => Self::Unavailable(cause.into()),
        }
    }

    /// A panic in the engine: ours or DataFusion's to mend, and no more the caller should know.
    pub(crate) fn engine_failed() -> Self {
        Self::Invalid("query engine cannot run this query".to_owned())
    }
}

/// Whether memory is what a query lacked.
pub(crate) fn is_memory(cause: &DataFusionError) -> bool {
    matches!(cause.find_root(), DataFusionError::ResourcesExhausted(_))
}

fn first_line(cause: &DataFusionError) -> String {
    cause.find_root().strip_backtrace().lines().next().unwrap_or_default().to_owned()
}

/// Whether a text may have come from storage after all.
fn names_a_file(text: &str) -> bool {
    ["://", ".parquet", "_delta_log", "No such file", "os error"].iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_sql_keeps_its_text() {
        let error = QueryError::from_planning(
            DataFusionError::Plan("no table 'file://x'".to_owned()).context("planning"),
        );
        assert!(matches!(&error, QueryError::Invalid(text) if text.contains("no table")), "{error}");
    }

    #[test]
    fn an_error_of_storage_keeps_its_text_to_itself() {
        for cause in [
            DataFusionError::External("file:///data/events/day=2026-03-14/x".into()),
            DataFusionError::Execution("cannot open /tmp/spill: os error 2".to_owned()),
        ] {
            let error = QueryError::from_running(cause);
            assert!(matches!(error, QueryError::Unavailable(_)), "{error:?}");
            assert_eq!(error.to_string(), "tables cannot be read at the moment");
        }
    }

    #[test]
    fn memory_that_runs_out_names_the_limit() {
        let error = QueryError::TooMuchMemory { limit_bytes: 1024 * 1024 };
        assert_eq!(error.to_string(), "query needs more memory than the 1 MiB that one may use");
    }
}
