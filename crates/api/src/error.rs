//! Every status code that the API answers, chosen here and nowhere else.
//!
//! The parts below know nothing of HTTP; their errors are translated at the foot of this file. An
//! [`ApiError`] becomes a response that carries its [`Problem`]; `problem.rs` writes it out.

use std::error::Error;
use std::time::Duration;

use alerting::ControlError;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection, StringRejection};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use query::QueryError;

use crate::intake::IntakeError;
use crate::problem::Problem;

/// Any cause, for the log.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// An error with all its causes, as one sentence: "the database did not answer" helps nobody.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Why a request is not answered as it was meant. Details are for the caller to read: they name
/// what was wrong with the request, and nothing of anybody else's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    Unauthenticated(&'static str),
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("there is nothing here, or nothing that you may see")]
    NotFound,
    #[error("{0}")]
    NotAcceptable(String),
    #[error("the body took longer than {} seconds to arrive", .0.as_secs())]
    SlowBody(Duration),
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    UnsupportedMedia(String),
    #[error("{detail}")]
    Query { slug: &'static str, title: &'static str, detail: String },
    #[error(
        "this partner has sent {feeds_max} feeds through the intake, and may not begin another; a feed is one kind \
         of log, not one file or host"
    )]
    TooManyFeeds { feeds_max: usize },
    #[error("{detail}")]
    TooManyRequests { detail: &'static str, retry_after: Duration },
    #[error("something went wrong on our side; the request id finds it in our log")]
    Internal,
    #[error("{detail}")]
    Unavailable { detail: &'static str, retry_after: Duration },
}

impl ApiError {
    /// A fault of ours. Its cause is logged here; the caller does not see it.
    pub(crate) fn internal(cause: impl Into<BoxError>) -> Self {
        tracing::error!(cause = chain(&*cause.into()), "request failed");
        Self::Internal
    }

    /// A part of ours is away. Its cause is logged here; the caller does not see it.
    pub(crate) fn unavailable(detail: &'static str, cause: impl Into<BoxError>) -> Self {
        tracing::warn!(cause = chain(&*cause.into()), "{detail}");
        Self::Unavailable { detail, retry_after: Duration::from_secs(5) }
    }

    /// The memory for intake is used up.
    pub(crate) fn intake_full() -> Self {
        Self::TooManyRequests {
            detail: "the intake holds as many unsent bytes as it may; send this again later",
            retry_after: Duration::from_secs(1),
        }
    }

    /// The connection broke, or the body was not sent as announced.
    pub(crate) fn broken_body(_: axum::Error) -> Self {
        Self::BadRequest("the body ended before it was whole".to_owned())
    }

    /// The answer did not begin in time.
    pub(crate) fn timed_out() -> Self {
        Self::Unavailable { detail: "the answer took too long", retry_after: Duration::from_secs(5) }
    }

    fn problem(&self) -> Problem {
        let (status, slug, title) = match self {
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request", "The request is not valid"),
            Self::Unauthenticated(_) => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "A valid token is needed")
            }
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "This token may not do that"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::NotAcceptable(_) => (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "No such answer format"),
            Self::SlowBody(_) => (StatusCode::REQUEST_TIMEOUT, "slow-body", "The body came too slowly"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Self::UnsupportedMedia(_) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body's type is not understood",
            ),
            Self::Query { slug, title, .. } => (query_status(slug), *slug, *title),
            Self::TooManyFeeds { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-feeds", "Too many feeds of one partner")
            }
            Self::TooManyRequests { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
            Self::Unavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable for now")
            }
        };
        Problem::new(status, slug, title, self.to_string())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        if let Some(after) = self.retry_after() {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Self::Unauthenticated(_) = self {
            let challenge = HeaderValue::from_static("Bearer realm=\"watchfire\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

const QUERY_REFUSED: &str = "query-refused";

/// A statement that met a limit was understood, and will meet it again: 422. One that nobody may
/// send is 403.
fn query_status(slug: &str) -> StatusCode {
    if slug == QUERY_REFUSED { StatusCode::FORBIDDEN } else { StatusCode::UNPROCESSABLE_ENTITY }
}

/// What a response that is not ours says: a path or method that no route has, a library's refusal.
pub(crate) fn describe(status: StatusCode) -> Problem {
    let (slug, title, detail) = match status {
        StatusCode::NOT_FOUND => return ApiError::NotFound.problem(),
        StatusCode::INTERNAL_SERVER_ERROR => return ApiError::Internal.problem(),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method-not-allowed", "Method not allowed", "the Allow header lists what this path answers")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "The request is too large", "the body is too large"),
        _ => ("bad-request", "The request is not valid", "the request could not be understood"),
    };
    Problem::new(status, slug, title, detail.to_owned())
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Invalid(detail) => Self::BadRequest(detail),
            cause => Self::unavailable("the control database does not answer", cause),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let limit = |slug, title, detail| Self::Query { slug, title, detail };
        match error {
            QueryError::Invalid(detail) => Self::BadRequest(detail),
            QueryError::Refused(detail) => limit(QUERY_REFUSED, "The statement is not allowed", detail),
            error @ QueryError::TooLong { .. } => {
                limit("query-too-long", "The query took too long", error.to_string())
            }
            error @ QueryError::TooMuchMemory { .. } => {
                limit("query-too-much-memory", "The query needs too much memory", error.to_string())
            }
            QueryError::Busy(_) => Self::TooManyRequests {
                detail: "as many queries run as may; ask again later",
                retry_after: Duration::from_secs(2),
            },
            QueryError::Unavailable(cause) => Self::unavailable("the tables cannot be read", cause),
        }
    }
}

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Busy { retry_after } => {
                Self::TooManyRequests { detail: "the intake is busy; send this again later", retry_after }
            }
            IntakeError::TooManyFeeds { feeds_max } => Self::TooManyFeeds { feeds_max },
            IntakeError::TooLarge => Self::TooLarge("a line is larger than the broker takes".to_owned()),
            IntakeError::Unavailable(cause) => {
                Self::unavailable("the broker has not confirmed the lines; send them again", cause)
            }
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMedia(rejection.body_text()),
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge("the body is too large".to_owned()),
            _ => Self::BadRequest(rejection.body_text()),
        }
    }
}

impl From<PathRejection> for ApiError {
    fn from(_: PathRejection) -> Self {
        Self::BadRequest("the path is not valid".to_owned())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

impl From<StringRejection> for ApiError {
    fn from(rejection: StringRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge("the body is too large".to_owned()),
            _ => Self::BadRequest(rejection.body_text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the control database did not answer")]
    struct Unavailable(#[source] std::io::Error);

    #[test]
    fn what_is_logged_of_a_failure_names_its_cause() {
        let failure = Unavailable(std::io::Error::other("database or disk is full"));
        assert_eq!(chain(&failure), "the control database did not answer: database or disk is full");
    }
}
