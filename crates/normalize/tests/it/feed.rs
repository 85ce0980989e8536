//! Feeds records to a normalizer, as a broker would hand them over.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{EventTime, LogTopic, RawLog};
use normalize::{Fingerprinter, Normalized, Normalizer, Options, Schemas};

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
    Normalizer::new(Arc::new(Schemas::built_in()), fingerprinter(), options)
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
    let source = LogTopic::new("prt_acme", "edge").unwrap();
    let topic: Arc<str> = source.name().into();
    normalizer.normalize(&RawLog {
        source: &source,
        topic: &topic,
        partition: 0,
        offset,
        broker_time,
        payload,
        format,
        shipper_id: None,
        shipper_seq: None,
    });
}

/// What becomes of a single record.
pub(crate) fn read(payload: impl AsRef<[u8]>, format: Option<&str>) -> Normalized {
    let mut normalizer = normalizer(1, &[]);
    feed(&mut normalizer, 7, payload.as_ref(), format);
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
pub(crate) fn json_lines(batch: &arrow::record_batch::RecordBatch) -> String {
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    String::from_utf8(writer.into_inner()).unwrap()
}
