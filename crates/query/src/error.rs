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
    #[error("query needs more memory than it may have of the {} MiB that all share", limit_bytes / (1024 * 1024))]
    TooMuchMemory {
        /// How much memory all queries may use together.
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
    /// their text, and go into no log; those of storage do not, because they name files.
    pub(crate) fn from_running(cause: DataFusionError) -> Self {
        use DataFusionError as E;
        match cause.find_root() {
            E::ArrowError(error, _) if is_of_storage(error) => Self::Unavailable(cause.into()),
            // What cannot be converted or computed is a value, whatever it looks like.
            E::ArrowError(..) => Self::Invalid(first_line(&cause)),
            E::SQL(..) | E::Plan(_) | E::SchemaError(..) | E::NotImplemented(_) | E::Configuration(_) => {
                Self::Invalid(first_line(&cause))
            }
            E::Execution(text) | E::Internal(text) if names_a_file(text) => {
                Self::Unavailable(without_quotes(text).into())
            }
            E::Execution(_) | E::Internal(_) => Self::Invalid(first_line(&cause)),
            _ => Self::Unavailable(cause.into()),
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

fn is_of_storage(error: &ArrowError) -> bool {
    use ArrowError as E;
    matches!(error, E::IoError(..) | E::ExternalError(_) | E::ParquetError(_) | E::IpcError(_))
}

/// Whether a text may have come from storage after all, e.g. from a full disk that a sort spilt to.
fn names_a_file(text: &str) -> bool {
    const SIGNS: [&str; 9] = [
        "os error",
        "Os {",
        "No such file",
        ".parquet",
        "_delta_log",
        "file://",
        "s3://",
        "gs://",
        "abfss://",
    ];
    SIGNS.iter().any(|sign| text.contains(sign))
}

/// A text without what is quoted in it: if it is about a row after all, that is the row's value.
pub(crate) fn without_quotes(text: &str) -> String {
    let (mut kept, mut quote) = (String::new(), None);
    for letter in text.chars() {
        match quote {
            Some(opening) if letter == opening => quote = None,
            Some(_) => {}
            None if matches!(letter, '\'' | '"' | '`') => {
                quote = Some(letter);
                kept.push('…');
            }
            None => kept.push(letter),
        }
    }
    kept
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
    fn a_value_that_looks_like_a_file_is_still_the_callers_error() {
        for value in ["https://example.com/a", "file:///x.parquet", "No such file"] {
            let text = format!("Cannot cast string '{value}' to value of Int32 type");
            let error = QueryError::from_running(DataFusionError::ArrowError(
                Box::new(ArrowError::CastError(text.clone())),
                None,
            ));
            assert!(matches!(&error, QueryError::Invalid(told) if told.contains(value)), "{error:?}");
        }
        let text = "Error parsing timestamp from 'https://example.com/a'".to_owned();
        let error = QueryError::from_running(DataFusionError::Execution(text));
        assert!(matches!(error, QueryError::Invalid(_)), "{error:?}");
    }

    #[test]
    fn what_is_logged_of_a_doubtful_error_has_no_value_in_it() {
        let text = "Error parsing timestamp from 's3://secret': Os { code: 28 }".to_owned();
        let QueryError::Unavailable(cause) = QueryError::from_running(DataFusionError::Execution(text))
        else {
            panic!("it may be of storage")
        };
        assert_eq!(cause.to_string(), "Error parsing timestamp from …: Os { code: 28 }");
    }

    #[test]
    fn memory_that_runs_out_names_the_limit() {
        let error = QueryError::TooMuchMemory { limit_bytes: 1024 * 1024 };
        assert_eq!(error.to_string(), "query needs more memory than it may have of the 1 MiB that all share");
    }
}
