//! `POST /v1/query`: SQL over the tables, within the partners that the token may see.

use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::answer::{self, Format, JsonAnswer};
use crate::auth::Reader;
use crate::error::ApiError;
use crate::extract::Json;
use crate::state::App;

/// A statement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    /// One read-only statement.
    #[schema(example = "SELECT time, action, outcome FROM events ORDER BY time DESC LIMIT 10")]
    sql: String,
}

/// Runs SQL.
///
/// One read-only statement over the tables `events`, `alert_changes` and `rejects`; every table holds only rows
/// of the partners that the token may see. The answer's format is chosen by `Accept`. What `curl -d` sends as
/// `application/x-www-form-urlencoded` is JSON if it begins with a brace, and SQL if it does not.
///
/// In CSV, a cell of text that begins with `=`, `+`, `-`, `@`, a tab or a line end has an apostrophe before it, so
/// that no spreadsheet takes it for a formula.
///
/// At most `query.rows_max` rows are sent, a number that the header `wf-rows-max` tells. The header `wf-truncated`
/// says whether more are missing, where that is known when the answer begins: always, if the answer has less than
/// 256 KiB. JSON says it at its end as well. A longer answer in any other format that would have more rows is
/// broken off after the last row that may be sent, and so is an answer that fails after it has begun: its chunked
/// encoding has no end, which HTTP clients report as an incomplete transfer. Ask for fewer rows with WHERE or
/// LIMIT, or for JSON.
#[utoipa::path(
    post, path = "/v1/query", operation_id = "run_query", tag = "query",
    request_body(
        description = "The statement",
        content((Statement = "application/json"), (String = "text/plain"), (String = "application/x-www-form-urlencoded"))
    ),
    responses(
        (status = 200, description = "The rows", content(
            (JsonAnswer = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
        ), headers(
            ("wf-truncated" = bool, description = "Whether rows are missing; absent where it is not known yet"),
            ("wf-rows-max" = u64, description = "How many rows an answer may have"),
        )),
        (status = 400, description = "The statement is not valid"),
        (status = 403, description = "The token, or nobody, may run this"),
        (status = 406, description = "None of the formats that Accept names"),
        (status = 413, description = "The statement is too long"),
        (status = 415, description = "The body is neither JSON nor text"),
        (status = 422, description = "The query met its limit of time or memory"),
        (status = 429, description = "As many queries run as may"),
        (status = 503, description = "The tables cannot be read for now"),
    )
)]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    caller: Reader,
    request: Request,
) -> Result<Response, ApiError> {
    let format = Format::negotiate(request.headers())?;
    let sql = statement(request).await?;
    let answer = app.query.query(&caller.principal.scope, &sql).await?;
    answer::respond(answer, format).await
}

async fn statement(request: Request) -> Result<String, ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/json" => {
            let Json(Statement { sql }) = request.extract().await?;
            Ok(sql)
        }
        "text/plain" | "application/sql" => Ok(request.extract().await?),
        // What `curl -d` says of whatever it sends: no form, but one of the two above.
        "application/x-www-form-urlencoded" => {
            let text: String = request.extract().await?;
            if !text.trim_start().starts_with('{') {
                return Ok(text);
            }
            let statement: Result<Statement, _> = serde_json::from_str(&text);
            statement.map(|statement| statement.sql).map_err(|error| ApiError::BadRequest(error.to_string()))
        }
        _ => Err(ApiError::UnsupportedMedia("send application/json or text/plain".to_owned())),
    }
}
