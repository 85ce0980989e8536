//! A file as a source.

use std::path::Path;
use std::sync::Arc;

use event::{EventTime, LogTopic, RawLog};
use indicatif::ProgressBar;
use stages::replay::Replay;

use super::{Input, ROWS_PER_BATCH, ReplayArgs};
use crate::commands::lines::{Lines, bytes_of, progress};

struct LogFile {
    lines: Lines,
    line: Vec<u8>,
    topic: Arc<str>,
    feed: LogTopic,
    /// The partition it stands for.
    partition: i32,
    read: i64,
    format: Option<String>,
    received: EventTime,
}

/// The files, each a partition of the same topic.
pub(super) fn open(
    args: &ReplayArgs,
    received: EventTime,
) -> anyhow::Result<(ProgressBar, Vec<Box<dyn Input>>)> {
    let feed = LogTopic::new(args.partner.as_deref().unwrap_or("replay"), &args.feed)?;
    let bar = progress(bytes_of(args.files.iter().map(|file| file.as_path())));
    let open = |(partition, file): (i32, &std::path::PathBuf)| -> anyhow::Result<Box<dyn Input>> {
        Ok(Box::new(LogFile::open(file, partition, args, &feed, received, &bar)?))
    };
    let inputs = (0..).zip(&args.files).map(open).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((bar, inputs))
}

impl LogFile {
    fn open(
        file: &Path,
        partition: i32,
        args: &ReplayArgs,
        feed: &LogTopic,
        received: EventTime,
        bar: &ProgressBar,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            lines: Lines::open(Some(file), bar)?,
            line: Vec::new(),
            topic: feed.name().into(),
            feed: feed.clone(),
            partition,
            read: 0,
            format: args.source.clone(),
            received,
        })
    }
}

impl Input for LogFile {
    fn sources(&self) -> Vec<String> {
        vec![format!("{}/{}", self.topic, self.partition)]
    }

    fn fill(&mut self, replay: &mut Replay) -> anyhow::Result<bool> {
        while replay.rows() < ROWS_PER_BATCH {
            // What was cut off is still longer than a record may be, and is rejected as such.
            if self.lines.next(&mut self.line)?.is_none() {
                return Ok(false);
            }
            let offset = self.read;
            self.read += 1;
            if self.line.is_empty() {
                continue;
            }
            replay.read(&RawLog {
                source: &self.feed,
                topic: &self.topic,
                partition: self.partition,
                offset,
                broker_time: self.received,
                payload: &self.line,
                format: self.format.as_deref(),
                shipper_id: None,
                shipper_seq: None,
                redriven_from: None,
            });
        }
        Ok(true)
    }
}
