//! `watchfire generate`: realistic partner traffic to a file, standard output or Kafka.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use event::EventTime;
use indicatif::{ProgressBar, ProgressStyle};
use kafka::LogWriter;
use pipeline::Clock;
use testkit::traffic::{Attacks, Traffic, TrafficConfig, file_line};

use super::KafkaArgs;

/// Flags of `generate`.
#[derive(clap::Args)]
pub(crate) struct GenerateArgs {
    /// The same seed gives the same traffic.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many partners.
    #[arg(long, default_value_t = 8)]
    partners: usize,
    /// How many lines; without it, until stopped.
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    /// Mean lines a second of event time.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 50.0)]
    density: f64,
    /// Lines a second as they are written; without it, full speed.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// Event time to begin at [default: so long ago that it ends about now].
    #[arg(long, value_name = "RFC3339")]
    start: Option<DateTime<Utc>>,
    /// Put labelled attacks in.
    #[arg(long)]
    attacks: bool,
    /// Write what was put in, one JSON object a line.
    #[arg(long, value_name = "FILE", requires = "attacks")]
    labels: Option<PathBuf>,
    /// Write {"topic", "line"} objects to a file, or to standard output with `-`, instead of Kafka.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    kafka: KafkaArgs,
}

pub(crate) fn run(args: &GenerateArgs) -> anyhow::Result<()> {
    let mut traffic = Traffic::new(args.traffic());
    let mut target = Target::open(args)?;
    let progress = progress(args.events);
    let began = Instant::now();
    let mut lines = 0_u64;
    for line in traffic.by_ref() {
        if args.events.is_some_and(|events| lines >= events) {
            break;
        }
        if let Some(rate) = args.rate {
            wait_until(began + Duration::from_secs_f64(lines as f64 / rate));
        }
        target.write(&line)?;
        lines += 1;
        if lines.is_multiple_of(1_000) {
            progress.set_position(lines);
        }
    }
    target.close()?;
    progress.finish_and_clear();
    if let Some(path) = &args.labels {
        let mut file =
            BufWriter::new(File::create(path).with_context(|| format!("write {}", path.display()))?);
        for label in traffic.labels() {
            serde_json::to_writer(&mut file, label)?;
            writeln!(file)?;
        }
        file.flush()?;
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{lines} lines in {seconds:.1} s, {} attacks", traffic.labels().len());
    Ok(())
}

impl GenerateArgs {
    fn traffic(&self) -> TrafficConfig {
        let span_ms = self.events.map_or(0.0, |events| events as f64 / self.density.max(0.001) * 1_000.0);
        let start = match self.start {
            Some(start) => EventTime(start.timestamp_millis()),
            None => Clock::system().now() - span_ms as i64,
        };
        let attacks = if self.attacks { Attacks::default_some() } else { Attacks::None };
        TrafficConfig {
            seed: self.seed,
            partners: self.partners,
            events_per_second: self.density,
            start,
            attacks,
            ..TrafficConfig::default()
        }
    }
}

/// Where lines go.
enum Target {
    File(BufWriter<Box<dyn Write>>),
    Kafka(LogWriter),
}

impl Target {
    fn open(args: &GenerateArgs) -> anyhow::Result<Self> {
        let Some(path) = &args.out else {
            return Ok(Self::Kafka(LogWriter::new(&args.kafka.connection()?, "generate")?));
        };
        let out: Box<dyn Write> = if path.as_os_str() == "-" {
            Box::new(std::io::stdout())
        } else {
            Box::new(File::create(path).with_context(|| format!("write {}", path.display()))?)
        };
        Ok(Self::File(BufWriter::with_capacity(1 << 20, out)))
    }

    fn write(&mut self, line: &testkit::traffic::Line) -> anyhow::Result<()> {
        match self {
            Self::File(out) => writeln!(out, "{}", file_line(line)).context("write"),
            Self::Kafka(writer) => writer.push(&line.topic.name(), None, &line.bytes, &[]).context("send"),
        }
    }

    fn close(self) -> anyhow::Result<()> {
        match self {
            Self::File(mut out) => out.flush().context("write"),
            Self::Kafka(writer) => match writer.flush(Duration::from_secs(120)) {
                Ok(_) => Ok(()),
                Err(error) => bail!("{error}"),
            },
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a generator that keeps to a rate has nothing to wait for but time"
)]
fn wait_until(moment: Instant) {
    let ahead = moment.saturating_duration_since(Instant::now());
    if ahead > Duration::from_millis(1) {
        std::thread::sleep(ahead);
    }
}

fn progress(events: Option<u64>) -> ProgressBar {
    let bar = events.map_or_else(ProgressBar::no_length, ProgressBar::new);
    match ProgressStyle::with_template(
        "{elapsed_precise} {bar:40} {human_pos}/{human_len} lines {per_sec} {eta}",
    ) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
