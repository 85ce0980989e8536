//! Feeds records to a normalizer, as a broker would hand them over.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use event::{EventTime, LogTopic, RawLog};
use normalize::{Fingerprinter, Normalized, Normalizer, Options, Schemas};
use serde_json::Value;

/// 2026-03-14T09:34:00Z, when the broker has everything that the samples tell of.
pub(crate) const NOW: EventTime = EventTime(1_773_480_840_000);

/// The fingerprints of these tests.
pub(crate) fn fingerprinter() -> Fingerprinter {
    Fingerprinter::new("k1", b"a pepper for the tests").unwrap()
}

pub(crate) fn normalizer(partitions: i32, formats: &[(&str, &str)]) -> Normalizer {
    let formats: BTreeMap<String, String> =
        formats.iter().map(|(at, source)| ((*at).to_owned(), (*source).to_owned())).collect();
    let options = Options { observation_partitions: partitions, formats, ..Options::default() };
    // Compiling the schemas takes longer than most tests.
    static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Arc::new(Schemas::built_in()));
    Normalizer::new(Arc::clone(&SCHEMAS), fingerprinter(), options)
}

/// One record of `logs.prt_acme.edge`.
pub(crate) fn feed(normalizer: &mut Normalizer, offset: i64, payload: &[u8], format: Option<&str>) {
    feed_at(normalizer, offset, payload, format, NOW);
}

pub(crate) fn feed_at(
    normalizer: &mut Normalizer,
    offset: i64,
    payload: &[u8],
    format: Option<&str>,
    broker_time: EventTime,
) {
    record(offset, payload, format, |raw| normalizer.normalize(&RawLog { broker_time, ..raw.clone() }));
}

/// Lends one record of that topic, which the broker has had since [`NOW`].
pub(crate) fn record<T>(
    offset: i64,
    payload: &[u8],
    format: Option<&str>,
    take: impl FnOnce(&RawLog<'_>) -> T,
) -> T {
    let source = LogTopic::new("prt_acme", "edge").unwrap();
    let topic: Arc<str> = source.name().into();
    take(&RawLog {
        source: &source,
        topic: &topic,
        partition: 0,
        offset,
        broker_time: NOW,
        payload,
        format,
        shipper_id: None,
        shipper_seq: None,
        redriven_from: None,
    })
}

/// What becomes of a single record.
pub(crate) fn read(payload: impl AsRef<[u8]>, format: Option<&str>) -> Normalized {
    let mut normalizer = normalizer(1, &[]);
    feed(&mut normalizer, 7, payload.as_ref(), format);
    normalizer.finish()
}

/// The built-in sources and some of one's own, by name.
pub(crate) fn schemas_with(sources: &[(&str, &str)]) -> Arc<Schemas> {
    let dir = tempfile::tempdir().unwrap();
    for (name, yaml) in sources {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("schema.yaml"), yaml).unwrap();
    }
    Arc::new(Schemas::load(dir.path()).unwrap())
}

/// What becomes of a record with a source of one's own, which is named `mine`.
pub(crate) fn read_as(yaml: &str, payload: &str) -> Normalized {
    let schemas = schemas_with(&[("mine", yaml)]);
    let mut normalizer = Normalizer::new(schemas, fingerprinter(), Options::default());
    feed(&mut normalizer, 7, payload.as_bytes(), Some("mine"));
    normalizer.finish()
}

/// The only event of a record.
#[track_caller]
pub(crate) fn event(payload: impl AsRef<[u8]>) -> Normalized {
    let read = read(payload, None);
    assert_eq!((read.events.len(), read.rejects.len()), (1, 0), "{:?}", read.rejects.rows().next());
    read
}

/// Rows as JSON lines, null columns left out.
pub(crate) fn json_lines(batch: &RecordBatch) -> String {
    let schema = batch.schema();
    let mut lines = String::new();
    for row in 0..batch.num_rows() {
        let cells = schema.fields().iter().zip(batch.columns());
        let object: serde_json::Map<String, Value> =
            cells.filter_map(|(field, column)| Some((field.name().clone(), cell(column, row)?))).collect();
        lines.push_str(&Value::Object(object).to_string());
        lines.push('\n');
    }
    lines
}

fn cell(column: &ArrayRef, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::Int32 => Value::from(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Dictionary(..) => {
            let words = column.as_dictionary::<Int32Type>();
            return cell(words.values(), words.key(row)?);
        }
        DataType::FixedSizeBinary(_) => Value::from(hex::encode(column.as_fixed_size_binary().value(row))),
        DataType::Binary => Value::from(hex::encode(column.as_binary::<i32>().value(row))),
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            Value::from(EventTime(micros / 1_000).to_rfc3339())
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).filter_map(|item| cell(&items, item)).collect()
        }
        other => panic!("no column has type {other}"),
    })
}

/// Everything that was written of records, as text to look for secrets in.
pub(crate) fn everything(read: &Normalized) -> String {
    let observations: String = read.observations.iter().map(|batch| json_lines(batch.arrow())).collect();
    json_lines(read.events.arrow()) + &json_lines(read.rejects.arrow()) + &observations
}

/// The folder of third-party data, if there is one; it is not part of this repository.
pub(crate) fn third_party() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("WATCHFIRE_TEST_DATA");
    if folder.is_none() {
        eprintln!("skipped: WATCHFIRE_TEST_DATA is not set");
    }
    folder.map(Into::into)
}
