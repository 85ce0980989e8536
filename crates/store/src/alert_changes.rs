//! The columns of `alert_changes`: one documented list that gives the schema and the batch.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use event::{AlertChange, ColumnDoc, EventTime};
use serde_json::json;

/// How a column is read from a change, and thereby its Arrow type.
enum Read {
    Text(fn(&AlertChange) -> Option<Cow<'_, str>>),
    Json(fn(&AlertChange) -> serde_json::Value),
    Int(fn(&AlertChange) -> i32),
    Long(fn(&AlertChange) -> i64),
    Real(fn(&AlertChange) -> Option<f64>),
    Flag(fn(&AlertChange) -> bool),
    Time(fn(&AlertChange) -> EventTime),
}

struct AlertColumn {
    name: &'static str,
    ocsf: &'static str,
    doc: &'static str,
    read: Read,
}

const fn column(name: &'static str, ocsf: &'static str, doc: &'static str, read: Read) -> AlertColumn {
    AlertColumn { name, ocsf, doc, read }
}

fn text(value: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(value))
}

#[rustfmt::skip]
static COLUMNS: &[AlertColumn] = &[
    column("alert_id", "finding_info.uid", "The alert's id: a hash of detector, dedup key and episode start.", Read::Text(|c| text(&c.alert.alert_id))),
    column("revision", "unmapped.revision", "Counts the changes of one alert from 0.", Read::Int(|c| i32::try_from(c.revision).unwrap_or(i32::MAX))),
    column("change", "activity_id", "create, update or close.", Read::Text(|c| text(c.change.as_str()))),
    column("tenant", "metadata.tenant_uid", "Whose alert it is.", Read::Text(|c| text(c.alert.tenant.as_str()))),
    column("detector", "finding_info.analytic.uid", "Which detector raised it, e.g. token_reuse.", Read::Text(|c| text(&c.alert.detector))),
    column("class", "finding_info.types[]", "Which of the detector's classes, e.g. token.reuse.other_origin.", Read::Text(|c| text(&c.alert.class))),
    column("rule_version", "finding_info.analytic.version", "Which rule has made it: the detector's version, that of its file of rules, and a hash of the parameters, as in 1.0.0+2.3f9a1c0b5d7e8246.", Read::Text(|c| text(&c.alert.rule_version))),
    column("severity", "severity", "info, low, medium, high or critical.", Read::Text(|c| text(c.alert.severity.as_str()))),
    column("severity_id", "severity_id", "1 informational to 5 critical, to compare by.", Read::Int(|c| c.alert.severity.id())),
    column("page", "unmapped.page", "Whether on-call should be woken.", Read::Flag(|c| c.alert.page)),
    column("confidence", "confidence_score", "0 to 100.", Read::Int(|c| i32::from(c.alert.confidence))),
    column("entity_type", "resources[].type", "What kind of thing it is about: token, user, address, endpoint, ...", Read::Text(|c| text(&c.alert.entity_type))),
    column("entity", "resources[].uid", "Which one.", Read::Text(|c| text(&c.alert.entity))),
    column("title", "finding_info.title", "One line for a phone's screen.", Read::Text(|c| text(&c.alert.title))),
    column("description", "finding_info.desc", "A sentence or two that a person can act on.", Read::Text(|c| text(&c.alert.description))),
    column("triggered_at", "time", "Event time at which the rule was first met.", Read::Time(|c| c.alert.triggered_at)),
    column("ingested_at", "unmapped.ingested_at", "Broker time of the raw log that met it first.", Read::Time(|c| c.alert.ingested_at)),
    column("first_seen", "finding_info.first_seen_time", "Event time of the first event that counts.", Read::Time(|c| c.alert.first_seen)),
    column("last_seen", "finding_info.last_seen_time", "Event time of the last event that counts.", Read::Time(|c| c.alert.last_seen)),
    column("count", "count", "How many events count.", Read::Long(|c| i64::try_from(c.alert.count).unwrap_or(i64::MAX))),
    column("observed", "anomaly_analyses[].anomalies[].observations[].value", "What was measured, in the threshold's unit.", Read::Real(|c| Some(c.alert.observed))),
    column("threshold", "unmapped.threshold", "What it was held against.", Read::Real(|c| Some(c.alert.threshold))),
    column("baseline", "anomaly_analyses[].baselines[]", "What would have been usual, where a baseline is known.", Read::Real(|c| c.alert.baseline)),
    column("parameters", "unmapped.parameters", "A JSON object of the parameters in force.", Read::Json(|c| json!(c.alert.parameters))),
    column("details", "unmapped.details", "A JSON object of what else explains it: counts by reason, contributors, distances.", Read::Json(|c| json!(c.alert.details))),
    column("techniques", "finding_info.attacks[]", "A JSON array of ATT&CK techniques with their ids in v18 and v19.", Read::Json(|c| json!(c.alert.techniques))),
    column("owasp_api", "finding_info.tags", "OWASP API Security Top 10 (2023), e.g. API2.", Read::Text(|c| c.alert.owasp_api.as_deref().map(Cow::Borrowed))),
    column("owasp_event", "finding_info.tags", "The name in the OWASP logging vocabulary, e.g. authn_token_reuse.", Read::Text(|c| c.alert.owasp_event.as_deref().map(Cow::Borrowed))),
    column("evidence", "evidences[]", "A JSON array of up to ten events that it rests on, in order of event time.", Read::Json(|c| json!(c.alert.evidence))),
    column("query_sql", "unmapped.query_sql", "SQL that reproduces the evidence.", Read::Text(|c| text(&c.alert.query_sql))),
    column("dedup_key", "metadata.correlation_uid", "What receivers de-duplicate by.", Read::Text(|c| text(&c.alert.dedup_key))),
    column("episode_open", "unmapped.episode_open", "Whether the episode is still open.", Read::Flag(|c| c.alert.episode_open)),
    column("late", "unmapped.late", "Whether it rests on events that came after their watermark.", Read::Flag(|c| c.alert.late)),
    column("approx", "unmapped.approx", "Whether counts are approximate because a state budget was reached.", Read::Flag(|c| c.alert.approx)),
];

