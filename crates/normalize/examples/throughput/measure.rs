//! One format measured: the same lines recognised, named and only parsed, in turns.

use std::hint::black_box;
use std::sync::Arc;

use event::{EventTime, LogTopic, RawLog, ipc};
use normalize::{Fingerprinter, Normalized, Normalizer, Options, Schemas};
use rustix::time::{ClockId, clock_gettime};

use crate::lines::Format;

const LINES_A_RECORD: usize = 100;
/// How many rows make a batch.
const ROWS_A_BATCH: usize = 5_000;
/// 2026-03-14T09:34:00Z, when the broker has everything that the lines tell of.
const NOW: EventTime = EventTime(1_773_480_840_000);

/// What reading a format costs.
pub(crate) struct Figures {
    pub(crate) bytes_a_line: f64,
    /// CPU seconds for a million events of lines that are recognised, …
    pub(crate) recognised: f64,
    /// … whose record names their source, …
    pub(crate) named: f64,
    /// … and for parsing them.
    pub(crate) parsed: f64,
    pub(crate) megabytes_per_second: f64,
    /// Bytes a line as they go to Kafka before they are compressed: the event, and its observations.
    pub(crate) written: (f64, f64),
    /// Resident memory before the first round and after the last, in bytes.
    pub(crate) resident: (u64, u64),
}

/// The lines of a format, and a normalizer that has to read them again and again.
pub(crate) struct Meter {
    lines: Vec<String>,
    records: Vec<String>,
    source: String,
    normalizer: Normalizer,
}

impl Meter {
    pub(crate) fn new(schemas: &Arc<Schemas>, format: &Format, lines: usize) -> Self {
        let fingerprinter = Fingerprinter::new("k1", b"a pepper for the benchmark").expect("long enough");
        let options = Options { observation_partitions: 4, ..Options::default() };
        let lines: Vec<String> = (0..lines).map(|n| format.line(n)).collect();
        Self {
            records: lines.chunks(LINES_A_RECORD).map(|chunk| chunk.join("\n")).collect(),
            lines,
            source: format.source.clone(),
            normalizer: Normalizer::new(Arc::clone(schemas), fingerprinter, options),
        }
    }

    /// Medians of so many rounds. The one before them, in which caches and buffers grow, does not count.
    pub(crate) fn measure(mut self, rounds: usize) -> Figures {
        let source = self.source.clone();
        let written = self.written();
        let events = self.normalize(None);
        self.normalize(Some(&source));
        self.parse();
        let (mut recognised, mut named, mut parsed) = (Vec::new(), Vec::new(), Vec::new());
        let before = resident_bytes();
        for _ in 0..rounds {
            recognised.push(cpu_seconds(|| self.normalize(None)));
            named.push(cpu_seconds(|| self.normalize(Some(&source))));
            parsed.push(cpu_seconds(|| self.parse()));
        }
        let resident = (before, resident_bytes());
        let bytes = self.lines.iter().map(String::len).sum::<usize>() as f64;
        let recognised = median(recognised);
        let per_million = 1e6 / events as f64;
        Figures {
            bytes_a_line: bytes / self.lines.len() as f64,
            recognised: recognised * per_million,
            named: median(named) * per_million,
            parsed: median(parsed) * per_million,
            megabytes_per_second: bytes / recognised / 1e6,
            written,
            resident,
        }
    }

    /// Reads every line, and says how many events that gave.
    fn normalize(&mut self, format: Option<&str>) -> usize {
        let mut events = 0;
        self.batches(format, |read| events += read.events.len());
        events
    }

    /// How many bytes a line are written of events and of observations.
    fn written(&mut self) -> (f64, f64) {
        let (mut events, mut observations) = (0, 0);
        self.batches(None, |read| {
            events += ipc::encode(read.events.arrow()).len();
            let of_partition = |batch| ipc::encode_observations(batch, &[]).len();
            observations += read.observations.iter().map(of_partition).sum::<usize>();
        });
        let lines = self.lines.len() as f64;
        (events as f64 / lines, observations as f64 / lines)
    }

    /// Reads every line and hands out the batches that come of it.
    fn batches(&mut self, format: Option<&str>, mut each: impl FnMut(&Normalized)) {
        let source = LogTopic::new("prt_acme", "edge").expect("a topic");
        let topic: Arc<str> = source.name().into();
        for (offset, record) in self.records.iter().enumerate() {
            self.normalizer.normalize(&RawLog {
                source: &source,
                topic: &topic,
                partition: 0,
                offset: offset as i64,
                broker_time: NOW,
                payload: record.as_bytes(),
                format,
                shipper_id: None,
                shipper_seq: None,
                redriven_from: None,
            });
            if self.normalizer.rows() >= ROWS_A_BATCH {
                each(&finish(&mut self.normalizer));
            }
        }
        each(&finish(&mut self.normalizer));
    }

    /// What any reader of the lines has to do: JSON becomes a tree, text is checked to be UTF-8 and
    /// searched for its end.
    fn parse(&self) {
        for line in &self.lines {
            if line.starts_with(['{', '[']) && line.ends_with(['}', ']']) {
                black_box(sonic_rs::from_str::<sonic_rs::Value>(line).ok());
            } else {
                let text = std::str::from_utf8(black_box(line.as_bytes()));
                black_box(text.map(|text| memchr::memchr(b'\n', text.as_bytes())).ok());
            }
        }
    }
}

/// Ends a batch.
fn finish(normalizer: &mut Normalizer) -> Normalized {
    let read = black_box(normalizer.finish());
    if let Some(reject) = read.rejects.rows().next() {
        panic!("every line is an event, and this is none: {reject:?}");
    }
    read
}

/// What a run takes of this thread's CPU.
fn cpu_seconds<T>(run: impl FnOnce() -> T) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let began = now();
    black_box(run());
    now() - began
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What Linux counts as resident of this process.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1_024
}
