//! A line means the same however lines were put into records, and records into batches.

use std::collections::BTreeMap;

use arrow::record_batch::RecordBatch;
use event::ObservationKind;
use normalize::Normalized;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::feed::{feed, json_lines, normalizer};
use crate::pool::{holds_several, samples, sources};

/// What stands between a line and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The same record, after `\n`.
    Newline,
    /// The same record, after `\r\n`.
    CarriageReturn,
    /// The same record, after blank lines, which are none.
    Blank,
    /// Another record.
    Record,
    /// Another batch.
    Batch,
}

/// What became of some lines: events and rejects in their order, and what detectors are given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdicts {
    events: Vec<String>,
    rejects: Vec<String>,
    /// What is observed of a token, an account or an address, in order of its text: the batches of
    /// partitions have no order among them.
    observed: Vec<String>,
    /// How much was counted. A count is folded within a batch, so only its sum is the same; the rows
    /// of `source` are told apart by the delay nearest to zero, which a batch's border changes.
    counted: BTreeMap<String, i64>,
}

impl Verdicts {
    fn add(&mut self, read: &Normalized) {
        // What is hashed from a place changes with it, as the place itself.
        self.events.extend(rows(read.events.arrow(), &["event_id", "kafka_offset", "kafka_line"]));
        self.rejects.extend(rows(read.rejects.arrow(), &["reject_id", "kafka_offset", "kafka_line"]));
        for row in read.observations.iter().flat_map(|batch| objects(batch.arrow())) {
            self.observe(row);
        }
    }

    fn observe(&mut self, mut row: Map<String, Value>) {
        let is = |kind: ObservationKind| row["kind"] == kind.code();
        let counted = is(ObservationKind::Requests) || is(ObservationKind::Source);
        let by: &[&str] = match counted {
            true if is(ObservationKind::Source) => &["kind", "tenant", "kafka_topic"],
            _ => &["kind", "tenant", "time", "source_format", "partner_id", "route", "status"],
        };
        if counted {
            let key: Vec<String> =
                by.iter().map(|name| row.get(*name).unwrap_or_default().to_string()).collect();
            *self.counted.entry(key.join(" ")).or_default() += row["count"].as_i64().unwrap_or_default();
            return;
        }
        // Which delivery a line is depends on where it stands if neither a sequence number nor a
        // server's id tells, and on its equals in the same record.
        for place in ["event_id", "kafka_offset", "kafka_line", "delivery"] {
            row.remove(place);
        }
        self.observed.push(Value::Object(row).to_string());
    }
}

fn objects(batch: &RecordBatch) -> Vec<Map<String, Value>> {
    json_lines(batch).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn rows(batch: &RecordBatch, without: &[&str]) -> Vec<String> {
    let strip = |mut row: Map<String, Value>| {
        row.retain(|column, _| !without.contains(&column.as_str()));
        Value::Object(row).to_string()
    };
    objects(batch).into_iter().map(strip).collect()
}

/// Reads lines; `cuts` say what stands before each.
fn read(lines: &[Vec<u8>], cuts: impl IntoIterator<Item = Cut>, format: Option<&str>) -> Verdicts {
    let mut normalizer = normalizer(3, &[]);
    let mut verdicts = Verdicts::default();
    let (mut record, mut offset) = (Vec::new(), 0);
    for (n, (line, cut)) in lines.iter().zip(cuts).enumerate() {
        match cut {
            _ if n == 0 => {}
            Cut::Newline => record.push(b'\n'),
            Cut::CarriageReturn => record.extend(b"\r\n"),
            Cut::Blank => record.extend(b"\n\n \t\r\n"),
            Cut::Record | Cut::Batch => {
                feed(&mut normalizer, offset, &record, format);
                offset += 1;
                record.clear();
            }
        }
        if cut == Cut::Batch {
            verdicts.add(&normalizer.finish());
        }
        record.extend(line);
    }
    feed(&mut normalizer, offset, &record, format);
    verdicts.add(&normalizer.finish());
    verdicts.observed.sort();
    verdicts
}

/// A line of a sample, or the first part of one, perhaps the first of a file with a byte order mark.
/// An array that was cut could end in a later line.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    let mark = prop_oneof![1 => Just("\u{feff}"), 7 => Just("")];
    (prop::sample::select(samples()), whole, mark).prop_map(|(sample, end, mark)| {
        let bytes = sample.line.as_bytes();
        let end = end.filter(|_| !holds_several(bytes)).map_or(bytes.len(), |end| 1 + end.index(bytes.len()));
        [mark.as_bytes(), &bytes[..end]].concat()
    })
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![
        4 => Just(Cut::Newline),
        2 => Just(Cut::CarriageReturn),
        1 => Just(Cut::Blank),
        4 => Just(Cut::Record),
        2 => Just(Cut::Batch),
    ]
}

fn format() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        3 => Just(None),
        1 => prop::sample::select(sources()).prop_map(Some),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lines_verdict_does_not_depend_on_how_lines_were_cut_into_records(
        lines in prop::collection::vec(line(), 1..24),
        cuts in prop::collection::vec(cut(), 24),
        format in format(),
    ) {
        let alone = read(&lines, std::iter::repeat(Cut::Record), format);
        for layout in [Cut::Newline, Cut::CarriageReturn, Cut::Blank] {
            let together = read(&lines, std::iter::repeat(layout), format);
            compare(&alone, &together, &lines)?;
        }
        compare(&alone, &read(&lines, cuts, format), &lines)?;
    }
}

fn compare(one: &Verdicts, other: &Verdicts, lines: &[Vec<u8>]) -> Result<(), TestCaseError> {
    prop_assert_eq!(&one.events, &other.events);
    prop_assert_eq!(&one.rejects, &other.rejects);
    prop_assert_eq!(&one.observed, &other.observed);
    // A delivery is counted once in a batch. Two equal lines are two deliveries in one record, one in
    // two records of a batch, two in two batches.
    // A byte order mark is none of a line.
    let bare = |line: &Vec<u8>| line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).to_vec();
    let mut distinct: Vec<Vec<u8>> = lines.iter().map(bare).collect();
    distinct.sort();
    distinct.dedup();
    if distinct.len() == lines.len() {
        prop_assert_eq!(&one.counted, &other.counted);
    }
    Ok(())
}
