//! From a raw log to rows: each line becomes exactly one event or one reject.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    EventBatch, EventBatchBuilder, EventRow, EventTime, ObservationBatch, RawLog, RejectBatch,
    RejectBatchBuilder, RejectReason, RejectRow, SourceProgress,
};

use crate::client::Networks;
use crate::counts::Counts;
use crate::enrich::Enrichment;
use crate::fingerprint::Fingerprinter;
use crate::formats::Unreadable;
use crate::limits::Limits;
use crate::line::{Failure, Line, LineReader};
use crate::observations::Observations;
use crate::observe::Seen;
use crate::record::Lines;
use crate::reject;
use crate::schema::Schemas;
use crate::trace::{Trace, trace};

/// How raw logs are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds on what is read at all.
    pub limits: Limits,
    /// Into how many partitions observations are routed.
    pub observation_partitions: i32,
    /// The source of a topic or, where the topic is not named, of a feed. A record's `wf-format`
    /// header goes before it; where neither says anything the line itself is looked at.
    pub formats: BTreeMap<String, String>,
    /// By topic, feed or source: the proxies that are believed when they say for whom they speak.
    pub trusted_hops: BTreeMap<String, Networks>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            observation_partitions: 1,
            formats: BTreeMap::new(),
            trusted_hops: BTreeMap::new(),
        }
    }
}

/// What became of the raw logs since the last batch.
#[derive(Debug)]
pub struct Normalized {
    /// The events.
    pub events: EventBatch,
    /// The lines that could not be read.
    pub rejects: RejectBatch,
    /// The observations; the index is the partition.
    pub observations: Vec<ObservationBatch>,
    /// How far each topic and partition had come, in order of their names.
    pub progress: Vec<SourceProgress>,
    /// The same in numbers.
    pub counts: Counts,
}

/// Turns raw logs into rows until they are asked for.
pub struct Normalizer {
    reader: LineReader,
    events: EventBatchBuilder,
    rejects: RejectBatchBuilder,
    observations: Observations,
    progress: BTreeMap<(Arc<str>, i32), (EventTime, EventTime)>,
    counts: Counts,
    /// Topic, partition and offset of the record whose events were taken again last.
    again: Option<(Arc<str>, i32, i64)>,
}

impl Normalizer {
    /// A normalizer that has read nothing yet.
    pub fn new(schemas: Arc<Schemas>, fingerprinter: Fingerprinter, options: Options) -> Self {
        Self {
            observations: Observations::new(options.observation_partitions),
            reader: LineReader::new(schemas, fingerprinter, options),
            events: EventBatchBuilder::default(),
            rejects: RejectBatchBuilder::default(),
            progress: BTreeMap::new(),
            counts: Counts::default(),
            again: None,
        }
    }

    /// Reads on with these descriptions, and with what else is known.
    pub fn learn(&mut self, schemas: Arc<Schemas>, enrichment: Arc<Enrichment>) {
        self.reader.learn(schemas, enrichment);
    }

    /// Reads one record.
    pub fn normalize(&mut self, raw: &RawLog<'_>) {
        self.counts.records += 1;
        self.observations.record();
        let event_time_max = self.record(raw);
        // Where the broker gave no time the events' own has to do, or watermarks would stand still.
        let now = raw.ingest_time().unwrap_or(event_time_max);
        self.progress((Arc::clone(raw.topic), raw.partition), event_time_max, now);
    }

    /// Reads a record's lines, and says which of them happened last.
    fn record(&mut self, raw: &RawLog<'_>) -> EventTime {
        let mut event_time_max = EventTime::MIN;
        let limits = self.reader.limits().clone();
        if raw.payload.len() > limits.record_bytes_max {
            let unreadable =
                Unreadable::new(RejectReason::TooLong, "the record is longer than a record may be");
            self.reject(raw, 0, raw.payload, None, unreadable);
            return event_time_max;
        }
        let mut lines = Lines::of(raw.payload);
        let (mut number, mut read) = (0, 0);
        while let Some(bytes) = lines.next() {
            // A blank line says nothing, but those behind it keep their numbers.
            if !bytes.trim_ascii().is_empty() {
                if read == limits.lines_max {
                    let detail = format!(
                        "{} bytes follow the last line that is read",
                        bytes.len() + lines.remainder()
                    );
                    let unreadable = Unreadable::new(RejectReason::TooManyLines, detail);
                    self.reject(raw, number, &bytes, None, unreadable);
                    return event_time_max;
                }
                event_time_max = event_time_max.max(self.line(raw, number, &bytes));
                read += 1;
            }
            number += 1;
        }
        if read == 0 {
            let unreadable = Unreadable::new(RejectReason::Empty, "there is nothing but white space");
            self.reject(raw, 0, raw.payload, None, unreadable);
        }
        event_time_max
    }

