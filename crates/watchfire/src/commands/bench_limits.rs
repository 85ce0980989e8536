//! `watchfire bench-limits`: what reading alone and parsing alone cost, in the same run as a benchmark.

use std::time::Duration;

use kafka::{Budget, KafkaSource, SourceOptions};
use pipeline::{Reader, RecordView, Source, SourceError, StartAt, TopicPartition};

use super::KafkaArgs;
use crate::telemetry::Usage;
use stages::topics;

/// Flags of `bench-limits`.
#[derive(clap::Args)]
pub(crate) struct BenchLimitsArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Consumer group; a new one reads from the beginning.
    #[arg(long, default_value = "watchfire-bench-limits")]
    group: String,
}

/// Keeps what it is read, or only counts it.
#[derive(Default)]
struct Sample {
    keep: usize,
    records: u64,
    bytes: u64,
    kept: Vec<Vec<u8>>,
}

impl Reader for Sample {
    fn assigned(&mut self, _: &[TopicPartition]) -> Result<(), SourceError> {
        Ok(())
    }
    fn revoked(&mut self, _: &[TopicPartition]) {}
    fn record(&mut self, record: RecordView<'_>) {
        self.records += 1;
        self.bytes += record.payload.len() as u64;
        if self.kept.len() < self.keep {
            self.kept.push(record.payload.to_vec());
        }
    }
}

pub(crate) fn run(args: &BenchLimitsArgs) -> anyhow::Result<()> {
    let consume = read_all(args, "consume", 0)?;
    let parse = parse(&read_all(args, "parse", 200_000)?.1.kept);
    let (cpu_seconds, sample) = consume;
    let millions = sample.records as f64 / 1e6;
    println!(
        "{}",
        serde_json::json!({
            "records": sample.records,
            "mean_bytes": sample.bytes as f64 / sample.records.max(1) as f64,
            "consume_cpu_seconds_per_million": cpu_seconds / millions.max(1e-9),
            "parse_cpu_seconds_per_million": parse,
        })
    );
    Ok(())
}

fn read_all(args: &BenchLimitsArgs, name: &str, keep: usize) -> anyhow::Result<(f64, Sample)> {
    let before = Usage::now().cpu_seconds;
    let options = SourceOptions {
        name: "bench-limits",
        group: format!("{}-{name}", args.group),
        topics: vec![topics::LOGS.to_owned()],
        start_at: StartAt::Committed,
        budget: Budget {
            wait: Duration::from_millis(100),
            linger: Duration::from_millis(100),
            records_max: 20_000,
            bytes_max: 4 << 20,
        },
        discovery: Duration::from_secs(1),
        tell_behind: false,
    };
    let mut source = KafkaSource::subscribe(&args.kafka.connection()?, options, Box::new(|_| {}))?;
    let mut sample = Sample { keep, ..Sample::default() };
    while !source.next_batch(&mut sample)?.caught_up && (keep == 0 || sample.kept.len() < keep) {}
    Ok((Usage::now().cpu_seconds - before, sample))
}

/// CPU seconds to parse a million such JSON lines into a generic value.
fn parse(lines: &[Vec<u8>]) -> f64 {
    let json: Vec<&Vec<u8>> = lines.iter().filter(|line| line.first() == Some(&b'{')).collect();
    if json.is_empty() {
        return 0.0;
    }
    let before = Usage::now().cpu_seconds;
    let rounds = (1_000_000 / json.len()).max(1);
    let mut parsed = 0_u64;
    for _ in 0..rounds {
        for line in &json {
            parsed += u64::from(sonic_rs::from_slice::<sonic_rs::Value>(line).is_ok());
        }
    }
    (Usage::now().cpu_seconds - before) / (parsed.max(1) as f64 / 1e6)
}
