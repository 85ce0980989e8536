//! Rows of a statement of ours, as values of a type that says what the answer looks like.

use arrow::array::RecordBatch;
use event::Scope;
use futures::TryStreamExt;
use query::Parameter;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::state::App;

/// The rows that a statement has within a scope; a column that is null is left out, as in JSON.
pub(crate) async fn rows<T: DeserializeOwned>(
    app: &App,
    scope: &Scope,
    sql: &str,
    parameters: Vec<Parameter>,
) -> Result<Vec<T>, ApiError> {
    let answer = app.query.query_with(scope, sql, parameters).await?;
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    writer.write_batches(&batches).and_then(|()| writer.finish()).map_err(ApiError::internal)?;
    let json = writer.into_inner();
    // Of no rows Arrow writes nothing at all.
    match json.is_empty() {
        true => Ok(Vec::new()),
        false => serde_json::from_slice(&json).map_err(ApiError::internal),
    }
}
