//! `/v1/queries`: statements that are kept by name, and run with values for their parameters.

use std::sync::Arc;

use alerting::SavedQuery;
use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, Utc};
use query::{Parameter, ParameterType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::answer::{self, Format, JsonAnswer as Rows};
use crate::auth::Reader;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::App;

/// A statement to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToSave {
    /// One read-only statement, with `$1`, `$2`, ... where values stand.
    #[schema(example = "SELECT count(*) FROM events WHERE user_ref = $1 AND time >= $2")]
    sql: String,
    /// What it is for, at most 500 letters.
    description: Option<String>,
    /// The types of `$1`, `$2`, ...; where this is left out, they are found from where the parameters stand.
    #[schema(example = json!(["text", "timestamp with time zone"]))]
    parameters: Option<Vec<String>>,
}

/// A statement that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Saved {
    #[schema(example = "logins-of")]
    name: String,
    sql: String,
    description: Option<String>,
    /// The types of `$1`, `$2`, ...
    parameters: Vec<String>,
    /// The name of the token that it was last saved with.
    saved_by: String,
    saved_at: DateTime<Utc>,
}

impl From<SavedQuery> for Saved {
    fn from(query: SavedQuery) -> Self {
        let SavedQuery { name, sql, description, parameters, saved_by, saved_at } = query;
        Self { name, sql, description, parameters, saved_by, saved_at }
    }
}

/// What is kept, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SavedList {
    queries: Vec<Saved>,
}

/// Values for a statement.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Values {
    /// For `$1`, `$2`, ...: texts, numbers, true, false or null. They are values, never SQL.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!(["usr_7", "2026-03-14T00:00:00Z"]))]
    parameters: Vec<Value>,
}

/// Lists saved queries.
///
/// Those that were saved by a token for the same partners.
#[utoipa::path(
    get, path = "/v1/queries", operation_id = "list_queries", tag = "query",
    responses((status = 200, description = "What is kept, by name", body = SavedList))
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Reader,
) -> Result<JsonAnswer<SavedList>, ApiError> {
    let queries = app.control.saved_queries(&caller.principal.scope).await?;
    Ok(JsonAnswer(SavedList { queries: queries.into_iter().map(Saved::from).collect() }))
}

/// Reads a saved query.
#[utoipa::path(
    get, path = "/v1/queries/{name}", operation_id = "read_query", tag = "query",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "It", body = Saved),
        (status = 404, description = "None of that name was saved by a token for the same partners"),
    )
)]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    caller: Reader,
    Path(name): Path<String>,
) -> Result<JsonAnswer<Saved>, ApiError> {
    let query = app.control.saved_query(&caller.principal.scope, &name).await?.ok_or(ApiError::NotFound)?;
    Ok(JsonAnswer(query.into()))
}

/// Saves a query.
///
/// In the place of one that has the name. The statement is planned, so that one that writes or names what there is
/// not is refused. Those see it whose token is for the same partners. At most 200 are kept for them.
#[utoipa::path(
    put, path = "/v1/queries/{name}", operation_id = "save_query", tag = "query", request_body = ToSave,
    params(("name" = String, Path, description = "1 to 64 of a-z, 0-9, _ and -")),
    responses(
        (status = 200, description = "It is kept", body = Saved),
        (status = 400, description = "The name, the statement or a type is not valid, or there are too many"),
        (status = 403, description = "The statement does not only read"),
        (status = 429, description = "As many queries run as may"),
    )
)]
pub(crate) async fn save(
    State(app): State<Arc<App>>,
    caller: Reader,
    Path(name): Path<String>,
    Json(ToSave { sql, description, parameters }): Json<ToSave>,
) -> Result<JsonAnswer<Saved>, ApiError> {
    let declared = parameters.unwrap_or_default();
    let declared: Result<Vec<_>, _> = declared.iter().map(|name| kind(name).map(Some)).collect();
    let scope = &caller.principal.scope;
    let described = app.query.describe(scope, &sql, declared?).await?;
    let parameters = described.parameters.into_iter().map(|kind| kind.name().to_owned()).collect();
    let saved_by = caller.principal.name.clone();
    let query = SavedQuery { name, sql, description, parameters, saved_by, saved_at: app.control.now() };
    let saved = app.control.save_query(scope, query).await?;
    tracing::info!(name = saved.name, by = saved.saved_by, "query saved");
    Ok(JsonAnswer(saved.into()))
}

/// Deletes a saved query.
#[utoipa::path(
    delete, path = "/v1/queries/{name}", operation_id = "delete_query", tag = "query",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "None of that name was saved by a token for the same partners"),
    )
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    caller: Reader,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    match app.control.delete_query(&caller.principal.scope, &name).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound),
    }
}

/// Runs a saved query.
///
/// With a value for each of its parameters, within the partners that the token may see. The answer is that of
/// `POST /v1/query`, its format chosen by `Accept`.
#[utoipa::path(
    post, path = "/v1/queries/{name}/run", operation_id = "run_saved_query", tag = "query", request_body = Values,
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The rows", content(
            (Rows = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
        )),
        (status = 400, description = "A value is not of its parameter's type, or there are more or fewer of them"),
        (status = 404, description = "None of that name was saved by a token for the same partners"),
        (status = 406, description = "None of the formats that Accept names"),
        (status = 422, description = "The query met its limit of time or memory"),
        (status = 429, description = "As many queries run as may"),
        (status = 503, description = "The tables cannot be read for now"),
    )
)]
pub(crate) async fn run(
    State(app): State<Arc<App>>,
    caller: Reader,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(Values { parameters: values }): Json<Values>,
) -> Result<Response, ApiError> {
    let format = Format::negotiate(&headers)?;
    let scope = &caller.principal.scope;
    let query = app.control.saved_query(scope, &name).await?.ok_or(ApiError::NotFound)?;
    let (given, wanted) = (values.len(), query.parameters.len());
    if given != wanted {
        let text = format!("{given} values were given, and the query takes {wanted}");
        return Err(ApiError::BadRequest(text));
    }
    let pairs = query.parameters.iter().zip(&values).enumerate();
    let parameters: Result<Vec<_>, _> =
        pairs.map(|(index, (kind, value))| parameter(kind, value, index + 1)).collect();
    let answer = app.query.query_with(scope, &query.sql, parameters?).await?;
    answer::respond(answer, format).await
}

fn kind(name: &str) -> Result<ParameterType, ApiError> {
    ParameterType::parse(name).ok_or_else(|| {
        let all = ParameterType::ALL.map(ParameterType::name).join(", ");
        ApiError::BadRequest(format!("a parameter's type is one of {all}"))
    })
}

fn parameter(kind_name: &str, value: &Value, number: usize) -> Result<Parameter, ApiError> {
    let kind = kind(kind_name)?;
    let text = match value {
        Value::Null => return Ok(Parameter { kind, value: None }),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Array(_) | Value::Object(_) => {
            return Err(ApiError::BadRequest(format!("${number} is no single value")));
        }
    };
    Parameter::read(kind, &text).ok_or_else(|| ApiError::BadRequest(format!("${number} is no {kind_name}")))
}
