//! `GET /v1/events/{id}`: one stored event, as OCSF or as its columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use axum::Json;
use axum::extract::State;
use event::EventBatch;
use futures::TryStreamExt;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::auth::Reader;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::state::App;

/// What an event looks like.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Shape {
    /// An object that OCSF 1.8.0 calls valid.
    #[default]
    Ocsf,
    /// The columns of the table `events`; what is null is left out.
    Columns,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `ocsf`, the default, or `columns`.
    #[serde(default)]
    #[param(inline)]
    format: Shape,
}

/// Reads one event.
///
/// As an object of its OCSF 1.8.0 class, or as the flat columns that SQL shows. An event can be read once it is
/// stored. Another partner's event is answered like one that does not exist.
#[utoipa::path(
    get, path = "/v1/events/{id}", operation_id = "read_event", tag = "query",
    params(("id" = String, Path, description = "The event's id, as in the evidence of an alert"), Wanted),
    responses(
        (status = 200, description = "The event", body = Object),
        (status = 404, description = "There is none that the token may see"),
        (status = 422, description = "The search met its limit of time or memory"),
        (status = 429, description = "As many queries run as may"),
        (status = 503, description = "The tables cannot be read for now"),
    )
)]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    caller: Reader,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, ApiError> {
    // Ids are ours; nothing else is put between quotes.
    let is_id = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_id {
        return Err(ApiError::NotFound);
    }
    let sql = format!("SELECT * FROM events WHERE event_id = '{id}' LIMIT 1");
    let answer = app.query.query(&caller.principal.scope, &sql).await?;
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
    let batch = batches.into_iter().find(|batch| batch.num_rows() > 0).ok_or(ApiError::NotFound)?;
    shown(batch, wanted.format).map(Json)
}

fn shown(batch: RecordBatch, shape: Shape) -> Result<Value, ApiError> {
    match shape {
        Shape::Ocsf => {
            let events = EventBatch::from_arrow(ours(&batch)?).map_err(ApiError::internal)?;
            Ok(event::ocsf::of_event(&events.row(0)))
        }
        Shape::Columns => {
            let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
            writer.write(&batch).and_then(|()| writer.finish()).map_err(ApiError::internal)?;
            serde_json::from_slice(&writer.into_inner()).map_err(ApiError::internal)
        }
    }
}

/// The batch with our types: the engine has its own for text.
fn ours(batch: &RecordBatch) -> Result<RecordBatch, ApiError> {
    let schema = EventBatch::schema();
    let columns = schema.fields().iter().filter_map(|field| {
        let column = batch.column_by_name(field.name())?;
        Some((field.name(), cast(column, field.data_type())))
    });
    let columns = columns
        .map(|(name, column)| column.map(|column| (name, column)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(ApiError::internal)?;
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .map_err(ApiError::internal)
}
