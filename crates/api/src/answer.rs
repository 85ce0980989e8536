//! A query's answer in the format the client asked for, sent as it is computed.
//!
//! What is ready early decides the status: as long as the answer is short, an error in its midst is
//! still answered as a problem. Later the status is out, and an error breaks the connection off, so
//! that no client takes half an answer for a whole one. The same befalls a long answer that is cut off
//! at the row limit, in a format that cannot say so at its end.

pub(crate) use json::JsonAnswer;

mod arrow;
mod csv;
mod json;
mod ndjson;

use std::sync::Arc;

use ::arrow::datatypes::{Field, Schema, SchemaRef};
use ::arrow::error::ArrowError;
use ::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use query::QueryAnswer;

use crate::error::ApiError;

/// Whether rows are missing because the limit was met: a header where it is known before the answer
/// begins. JSON says it at its end as well; other formats have no place for it, and are broken off.
static TRUNCATED: HeaderName = HeaderName::from_static("wf-truncated");

/// How many rows an answer may have, so that a client can tell an answer that was cut off from one that failed.
static ROWS_MAX: HeaderName = HeaderName::from_static("wf-rows-max");

/// An answer is held back until it has this many bytes, or is whole.
const HELD_BYTES: usize = 256 << 10;
/// Rows encoded at once, so that wide rows do not become one huge piece.
const ROWS_AT_ONCE: usize = 1_024;

/// How rows become bytes. Each format is one file of this folder.
pub(super) trait Encoder: Send {
    /// What comes before the rows.
    fn begin(&mut self, schema: &SchemaRef) -> Result<Vec<u8>, ArrowError>;
    /// Some rows.
    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError>;
    /// What comes after them.
    fn end(&mut self, truncated: bool) -> Result<Vec<u8>, ArrowError>;
    /// Whether the end of an answer says that rows are missing.
    fn tells_truncation(&self) -> bool {
        false
    }
}

/// The formats there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Ndjson,
    Csv,
    Arrow,
}

impl Format {
    const ALL: [Self; 4] = [Self::Json, Self::Ndjson, Self::Csv, Self::Arrow];

    /// The format that an `Accept` header prefers; JSON if anything will do.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut best: Option<(f32, Self)> = None;
        let mut asked = false;
        for value in headers.get_all(axum::http::header::ACCEPT) {
            for range in value.to_str().unwrap_or_default().split(',') {
                asked |= !range.trim().is_empty();
                let Some((quality, format)) = Self::of_range(range) else { continue };
                if quality > 0.0 && best.is_none_or(|(so_far, _)| quality > so_far) {
                    best = Some((quality, format));
                }
            }
        }
        match best {
            Some((_, format)) => Ok(format),
            None if !asked => Ok(Self::Json),
            None => {
                let all = Self::ALL.map(Self::essence).join(", ");
                Err(ApiError::NotAcceptable(format!("an answer is one of {all}")))
            }
        }
    }

    /// One media range, like `text/csv;q=0.5`, and the format it stands for.
    fn of_range(range: &str) -> Option<(f32, Self)> {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next()?.to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok())?;
        let format = match essence.as_str() {
            "*/*" | "application/*" => Self::Json,
            "text/*" => Self::Csv,
            "application/ndjson" | "application/jsonl" => Self::Ndjson,
            _ => Self::ALL.into_iter().find(|format| format.essence() == essence)?,
        };
        Some((quality, format))
    }

    const fn essence(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            _ => self.essence(),
        }
    }

    fn encoder(self) -> Box<dyn Encoder> {
        match self {
            Self::Json => Box::new(json::Json::default()),
            Self::Ndjson => Box::new(ndjson::Ndjson),
            Self::Csv => Box::new(csv::Csv),
            Self::Arrow => Box::new(arrow::Arrow::default()),
        }
    }
}

