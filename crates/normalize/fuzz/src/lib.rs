//! What the fuzz targets do: bytes in, and nothing may panic or get lost on the way to rows.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use event::{EventTime, LogTopic, RawLog};
use normalize::{Fingerprinter, Normalizer, Options, Schemas};

static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Arc::new(Schemas::built_in()));

thread_local! {
    // One for all inputs: what it keeps from one to the next must not matter either.
    static NORMALIZER: RefCell<Normalizer> = RefCell::new(normalizer(Arc::clone(&SCHEMAS)));
}

/// A line as the source that its first byte chooses.
pub fn named(bytes: &[u8]) {
    let names = SCHEMAS.names();
    if let [which, line @ ..] = bytes {
        read(line, Some(names[*which as usize % names.len()]));
    }
}

/// A record of nobody's.
pub fn recognised(bytes: &[u8]) {
    read(bytes, None);
}

/// The records of an export request of OTLP, and anything that only begins like one.
pub fn otlp(bytes: &[u8]) {
    let begin = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":["#;
    read(&[begin, bytes, b"]}]}]}"].concat(), None);
    read(&[br#"{"resourceLogs":"#, bytes].concat(), None);
}

/// The elements of an array.
pub fn array(bytes: &[u8]) {
    read(&[b"[{", bytes, b"]"].concat(), None);
}

/// How the lines of a record were taken.
pub fn trace(bytes: &[u8]) {
    NORMALIZER.with_borrow(|normalizer| with_record(bytes, None, |raw| normalizer.trace(raw)));
}

/// A description, and a line that is read by it: what stands behind the first NUL.
pub fn schema(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (yaml, line) = (parts.next().unwrap_or_default(), parts.next().unwrap_or(b"a 1"));
    let dir = tempfile::tempdir().expect("there is room");
    std::fs::create_dir(dir.path().join("mine")).expect("there is room");
    std::fs::write(dir.path().join("mine/schema.yaml"), yaml).expect("there is room");
    match Schemas::load(dir.path()) {
        Ok(schemas) => read_by(&mut normalizer(Arc::new(schemas)), line, Some("mine")),
        Err(error) => assert!(!error.problem.is_empty() && !error.cure.is_empty()),
    }
}

fn normalizer(schemas: Arc<Schemas>) -> Normalizer {
    let fingerprinter = Fingerprinter::new("k1", b"a pepper for the fuzzers").expect("long enough");
    Normalizer::new(schemas, fingerprinter, Options { observation_partitions: 3, ..Options::default() })
}

fn read(payload: &[u8], format: Option<&str>) {
    NORMALIZER.with_borrow_mut(|normalizer| read_by(normalizer, payload, format));
}

/// Reads a record: each of its lines is an event or a reject, and none met a bug.
fn read_by(normalizer: &mut Normalizer, payload: &[u8], format: Option<&str>) {
    with_record(payload, format, |raw| normalizer.normalize(raw));
    let read = normalizer.finish();
    assert!(read.counts.lines >= 1);
    assert_eq!(read.counts.lines, (read.events.len() + read.rejects.len()) as u64);
    assert!(read.rejects.rows().all(|row| row.reason.as_deref() != Some("internal_error")));
}

fn with_record<T>(payload: &[u8], format: Option<&str>, take: impl FnOnce(&RawLog<'_>) -> T) -> T {
    let source = LogTopic::new("prt_acme", "edge").expect("a topic");
    let topic: Arc<str> = source.name().into();
    take(&RawLog {
        source: &source,
        topic: &topic,
        partition: 0,
        offset: 7,
        broker_time: EventTime(1_773_480_840_000),
        payload,
        format,
        shipper_id: None,
        shipper_seq: None,
        redriven_from: None,
    })
}