    /// Takes an event that was read and stored before. It is not read again, and no row is made of it:
    /// detectors are given what they were given of it then. Events come in the order in which their
    /// lines stand in the log. `false` if it does not say what that was, as one that was stored by a
    /// version without the column `observed`.
    pub fn again(&mut self, row: &EventRow<'_>) -> bool {
        let seen = row.observed.as_deref().and_then(Seen::parse);
        let (Some(seen), Some(topic)) = (seen, row.kafka_topic.as_deref()) else { return false };
        let place = (topic, row.kafka_partition.unwrap_or_default(), row.kafka_offset.unwrap_or_default());
        let known = self.again.as_ref().map(|(topic, partition, offset)| (&**topic, *partition, *offset));
        if known != Some(place) {
            let topic = match &self.again {
                Some((known, ..)) if **known == *topic => Arc::clone(known),
                _ => topic.into(),
            };
            self.again = Some((topic, place.1, place.2));
            self.counts.records += 1;
            self.observations.record();
        }
        self.counts.lines += 1;
        self.counts.events += 1;
        self.observations.add(row, &seen);
        let time = row.time.unwrap_or(EventTime::MIN);
        if let Some((topic, partition, _)) = &self.again {
            let at = (Arc::clone(topic), *partition);
            self.progress(at, time, row.ingest_time.unwrap_or(time));
        }
        true
    }

    /// How the lines of a record are taken, for whoever wants to know why they become what they do.
    pub fn trace(&self, raw: &RawLog<'_>) -> Vec<Trace> {
        trace(&self.reader, self.reader.schemas(), raw)
    }

    /// How many events and rejects wait for [`Normalizer::finish`]. One record can become as many as
    /// [`Limits::lines_max`], so whoever bounds a batch asks after each record.
    pub fn rows(&self) -> usize {
        self.events.len() + self.rejects.len()
    }

    /// Hands out what was read, and starts anew.
    pub fn finish(&mut self) -> Normalized {
        let progress = std::mem::take(&mut self.progress).into_iter();
        Normalized {
            events: self.events.finish(),
            rejects: self.rejects.finish(),
            observations: self.observations.finish(),
            progress: progress
                .map(|((topic, partition), (event_time_max, broker_time))| {
                    SourceProgress::read(format!("{topic}/{partition}"), event_time_max, broker_time)
                })
                .collect(),
            counts: std::mem::take(&mut self.counts),
        }
    }

    /// Reads a line, and says when what it tells of happened.
    fn line(&mut self, raw: &RawLog<'_>, number: i32, bytes: &[u8]) -> EventTime {
        let line = Line { raw, number, bytes };
        // The schemas are lent to the row, which outlives the borrow of the reader.
        let schemas = Arc::clone(self.reader.schemas());
        let text = crate::text::readable(bytes);
        let found;
        let read = match guarded(|| self.reader.find(&schemas, &line, &text)) {
            Some(Ok(line_inside)) => {
                found = line_inside;
                guarded(|| self.reader.read(&line, &text, &found))
            }
            Some(Err(unreadable)) => Some(Err(Failure { source: None, unreadable })),
            None => None,
        };
        match read {
            Some(Ok(read)) => {
                self.counts.lines += 1;
                self.counts.events += 1;
                for flag in &read.row.flags {
                    self.counts.flag(flag);
                }
                self.observations.add(&read.row, &read.seen);
                self.events.append(&read.row);
                read.row.time.unwrap_or(EventTime::MIN)
            }
            Some(Err(failure)) => {
                self.reject(raw, number, bytes, failure.source, failure.unreadable);
                EventTime::MIN
            }
            None => {
                let unreadable =
                    Unreadable::new(RejectReason::InternalError, "a bug of Watchfire: its log says where");
                self.reject(raw, number, bytes, None, unreadable);
                EventTime::MIN
            }
        }
    }

    fn reject(
        &mut self,
        raw: &RawLog<'_>,
        number: i32,
        bytes: &[u8],
        source: Option<&str>,
        unreadable: Unreadable,
    ) {
        self.counts.lines += 1;
        self.observations.unreadable(raw, number);
        *self.counts.rejects.entry(unreadable.reason).or_default() += 1;
        let fingerprinter = self.reader.fingerprinter().at(raw.broker_time);
        let excerpt = guarded(|| reject::excerpt(bytes, self.reader.limits(), fingerprinter));
        let excerpt = excerpt.unwrap_or_else(|| "[withheld]".to_owned());
        self.rejects.append(&RejectRow {
            reject_id: Some(reject::id(raw, number).into()),
            time: raw.ingest_time(),
            tenant: Some(raw.source.tenant.as_str().into()),
            feed: Some((&*raw.source.feed).into()),
            kafka_topic: Some((&**raw.topic).into()),
            kafka_partition: Some(raw.partition),
            kafka_offset: Some(raw.offset),
            kafka_line: Some(number),
            source_format: source.map(Into::into),
            reason: Some(unreadable.reason.as_str().into()),
            detail: Some(unreadable.detail),
            bytes: i64::try_from(bytes.len()).ok(),
            excerpt: Some(excerpt.into()),
            redriven_from: raw.redriven_from.map(Into::into),
            raw_hash: Some(fingerprinter.line(bytes)),
        });
    }

    fn progress(&mut self, at: (Arc<str>, i32), time: EventTime, now: EventTime) {
        let (event_time_max, broker_time) = self.progress.entry(at).or_insert((EventTime::MIN, now));
        *event_time_max = (*event_time_max).max(time);
        *broker_time = (*broker_time).max(now);
    }
}

/// What `read` gives, or `None` if it panicked. A panic is our bug, but the record would be read
/// again and again and stop every partner behind it, so the line is rejected instead. Nothing is
/// written to a batch in there, so nothing is left half done.
fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).ok()
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_bug_in_reading_a_line_is_contained() {
        assert_eq!(guarded(|| 7), Some(7));
        assert_eq!(guarded(|| -> u8 { panic!("a bug") }), None);
    }
}