/// The response that carries this answer.
pub(crate) async fn respond(answer: QueryAnswer, format: Format) -> Result<Response, ApiError> {
    let told =
        [(CONTENT_TYPE, format.content_type().to_owned()), (ROWS_MAX.clone(), answer.rows_max.to_string())];
    let mut answering = Answering::begin(answer, format)?;
    let mut held = Vec::new();
    while held.len() < HELD_BYTES {
        match answering.next().await? {
            Some(bytes) => held.extend_from_slice(&bytes),
            None => {
                let truncated =
                    HeaderValue::from_static(if answering.is_truncated() { "true" } else { "false" });
                let headers = [(TRUNCATED.clone(), truncated)];
                return Ok((headers, told, held).into_response());
            }
        }
    }
    let held = stream::once(async { Ok(Bytes::from(held)) });
    let body = Body::from_stream(held.chain(answering.rest()));
    Ok((told, body).into_response())
}

/// An answer on its way.
struct Answering {
    encoder: Box<dyn Encoder>,
    schema: SchemaRef,
    answer: QueryAnswer,
    /// The batch at hand, and how many of its rows are sent.
    batch: Option<(RecordBatch, usize)>,
    begun: bool,
    ended: bool,
}

impl Answering {
    fn begin(answer: QueryAnswer, format: Format) -> Result<Self, ApiError> {
        let schema = with_unique_names(&answer.schema);
        Ok(Self { encoder: format.encoder(), schema, answer, batch: None, begun: false, ended: false })
    }

    fn is_truncated(&self) -> bool {
        self.answer.truncated.load(std::sync::atomic::Ordering::Acquire)
    }

    /// The next piece of the answer; none after its end.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        if !self.begun {
            self.begun = true;
            return self.encoder.begin(&self.schema).map(Some).map_err(cannot_encode);
        }
        loop {
            if let Some((batch, sent)) = self.batch.take_if(|(batch, sent)| *sent < batch.num_rows()) {
                let count = ROWS_AT_ONCE.min(batch.num_rows() - sent);
                let rows = self.encoder.rows(&batch.slice(sent, count)).map_err(cannot_encode)?;
                self.batch = Some((batch, sent + count));
                return Ok(Some(rows));
            }
            match self.answer.batches.next().await {
                Some(batch) => self.batch = Some((self.renamed(batch?)?, 0)),
                None if self.ended => return Ok(None),
                None => {
                    self.ended = true;
                    return self.encoder.end(self.is_truncated()).map(Some).map_err(cannot_encode);
                }
            }
        }
    }

    fn renamed(&self, batch: RecordBatch) -> Result<RecordBatch, ApiError> {
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let renamed =
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), batch.columns().to_vec(), &rows);
        renamed.map_err(ApiError::internal)
    }

    /// What is still to come, as a body. An error ends it without an end.
    fn rest(self) -> impl Stream<Item = Result<Bytes, BrokenOff>> {
        stream::try_unfold(self, |mut answering| async move {
            let piece = match answering.next().await {
                Ok(piece) => piece,
                // The text of an error may hold a row's value, so the log gets none of it.
                Err(_) => return Err(BrokenOff::Failed.told()),
            };
            if answering.ended && answering.is_truncated() && !answering.encoder.tells_truncation() {
                // A pause, so that what was sent before is on its way when the connection is dropped.
                tokio::task::yield_now().await;
                return Err(BrokenOff::Truncated.told());
            }
            Ok(piece.map(|bytes| (Bytes::from(bytes), answering)))
        })
    }
}

/// Why an answer that had begun has no end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum BrokenOff {
    #[error("the query failed")]
    Failed,
    #[error("the answer has more rows than may be sent")]
    Truncated,
}

impl BrokenOff {
    fn told(self) -> Self {
        tracing::info!(reason = %self, "broke off an answer that had begun");
        self
    }
}

fn cannot_encode(error: ArrowError) -> ApiError {
    ApiError::BadRequest(format!("a column's type does not fit this format, cast it: {error}"))
}

/// Two columns of one name are fine in SQL and nowhere else: the second becomes `name_2`.
fn with_unique_names(schema: &SchemaRef) -> SchemaRef {
    let mut taken = std::collections::HashSet::new();
    let unique = |field: &Arc<Field>| {
        let mut name = field.name().clone();
        let mut count = 1;
        while !taken.insert(name.clone()) {
            count += 1;
            name = format!("{}_{count}", field.name());
        }
        if name == *field.name() {
            Arc::clone(field)
        } else {
            Arc::new(field.as_ref().clone().with_name(name))
        }
    };
    let fields: Vec<_> = schema.fields().iter().map(unique).collect();
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests;
