//! `watchfire replay`: log files, a stretch of a topic or of the stored events, through the normalizer and the
//! detectors at full speed, into a report and never into on-call.

mod files;
mod report;
mod tables;
mod topics;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::EventTime;
use pipeline::Clock;
use stages::replay::Replay;

use self::report::Report;
use super::place::{place, since};
use crate::cli::ConfigArgs;
use crate::config::{Config, Overrides};
use crate::knowledge::{self, Knowledge};
use crate::rules;

/// Flags of `replay`.
#[derive(clap::Args)]
pub(crate) struct ReplayArgs {
    /// Logs, also compressed with gzip or zstd; `-` is standard input. Each is read as a source of
    /// its own, those side by side whose times are the same.
    #[arg(required_unless_present_any = ["topic", "table"], conflicts_with_all = ["topic", "table"])]
    files: Vec<PathBuf>,
    /// Name the source description instead of having the lines recognised.
    #[arg(long, value_name = "SOURCE", visible_alias = "format")]
    source: Option<String>,
    /// Whose logs the files are, part of what makes an alert's id [default: replay]; or whose events
    /// of the table are replayed [default: everybody's].
    #[arg(long, value_name = "PARTNER", conflicts_with = "topic")]
    partner: Option<String>,
    /// What the partner calls them.
    #[arg(long, value_name = "FEED", default_value = "replay", conflicts_with_all = ["topic", "table"])]
    feed: String,
    /// When the files were received: an RFC 3339 time, a day, or a time ago (2h, 7d). Stamps without
    /// a year are taken for the last such day before it, and stamps after it for wrong [default: now].
    #[arg(long, value_name = "WHEN", value_parser = since, conflicts_with_all = ["topic", "table"])]
    received: Option<i64>,
    /// Replay this topic of a broker instead, logs.PARTNER.FEED; may be given several times.
    #[arg(long, value_name = "TOPIC", conflicts_with = "table")]
    topic: Vec<String>,
    /// Replay the stored events instead: of these tables (a folder or a URL), or of the configured ones.
    #[arg(long, value_name = "TABLES", num_args = 0..=1, default_missing_value = "",
        conflicts_with_all = ["source", "events", "rejects"])]
    table: Option<String>,
    /// Where to begin: earliest, an offset of a topic, or a time at which lines arrived.
    #[arg(long, value_name = "PLACE", value_parser = place, default_value = "earliest", conflicts_with = "files")]
    from: kafka::admin::Place,
    /// What the broker received from then on is left out [default: the end as it is now].
    #[arg(long, value_name = "WHEN", value_parser = since, conflicts_with = "files")]
    until: Option<i64>,
    /// Write the alerts there, JSON lines, each in its last state; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// Write the events there, JSON lines.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Write the lines that could not be read there, and why, JSON lines.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Write events and alerts as objects of OCSF 1.8.0 instead of as columns.
    #[arg(long)]
    ocsf: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    kafka: super::KafkaArgs,
}

/// Rows after which a batch is made of what was read.
const ROWS_PER_BATCH: usize = 4_096;

/// A file, a topic or the tables.
trait Input {
    /// Its sources, each `topic/partition`.
    fn sources(&self) -> Vec<String>;

    /// Reads about a batch; `false` if there is no more.
    fn fill(&mut self, replay: &mut Replay) -> anyhow::Result<bool>;
}

pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let mut config = args.config.load(Overrides::default())?;
    config.tell_detectors_of_contracts();
    let mut report = Report::create(args)?;
    let now = args.received.map_or_else(|| Clock::system().now(), EventTime);
    let (bar, inputs) = match &args.table {
        Some(table) => tables::open(table, args, &config)?,
        None if args.topic.is_empty() => files::open(args, now)?,
        None => topics::open(args)?,
    };
    let replay = stages(args, &config, inputs.iter().flat_map(|input| input.sources()), now)?;
    read(inputs, replay, &mut report)?;
    bar.finish_and_clear();
    report.end()
}

/// Reads on where event time is furthest behind, so that no input waits for another.
fn read(inputs: Vec<Box<dyn Input>>, mut replay: Replay, report: &mut Report) -> anyhow::Result<()> {
    let mut inputs: Vec<_> = inputs.into_iter().map(|input| (EventTime::MIN, input)).collect();
    while let Some(place) = (0..inputs.len()).min_by_key(|&place| inputs[place].0) {
        let (reached, input) = &mut inputs[place];
        let has_more = input.fill(&mut replay)?;
        let replayed = replay.batch();
        let newest = replayed.progress.iter().map(|progress| progress.event_time_max).max();
        *reached = newest.map_or(*reached, |newest| newest.max(*reached));
        report.take(replayed)?;
        if !has_more {
            let (_, ended) = inputs.remove(place);
            ended.sources().into_iter().for_each(|source| replay.ended(source));
        }
    }
    report.changes(replay.finish());
    Ok(())
}

/// The stages as the configuration has them.
fn stages(
    args: &ReplayArgs,
    config: &Config,
    sources: impl IntoIterator<Item = String>,
    read_at: EventTime,
) -> anyhow::Result<Replay> {
    let normalizer = Knowledge::normalizer(config, args.source.as_deref())?;
    let rules = rules::load(config, &Arc::new(knowledge::schemas(config)?))?;
    Ok(Replay::new(normalizer, rules, sources, read_at))
}

/// Whether an output is the terminal's, so that nothing else is printed there.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}
