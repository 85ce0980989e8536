//! Every status that is answered, chosen here and nowhere else for what `query` refuses.

use query::{Advice, QueryError};
use tonic::{Code, Status};

/// What `query` says of a statement.
pub(crate) fn of_query(error: QueryError, sql: &str) -> Status {
    let text = error.to_string();
    match error {
        QueryError::Invalid(_) => of_sql(&text, sql),
        QueryError::Refused(_) => Status::permission_denied(format!("{text}; everything here is read-only")),
        QueryError::TooLong { .. } => Status::deadline_exceeded(format!(
            "{text}, the limit query.time_max_seconds; ask for less, e.g. for fewer days"
        )),
        QueryError::TooMuchMemory { .. } => Status::resource_exhausted(format!(
            "{text}, the limit query.memory_max_mib; ask for less, e.g. for fewer groups or columns"
        )),
        QueryError::Busy(_) => Status::resource_exhausted(format!(
            "{text}; the limit is query.concurrent_max, of which one partner may have half"
        )),
        QueryError::Unavailable(cause) => {
            tracing::warn!(%cause, "the tables cannot be read");
            Status::unavailable(text)
        }
    }
}

/// Letters of an error's text that are told: they travel in a header, which clients bound.
const TOLD_MAX: usize = 2_000;

/// What is wrong with the SQL itself, where, and what may help.
fn of_sql(text: &str, sql: &str) -> Status {
    let advice = Advice::of(text);
    let text: String = text.chars().take(TOLD_MAX).collect();
    let place = advice.position(sql).map(|letter| format!("; at letter {letter}")).unwrap_or_default();
    let hint = advice.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    Status::invalid_argument(format!("{text}{place}{hint}"))
}

/// The limit that is met when all rows that may be sent were sent.
pub(crate) fn too_many_rows(rows_max: usize) -> Status {
    Status::resource_exhausted(format!(
        "the answer has more than {rows_max} rows, the limit query.rows_max; \
         ask for fewer with WHERE or LIMIT, or add them up in SQL"
    ))
}

/// Whatever would change something.
pub(crate) fn read_only() -> Status {
    Status::permission_denied("everything here is read-only: nothing is inserted, updated or loaded")
}

/// What cannot be made sense of.
pub(crate) fn malformed(text: impl Into<String>) -> Status {
    Status::invalid_argument(text)
}

/// What should not happen; the cause is for the log.
pub(crate) fn ours(cause: impl std::fmt::Display) -> Status {
    tracing::error!(%cause, "an answer cannot be written");
    Status::internal("the answer cannot be written")
}

/// A status as metrics and gRPC's own documentation write it.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::Unauthenticated => "UNAUTHENTICATED",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_a_hint() {
        let invalid = QueryError::Invalid("table 'watchfire.public.evnts' not found".to_owned());
        let status = of_query(invalid, "SELECT * FROM evnts");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().ends_with("; at letter 15; did you mean events?"), "{status}");
    }

    #[test]
    fn what_writes_is_refused_as_read_only() {
        let status = of_query(QueryError::Refused("no INSERT".to_owned()), "INSERT");
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(status.message().contains("read-only"), "{status}");
    }
}
