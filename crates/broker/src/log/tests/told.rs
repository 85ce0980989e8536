//! What a start tells the operator of what it did to a log.

use std::fmt::{Debug, Write};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

/// Keeps each line with its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

/// One line on its way.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Opens a log, and checks that one line tells all of this.
fn check_told(dir: &Path, parts: &[&str]) {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || drop(Log::open(dir, 0).unwrap()));
    let lines = lines.0.lock().unwrap();
    let tells_all = |line: &String| parts.iter().all(|part| line.contains(part));
    assert!(lines.iter().any(tells_all), "{lines:#?}");
}

#[test]
fn a_torn_log_is_told_with_file_bytes_and_offset() {
    let dir = TempDir::new().unwrap();
    ten_batches(dir.path(), 5);
    flip(dir.path(), 7);
    let file = format!("path={}", newest_segment(dir.path()).display());
    check_told(dir.path(), &["WARN", "log was torn", &file, "lost_bytes=243", "end_offset=7", "checksum"]);
}

#[test]
fn a_damaged_log_is_told_with_file_position_and_offsets() {
    let dir = TempDir::new().unwrap();
    ten_batches(dir.path(), 10);
    flip(dir.path(), 3);
    read_until_damage(dir.path());
    let file = format!("path={}", newest_segment(dir.path()).display());
    check_told(dir.path(), &["ERROR", "log is damaged", &file, "position=243", "offset=3", "next_offset=4"]);
}
