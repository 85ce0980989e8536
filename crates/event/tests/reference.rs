//! The reference of columns, printed from their declarations: `docs/columns.md` for people and
//! `schemas/events.json` for programs. `BLESS=1 cargo test -p event reference` renews both.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fmt::Write;
use std::path::Path;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use event::{ColumnDoc, EventBatch, RejectBatch};
use serde::Serialize;

/// What a column is called in the Elastic Common Schema, version 9. A column that is not here has no
/// name there.
const ECS: &[(&str, &str)] = &[
    ("event_id", "event.id"),
    ("source_event_id", "event.id"),
    ("time", "@timestamp"),
    ("logged_time", "event.created"),
    ("ingest_time", "event.ingested"),
    ("tenant", "organization.id"),
    ("env", "labels.env"),
    ("source_format", "event.dataset"),
    ("shipper_id", "agent.id"),
    ("seq", "event.sequence"),
    ("kafka_topic", "kafka.topic"),
    ("kafka_partition", "kafka.partition"),
    ("kafka_offset", "kafka.offset"),
    ("class_uid", "event.category"),
    ("activity_id", "event.type"),
    ("action", "event.action"),
    ("owasp_event", "event.code"),
    ("outcome", "event.outcome"),
    ("reason", "event.reason"),
    ("severity", "event.severity"),
    ("partner_id", "organization.id"),
    ("user_ref", "user.id"),
    ("api_key_id", "labels.api_key_id"),
    ("api_key_fp", "related.hash"),
    ("token_fp", "related.hash"),
    ("session_id", "labels.session_id"),
    ("src_ip", "source.ip"),
    ("src_port", "source.port"),
    ("peer_ip", "source.nat.ip"),
    ("xff", "http.request.headers.x-forwarded-for"),
    ("src_asn", "source.as.number"),
    ("src_as_name", "source.as.organization.name"),
    ("src_country", "source.geo.country_iso_code"),
    ("src_city", "source.geo.city_name"),
    ("src_lat", "source.geo.location.lat"),
    ("src_lon", "source.geo.location.lon"),
    ("user_agent", "user_agent.original"),
    ("ua_family", "user_agent.name"),
    ("ja4", "tls.client.ja4"),
    ("method", "http.request.method"),
    ("host", "url.domain"),
    ("path", "url.path"),
    ("route", "http.route"),
    ("query_redacted", "url.query"),
    ("object_id", "labels.object_id"),
    ("status", "http.response.status_code"),
    ("bytes_in", "http.request.bytes"),
    ("bytes_out", "http.response.bytes"),
    ("latency_ms", "event.duration"),
    ("scheme", "url.scheme"),
    ("tls_version", "tls.version"),
    ("referrer_host", "http.request.referrer"),
    ("request_id", "http.request.id"),
    ("trace_id", "trace.id"),
    ("message", "message"),
    ("raw_hash", "event.hash"),
    ("raw", "event.original"),
];

const ABOUT: &str = "\
# Columns

What stands in the tables of events and rejects. Printed from where the columns are declared, in
[`crates/event/src`](../crates/event/src); `BLESS=1 cargo test -p event reference` prints it anew.
[`schemas/events.json`](../schemas/events.json) says the same of events to programs. The tables of alerts,
and what SQL shows besides (`day`, by which tables are cut into files), `DESCRIBE` tells.

Every column may be null. Types are Arrow's. **From** says who can set a column:

| | |
|---|---|
| `P` | an untrusted client, through what it sends |
| `E` | the edge: a proxy or server that saw the connection |
| `S` | the server or issuer that the log is of |
| `I` | Watchfire, from what it knows itself |

Only what `E`, `S` or `I` say is grouped or de-duplicated by.

OCSF paths are those of version 1.8.0; what has none there is found under `unmapped`. ECS names are those of
version 9; `labels.*`, `kafka.*` and `http.route` are the writer's own there, `event.category` and
`event.type` are words for our numbers, and `event.duration` counts nanoseconds.
";

