//! `watchfire send`: a log file, or standard input, into a topic, one record a line.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use event::LogTopic;
use indicatif::{ProgressBar, ProgressStyle};
use kafka::LogWriter;

use super::KafkaArgs;

/// Flags of `send`.
#[derive(clap::Args)]
pub(crate) struct SendArgs {
    /// The log; standard input if left out or `-`.
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

/// Longer lines are cut off: no broker would take them, and a file without newlines must not fill memory.
const LINE_BYTES_MAX: usize = 8 << 20;
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn run(args: &SendArgs) -> anyhow::Result<()> {
    let topic = LogTopic::new(&args.partner, &args.feed)?.name();
    let writer = LogWriter::new(&args.kafka.connection()?, "send")?;
    let (mut input, bytes) = open(args.file.as_deref())?;
    let progress = progress(bytes);
    let headers: Vec<(&str, &str)> =
        args.format.as_deref().map(|format| ("wf-format", format)).into_iter().collect();
    let began = Instant::now();
    let (mut line, mut lines, mut empty) = (Vec::new(), 0_u64, 0_u64);
    while read_line(&mut input, &mut line, &progress)? {
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

fn open(file: Option<&Path>) -> anyhow::Result<(Box<dyn BufRead>, Option<u64>)> {
    match file {
        Some(path) if path != Path::new("-") => {
            let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
            let bytes = file.metadata().ok().map(|metadata| metadata.len());
            Ok((Box::new(BufReader::with_capacity(1 << 20, file)), bytes))
        }
        _ => {
            if std::io::stdin().is_terminal() {
                eprintln!("reading lines from the terminal; end with Ctrl-D");
            }
            Ok((Box::new(BufReader::new(std::io::stdin())), None))
        }
    }
}

/// The next line without its end. `false` at the end of the input.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>, progress: &ProgressBar) -> anyhow::Result<bool> {
    line.clear();
    let read = input.take(LINE_BYTES_MAX as u64).read_until(b'\n', line).context("read input")?;
    progress.inc(read as u64);
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if read == LINE_BYTES_MAX {
        bail!("a line is longer than {LINE_BYTES_MAX} bytes; no broker would take it");
    }
    Ok(read > 0)
}

fn progress(bytes: Option<u64>) -> ProgressBar {
    let bar = match bytes {
        Some(bytes) => ProgressBar::new(bytes),
        None => ProgressBar::no_length(),
    };
    let style = ProgressStyle::with_template(
        "{elapsed_precise} {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
