//! A stretch of a partner's topic, as a broker holds it, as a source.

use std::sync::Arc;

use anyhow::Context;
use event::{EventTime, LogTopic, RawLog};
use indicatif::ProgressBar;
use kafka::tail::{Look, Record, Tail};
use stages::replay::Replay;

use super::{Input, ROWS_PER_BATCH, ReplayArgs};
use crate::commands::lines::progress;
use crate::commands::with_cure;

struct Stretch {
    tail: Tail,
    topic: Arc<str>,
    feed: LogTopic,
    format: Option<String>,
    until: Option<EventTime>,
    bar: ProgressBar,
}

pub(super) fn open(args: &ReplayArgs) -> anyhow::Result<(ProgressBar, Vec<Box<dyn Input>>)> {
    let bar = progress(None);
    let open = |topic: &String| -> anyhow::Result<Box<dyn Input>> {
        Ok(Box::new(Stretch::open(topic, args, &bar)?))
    };
    let inputs = args.topic.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    Ok((bar, inputs))
}

impl Stretch {
    fn open(topic: &str, args: &ReplayArgs, bar: &ProgressBar) -> anyhow::Result<Self> {
        let feed = LogTopic::parse(topic).with_context(|| format!("--topic {topic}"))?;
        let look = Look { topic, partition: None, uncommitted: false };
        let mut tail = Tail::open(&args.kafka.connection()?, look).map_err(with_cure)?;
        tail.begin(args.from).map_err(with_cure)?;
        let (format, until) = (args.source.clone(), args.until.map(EventTime));
        Ok(Self { tail, topic: topic.into(), feed, format, until, bar: bar.clone() })
    }

    fn give(&self, record: &Record, replay: &mut Replay) {
        let header = |name: &str| {
            let (_, value) = record.headers.iter().find(|(header, _)| header == name)?;
            value.as_deref()
        };
        let raw = RawLog {
            source: &self.feed,
            topic: &self.topic,
            partition: record.partition,
            offset: record.offset,
            broker_time: EventTime(record.timestamp_ms.unwrap_or(0)),
            payload: record.value.as_deref().unwrap_or_default(),
            format: self.format.as_deref(),
            shipper_id: None,
            shipper_seq: None,
            redriven_from: None,
        };
        replay.read(&raw.with_headers(header));
    }
}

impl Input for Stretch {
    fn sources(&self) -> Vec<String> {
        self.tail.partitions().map(|partition| format!("{}/{partition}", self.topic)).collect()
    }

    fn fill(&mut self, replay: &mut Replay) -> anyhow::Result<bool> {
        while replay.rows() < ROWS_PER_BATCH {
            let Some(record) = self.tail.until_end().map_err(with_cure)? else { return Ok(false) };
            self.bar.inc(record.value.as_ref().map_or(0, Vec::len) as u64);
            let is_wanted =
                self.until.is_none_or(|until| EventTime(record.timestamp_ms.unwrap_or(0)) < until);
            if is_wanted {
                self.give(&record, replay);
            }
        }
        Ok(true)
    }
}