impl Read {
    fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) | Self::Json(_) => DataType::Utf8,
            Self::Int(_) => DataType::Int32,
            Self::Long(_) => DataType::Int64,
            Self::Real(_) => DataType::Float64,
            Self::Flag(_) => DataType::Boolean,
            Self::Time(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    fn array(&self, changes: &[AlertChange]) -> ArrayRef {
        match self {
            Self::Text(read) => Arc::new(changes.iter().map(read).collect::<StringArray>()),
            Self::Json(read) => {
                Arc::new(StringArray::from_iter_values(changes.iter().map(|c| read(c).to_string())))
            }
            Self::Int(read) => Arc::new(Int32Array::from_iter_values(changes.iter().map(read))),
            Self::Long(read) => Arc::new(Int64Array::from_iter_values(changes.iter().map(read))),
            Self::Real(read) => Arc::new(changes.iter().map(read).collect::<Float64Array>()),
            Self::Flag(read) => Arc::new(changes.iter().map(|c| Some(read(c))).collect::<BooleanArray>()),
            Self::Time(read) => Arc::new(
                TimestampMicrosecondArray::from_iter_values(changes.iter().map(|c| read(c).micros()))
                    .with_timezone("UTC"),
            ),
        }
    }
}

/// The Arrow schema of `alert_changes`.
pub(crate) fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let fields: Vec<Field> =
            COLUMNS.iter().map(|column| Field::new(column.name, column.read.data_type(), true)).collect();
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// What each column means.
pub(crate) fn docs() -> Vec<ColumnDoc> {
    COLUMNS
        .iter()
        .map(|column| ColumnDoc { name: column.name, provenance: "I", ocsf: column.ocsf, doc: column.doc })
        .collect()
}

/// The rows of `alert_changes` for some changes, one a row, in their order.
pub fn alert_changes_batch(changes: &[AlertChange]) -> RecordBatch {
    let arrays = COLUMNS.iter().map(|column| column.read.array(changes)).collect();
    RecordBatch::try_new(schema(), arrays).expect("schema and arrays come from one list of columns")
}
