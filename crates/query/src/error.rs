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
    /// Sorts DataFusion's errors. Those that SQL or the caller's own rows caused keep their text;
    /// those of storage do not, because it names files.
    pub(crate) fn from_datafusion(cause: DataFusionError, memory_bytes: usize) -> Self {
        use DataFusionError as E;
        let caused_by_sql = match cause.find_root() {
            E::ResourcesExhausted(_) => return Self::TooMuchMemory { limit_bytes: memory_bytes },
            E::SQL(..) | E::Plan(_) | E::SchemaError(..) | E::NotImplemented(_) | E::Configuration(_) => true,
            E::ArrowError(error, _) => !matches!(
                **error,
                ArrowError::IoError(..) | ArrowError::ExternalError(_) | ArrowError::ParquetError(_)
            ),
            E::Execution(_) | E::Internal(_) => true,
            _ => false,
        };
        let text = cause.find_root().strip_backtrace();
        let text = text.lines().next().unwrap_or_default();
        match caused_by_sql && !names_a_file(text) {
            true => Self::Invalid(text.to_owned()),
            false => Self::Unavailable(cause.into()),
        }
    }

    /// A panic in the engine: ours or DataFusion's to mend, and no more the caller should know.
    pub(crate) fn engine_failed() -> Self {
        Self::Invalid("query engine cannot run this query".to_owned())
    }
}

/// Whether a text may have come from storage after all.
fn names_a_file(text: &str) -> bool {
    ["://", ".parquet", "_delta_log", "No such file", "os error"].iter().any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(cause: DataFusionError) -> QueryError {
        QueryError::from_datafusion(cause, 1024 * 1024)
    }

    #[test]
    fn an_error_of_the_sql_keeps_its_text() {
        let error = sorted(DataFusionError::Plan("no such column".to_owned()).context("while planning"));
        assert!(matches!(&error, QueryError::Invalid(text) if text.contains("no such column")), "{error}");
    }

    #[test]
    fn an_error_of_storage_keeps_its_text_to_itself() {
        for cause in [
            DataFusionError::External("file:///data/events/day=2026-03-14/x".into()),
            DataFusionError::Execution("cannot open /tmp/spill: os error 2".to_owned()),
        ] {
            let error = sorted(cause);
            assert!(matches!(error, QueryError::Unavailable(_)), "{error:?}");
            assert_eq!(error.to_string(), "tables cannot be read at the moment");
        }
    }

    #[test]
    fn memory_that_runs_out_names_the_limit() {
        let error = sorted(DataFusionError::ResourcesExhausted("for ExternalSorter[0]".to_owned()));
        assert_eq!(error.to_string(), "query needs more memory than the 1 MiB that one may use");
    }
}
