//! `watchfire explain`: what becomes of each line, step by step, and why.

mod said;

use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;

use event::{EventTime, LogTopic, RawLog};
use normalize::{Normalizer, Trace};
use pipeline::Clock;

use self::said::Said;
use super::is_broken_pipe;
use super::place::since;
use crate::cli::ConfigArgs;
use crate::commands::lines::{Lines, bytes_of, progress};
use crate::config::Overrides;
use crate::knowledge::Knowledge;

/// Flags of `explain`.
#[derive(clap::Args)]
pub(crate) struct ExplainArgs {
    /// Logs, also compressed with gzip or zstd; `-` is standard input.
    #[arg(default_value = "-")]
    files: Vec<PathBuf>,
    /// Name the source description instead of having the lines recognised.
    #[arg(long, value_name = "SOURCE", visible_alias = "format")]
    source: Option<String>,
    /// Whose logs they are.
    #[arg(long, value_name = "PARTNER", default_value = "explain")]
    partner: String,
    /// What the partner calls them.
    #[arg(long, value_name = "FEED", default_value = "explain")]
    feed: String,
    /// When they were received: an RFC 3339 time, a day, or a time ago (2h, 7d). Stamps without a
    /// year are taken for the last such day before it, and stamps after it for wrong [default: now].
    #[arg(long, value_name = "WHEN", value_parser = since)]
    received: Option<i64>,
    /// One JSON object for each event or reject: the flat columns, and before them `line`, `verdict`,
    /// `wrappers`, `recognised`, `confidence` and `because`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Lines that are read before any of them is printed.
const LINES_AT_ONCE: usize = 256;

/// Events and rejects after which those that there are are printed: one line may hold many.
const ROWS_AT_ONCE: usize = 4_096;

/// One line of the input, and the way that each event in it took.
struct Taken {
    number: i64,
    bytes: usize,
    traces: Vec<Trace>,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<()> {
    match explain(args) {
        // `watchfire explain … | head` has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        explained => explained,
    }
}

fn explain(args: &ExplainArgs) -> anyhow::Result<()> {
    let config = args.config.load(Overrides::default())?;
    let normalizer = Knowledge::normalizer(&config, args.source.as_deref())?;
    let feed = LogTopic::new(&args.partner, &args.feed)?;
    let mut reader = Reader {
        normalizer,
        topic: feed.name().into(),
        feed,
        received: args.received.map_or_else(|| Clock::system().now(), EventTime),
        source: args.source.as_deref(),
        number: 0,
    };
    let mut said = Said::new(BufWriter::new(std::io::stdout().lock()), args.json);
    let bar = progress(bytes_of(args.files.iter().map(PathBuf::as_path)));
    for file in &args.files {
        let mut lines = Lines::open(Some(file), &bar)?;
        loop {
            let taken = reader.take_some(&mut lines)?;
            if taken.is_empty() {
                break;
            }
            bar.suspend(|| said.of(&taken, &reader.normalizer.finish()))?;
        }
    }
    bar.finish_and_clear();
    said.end()
}

/// Reads lines one by one, each as a record of its own.
struct Reader<'a> {
    normalizer: Normalizer,
    topic: Arc<str>,
    feed: LogTopic,
    received: EventTime,
    source: Option<&'a str>,
    number: i64,
}

impl Reader<'_> {
    /// The next lines that are not blank; none at the end.
    fn take_some(&mut self, lines: &mut Lines) -> anyhow::Result<Vec<Taken>> {
        let (mut taken, mut line) = (Vec::new(), Vec::new());
        while taken.len() < LINES_AT_ONCE
            && self.normalizer.rows() < ROWS_AT_ONCE
            && lines.next(&mut line)?.is_some()
        {
            self.number += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let raw = RawLog {
                source: &self.feed,
                topic: &self.topic,
                partition: 0,
                offset: self.number,
                broker_time: self.received,
                payload: &line,
                format: self.source,
                shipper_id: None,
                shipper_seq: None,
                redriven_from: None,
            };
            let traces = self.normalizer.trace(&raw);
            self.normalizer.normalize(&raw);
            taken.push(Taken { number: self.number, bytes: line.len(), traces });
        }
        Ok(taken)
    }
}
