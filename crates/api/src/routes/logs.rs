//! `POST /v1/logs/{partner}/{feed}`: log lines by HTTP, for shippers that do not speak Kafka.
//!
//! The answer is given when the broker has the lines. A shipper that gets none sends again; lines
//! that had arrived all the same are then there twice, as with every shipper that tries again.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use event::LogTopic;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Shipper;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::intake::Reservation;
use crate::intake::decode::{self, Encoding, Limits};
use crate::intake::lines::{self, Layout, LineLimits};
use crate::state::App;
use crate::wire::AcceptedView;

/// How the lines are to be read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Reading {
    /// The lines' format: a source's name, e.g. `nginx_json`. The `wf-format` header says the same.
    /// Without either the format is recognised from the lines.
    format: Option<String>,
}

/// Takes log lines.
///
/// One line of text or one JSON object a line, or a JSON array of objects as `application/json`. The lines go to
/// the topic `logs.<partner>.<feed>` in order, many of them joined into one record. The answer comes when the
/// broker has them all; a line that is larger than it takes is refused with its number, and all others with it.
/// A line that turns out to be unreadable is not refused here: it is kept as a reject with its reason and
/// position. After 429 and 503, send the same again.
#[utoipa::path(
    post, path = "/v1/logs/{partner}/{feed}", operation_id = "send_logs", tag = "logs",
    params(
        ("partner" = String, Path, description = "Whose logs: 1 to 64 of a-z A-Z 0-9 _ -"),
        ("feed" = String, Path, description = "Which of the partner's logs: 1 to 64 of a-z A-Z 0-9 _ - ."),
        Reading,
        ("wf-format" = Option<String>, Header, description = "The lines' format"),
        ("Content-Encoding" = Option<String>, Header, description = "gzip or zstd"),
    ),
    request_body(
        description = "Lines",
        content(
            (String = "application/x-ndjson"), (String = "text/plain"), (Vec<serde_json::Value> = "application/json"),
            (String = "application/x-www-form-urlencoded"),
        )
    ),
    responses(
        (status = 200, description = "The broker has the lines", body = AcceptedView),
        (status = 400, description = "A name or the body is not valid"),
        (status = 408, description = "The body came too slowly"),
        (status = 413, description = "Too many bytes, before or after decompression, too many lines, or one too long"),
        (status = 415, description = "Neither lines nor JSON, or compressed in another way"),
        (status = 429, description = "Too much at once; Retry-After says when. Or too many feeds of one partner"),
        (status = 503, description = "The broker has not confirmed; send again"),
    )
)]
pub(crate) async fn send(
    State(app): State<Arc<App>>,
    Shipper(caller): Shipper,
    Path((partner, feed)): Path<(String, String)>,
    Query(reading): Query<Reading>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AcceptedView>, ApiError> {
    let topic = LogTopic::new(&partner, &feed).map_err(|error| ApiError::BadRequest(error.to_string()))?;
    if !caller.scope.allows(&topic.tenant) {
        return Err(ApiError::Forbidden("this token may not send logs for this partner"));
    }
    let format = format(reading, &headers)?;
    let Some(layout) = Layout::parse(text(&headers, &CONTENT_TYPE)?) else {
        return Err(ApiError::UnsupportedMedia(
            "send application/x-ndjson, text/plain or application/json".to_owned(),
        ));
    };

    let mut held = app.intake_bytes.open(topic.tenant.clone());
    let body = read(&app, &headers, body, &mut held).await?;
    let limits = LineLimits {
        lines_max: app.config.intake_lines_max,
        line_bytes_max: app.config.intake_line_bytes_max,
    };
    let lines = lines::split(&body, layout, limits, &mut held)?;
    let bytes: usize = lines.iter().map(Bytes::len).sum();

    let appended = app.intake.append(&topic, lines, format, &caller.name);
    let appended = tokio::time::timeout(app.config.request_timeout, appended).await;
    let accepted = appended.map_err(|_| ApiError::timed_out())??;

    app.metrics.intake_lines.inc_by(accepted.lines as u64);
    app.metrics.intake_bytes.inc_by(bytes as u64);
    Ok(Json(AcceptedView::new(&topic, &accepted)))
}

/// The body, decompressed, within its limits of size and time.
async fn read(app: &App, headers: &HeaderMap, body: Body, held: &mut Reservation) -> Result<Bytes, ApiError> {
    let limits = Limits {
        compressed_bytes_max: app.config.intake_compressed_bytes_max,
        bytes_max: app.config.intake_bytes_max,
    };
    let Some(encoding) = Encoding::parse(text(headers, &CONTENT_ENCODING)?) else {
        return Err(ApiError::UnsupportedMedia("compress with gzip or zstd, or not at all".to_owned()));
    };
    let announced = text(headers, &CONTENT_LENGTH)?.and_then(|length| length.parse::<usize>().ok());
    limits.check_received(announced.unwrap_or(0), encoding)?;
    let read = decode::read(body, encoding, limits, held);
    let limit = app.config.request_timeout;
    tokio::time::timeout(limit, read).await.map_err(|_| ApiError::SlowBody(limit))?
}

fn format(reading: Reading, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    static WF_FORMAT: HeaderName = HeaderName::from_static("wf-format");
    let header = text(headers, &WF_FORMAT)?.map(str::to_owned);
    let Some(format) = reading.format.or(header) else { return Ok(None) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if format.is_empty() || format.len() > 64 || !format.bytes().all(plain) {
        return Err(ApiError::BadRequest("a format has 1 to 64 of a-z A-Z 0-9 _ -".to_owned()));
    }
    Ok(Some(format))
}

/// A header's value, if it is there; sent twice, or not as text, it is refused.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        _ => Err(ApiError::BadRequest(format!("the header {name} is sent once, as text"))),
    }
}
