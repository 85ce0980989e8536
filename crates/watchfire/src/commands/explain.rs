//! `watchfire explain`: what becomes of each line, step by step, and why.

mod said;

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use event::{EventTime, LogTopic, RawLog};
use normalize::{Normalizer, Trace};
use pipeline::Clock;

use self::said::Said;
use super::place::since;
use crate::cli::ConfigArgs;
use crate::commands::check::schemas_with;
use crate::commands::lines::{Lines, bytes_of, progress};
use crate::config::{self, Overrides};

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

/// One line of the input, and the way that each event in it took.
struct Taken {
    number: i64,
    text: Vec<u8>,
    traces: Vec<Trace>,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<()> {
    let config = args.config.load(Overrides::default())?;
    let schemas = schemas_with(&config, args.source.as_deref())?;
    let fingerprinter = config::fingerprinter(&config)?;
    let mut normalizer = Normalizer::new(Arc::new(schemas), fingerprinter, config.normalize.options(1));
    let feed = LogTopic::new(&args.partner, &args.feed)?;
    let topic: Arc<str> = feed.name().into();
    let received = args.received.map_or_else(|| Clock::system().now(), EventTime);
    let mut said = Said::new(BufWriter::new(std::io::stdout().lock()), args.json);
    let bar = progress(bytes_of(args.files.iter().map(PathBuf::as_path)));
    let mut number = 0;
    for file in &args.files {
        let (mut lines, mut line) = (Lines::open(Some(file), &bar)?, Vec::new());
        loop {
            let mut taken = Vec::new();
            while taken.len() < LINES_AT_ONCE && lines.next(&mut line)?.is_some() {
                number += 1;
                let raw = RawLog {
                    source: &feed,
                    topic: &topic,
                    partition: 0,
                    offset: number,
                    broker_time: received,
                    payload: &line,
                    format: args.source.as_deref(),
                    shipper_id: None,
                    shipper_seq: None,
                };
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let traces = normalizer.trace(&raw);
                normalizer.normalize(&raw);
                taken.push(Taken { number, text: line.clone(), traces });
            }
            if taken.is_empty() {
                break;
            }
            bar.suspend(|| said.of(&taken, &normalizer.finish()))?;
        }
    }
    bar.finish_and_clear();
    said.end()?.flush()?;
    Ok(())
}