/// A column as `schemas/events.json` tells it.
#[derive(Serialize)]
struct Column {
    name: &'static str,
    r#type: String,
    nullable: bool,
    provenance: &'static str,
    ocsf: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ecs: Option<&'static str>,
    doc: &'static str,
}

#[test]
fn the_reference_tells_the_columns_that_are_declared() {
    let mut page = ABOUT.to_owned();
    page.push_str("\n## Events\n\nOne row per normalized event.\n\n");
    page.push_str("| column | type | from | OCSF | ECS | meaning |\n|---|---|---|---|---|---|\n");
    for column in columns(&EventBatch::schema(), EventBatch::COLUMNS) {
        let Column { name, r#type, provenance, .. } = &column;
        let (ocsf, ecs, doc) = (code(column.ocsf), code(column.ecs.unwrap_or_default()), plain(column.doc));
        writeln!(page, "| `{name}` | {type} | {provenance} | {ocsf} | {ecs} | {doc} |").unwrap();
    }
    page.push_str("\n## Rejects\n\nOne row per line that could not be read, and why.\n\n");
    page.push_str("| column | type | from | meaning |\n|---|---|---|---|\n");
    for Column { name, r#type, provenance, doc, .. } in columns(&RejectBatch::schema(), RejectBatch::COLUMNS)
    {
        writeln!(page, "| `{name}` | {type} | {provenance} | {} |", plain(doc)).unwrap();
    }
    check("docs/columns.md", &page);
}

#[test]
fn the_reference_for_programs_tells_them_too() {
    let columns = columns(&EventBatch::schema(), EventBatch::COLUMNS);
    // A column a line, so that a diff shows which one changed.
    let columns: Vec<String> =
        columns.iter().map(|column| format!("    {}", serde_json::to_string(column).unwrap())).collect();
    let json = format!(
        "{{\n  \"table\": \"events\",\n  \"ocsf_version\": \"{}\",\n  \"columns\": [\n{}\n  ]\n}}\n",
        event::ocsf::VERSION,
        columns.join(",\n")
    );
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
    check("schemas/events.json", &json);
}

#[test]
fn every_reference_to_ecs_is_of_a_column() {
    for (column, _) in ECS {
        let known = EventBatch::COLUMNS.iter().filter(|known| known.name == *column).count();
        assert_eq!(known, 1, "{column} is no column");
        assert_eq!(ECS.iter().filter(|(other, _)| other == column).count(), 1, "{column} comes twice");
    }
}

fn columns(schema: &Schema, docs: &[ColumnDoc]) -> Vec<Column> {
    assert_eq!(schema.fields().len(), docs.len());
    let column = |(field, doc): (&arrow::datatypes::FieldRef, &ColumnDoc)| Column {
        name: doc.name,
        r#type: type_name(field.data_type()),
        nullable: field.is_nullable(),
        provenance: doc.provenance,
        ocsf: doc.ocsf,
        ecs: ECS.iter().find(|(name, _)| *name == doc.name).map(|(_, ecs)| *ecs),
        doc: doc.doc,
    };
    schema.fields().iter().zip(docs).map(column).collect()
}

/// The type in words that do not change with Arrow's version.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => format!("Timestamp(µs, {zone})"),
        DataType::List(item) => format!("List({})", type_name(item.data_type())),
        DataType::Utf8 | DataType::Int32 | DataType::Int64 | DataType::Float64 | DataType::Binary => {
            data_type.to_string()
        }
        other => panic!("say how {other} is called in the reference"),
    }
}

/// A name for a cell of a table, which may be empty.
fn code(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("`{name}`") }
}

/// Text for a cell of a table, in which nothing is markup.
fn plain(text: &str) -> String {
    text.replace('<', "\\<").replace('|', "\\|")
}

/// Compares a checked-in file with what it should be, or renews it.
#[track_caller]
fn check(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    for (n, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(
            found,
            expected,
            "{file}, line {}: BLESS=1 cargo test -p event reference renews it",
            n + 1
        );
    }
    assert!(found == expected, "{file} has lines too few or too many: BLESS=1 cargo test -p event reference");
}
