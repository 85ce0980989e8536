//! `watchfire send`: a log file, or standard input, into a topic, one record a line.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use event::LogTopic;
use kafka::LogWriter;

use super::KafkaArgs;
use super::lines::{Kept, LINE_BYTES_MAX, Lines, bytes_of, progress};

/// Flags of `send`.
#[derive(clap::Args)]
pub(crate) struct SendArgs {
    /// The log, also compressed with gzip or zstd; standard input if left out or `-`.
    file: Option<PathBuf>,
    /// Whose log it is.
    #[arg(long, value_name = "PARTNER")]
    partner: String,
    /// What the partner calls this log; the topic is logs.PARTNER.FEED.
    #[arg(long, value_name = "FEED")]
    feed: String,
    /// Name the source description instead of having the lines recognised.
    #[arg(long, value_name = "SOURCE")]
    format: Option<String>,
    #[command(flatten)]
    kafka: KafkaArgs,
}

const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn run(args: &SendArgs) -> anyhow::Result<()> {
    let topic = LogTopic::new(&args.partner, &args.feed)?.name();
    let writer = LogWriter::new(&args.kafka.connection()?, "send")?;
    let progress = progress(args.file.as_deref().and_then(|file| bytes_of([file])));
    let mut input = Lines::open(args.file.as_deref(), &progress)?;
    let headers: Vec<(&str, &str)> =
        args.format.as_deref().map(|format| ("wf-format", format)).into_iter().collect();
    let began = Instant::now();
    let (mut line, mut lines, mut empty) = (Vec::new(), 0_u64, 0_u64);
    while let Some(kept) = input.next(&mut line)? {
        if kept == Kept::Beginning {
            let (number, sent) = (lines + empty + 1, writer.flush(FLUSH_TIMEOUT)?);
            bail!("line {number} is longer than {LINE_BYTES_MAX} bytes; only the {sent} before it were sent");
        }
        if line.is_empty() {
            empty += 1;
            continue;
        }
        // One partition, so that the file's order is kept.
        writer
            .push(&topic, Some(&args.feed), &line, &headers)
            .with_context(|| format!("send line {}", lines + empty + 1))?;
        lines += 1;
    }
    let acknowledged = writer.flush(FLUSH_TIMEOUT)?;
    progress.finish_and_clear();
    if acknowledged != lines {
        bail!("{lines} lines were sent and {acknowledged} acknowledged");
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{lines} lines sent to {topic} and acknowledged in {seconds:.1} s ({empty} empty lines left out)"
    );
    Ok(())
}
