//! Errors on the wire: `application/problem+json`, RFC 9457.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error;

/// Why a request was not answered as it was meant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Names the kind of problem; stable, for programs to compare.
    #[schema(example = "urn:watchfire:problem:not-found")]
    r#type: String,
    /// The kind of problem in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was wrong this time.
    detail: String,
    /// This request, as our log knows it; the `x-request-id` header says the same.
    #[schema(example = "urn:watchfire:request:5f0c6a1be2d34c7800000001")]
    instance: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, slug: &str, title: &'static str, detail: String) -> Self {
        Self {
            r#type: format!("urn:watchfire:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail,
            instance: String::new(),
        }
    }
}

/// Notes the problem on a response without a body; [`write`] puts it there once the request's id
/// is known.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives every failed response its problem as a body, also those that a library has made.
pub(crate) fn write(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let mut problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if is_ours(&response) => return response,
        None => error::describe(status),
    };
    problem.instance = format!("urn:watchfire:request:{request_id}");
    let body = serde_json::to_vec(&problem).expect("a problem is texts and a number");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}

/// Marks a response whose status says "not well" but whose body is the answer, like `/readyz`.
#[derive(Clone, Copy)]
pub(crate) struct Answered;

fn is_ours(response: &Response) -> bool {
    response.extensions().get::<Answered>().is_some()
}
