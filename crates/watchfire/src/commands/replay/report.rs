//! What a replay found: to files as JSON lines, and in short to the person who started it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use event::{Alert, AlertChange, Change, Severity};
use normalize::Counts;
use stages::replay::Replayed;

use super::{ReplayArgs, is_stdout};
use crate::serve::alert_line;

/// So many alerts are printed; all are in the file.
const PRINTED_MAX: usize = 50;

type Out = BufWriter<Box<dyn Write>>;

pub(super) struct Report {
    alerts: Option<Out>,
    events: Option<LineDelimitedWriter<Out>>,
    rejects: Option<LineDelimitedWriter<Out>>,
    /// The last change of every alert.
    last: BTreeMap<String, AlertChange>,
    counts: Counts,
    began: Instant,
    /// Whether standard output is for somebody else.
    quiet: bool,
}

impl Report {
    /// Opens the outputs before anything is read.
    pub(super) fn create(args: &ReplayArgs) -> anyhow::Result<Self> {
        let outputs = [&args.alerts, &args.events, &args.rejects];
        let to_stdout = outputs.iter().filter(|path| path.as_deref().is_some_and(is_stdout)).count();
        anyhow::ensure!(
            to_stdout <= 1,
            "only one of --alerts, --events and --rejects can be standard output"
        );
        let open = |path: &Option<std::path::PathBuf>| path.as_deref().map(create).transpose();
        Ok(Self {
            alerts: open(&args.alerts)?,
            events: open(&args.events)?.map(LineDelimitedWriter::new),
            rejects: open(&args.rejects)?.map(LineDelimitedWriter::new),
            last: BTreeMap::new(),
            counts: Counts::default(),
            began: Instant::now(),
            quiet: to_stdout > 0,
        })
    }

    pub(super) fn take(&mut self, replayed: Replayed) -> anyhow::Result<()> {
        write(&mut self.events, replayed.events.arrow()).context("--events")?;
        write(&mut self.rejects, replayed.rejects.arrow()).context("--rejects")?;
        let counts = replayed.counts;
        self.counts.lines += counts.lines;
        self.counts.events += counts.events;
        for (reason, count) in counts.rejects {
            *self.counts.rejects.entry(reason).or_default() += count;
        }
        self.changes(replayed.changes);
        Ok(())
    }

    pub(super) fn changes(&mut self, changes: Vec<AlertChange>) {
        for change in changes {
            self.last.insert(change.alert.alert_id.clone(), change);
        }
    }

    /// Writes the alerts, and says what there was.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        let mut changes: Vec<AlertChange> = std::mem::take(&mut self.last).into_values().collect();
        changes.sort_by(|a, b| {
            let order = |change: &AlertChange| (change.alert.triggered_at, change.alert.alert_id.clone());
            order(a).cmp(&order(b))
        });
        for (name, writer) in [("--events", &mut self.events), ("--rejects", &mut self.rejects)] {
            if let Some(writer) = writer {
                writer.finish().context(name)?;
                writer.get_mut().flush().context(name)?;
            }
        }
        let said = self.summary(&changes);
        if let Some(mut out) = self.alerts {
            for change in changes {
                write_alert(&mut out, change).context("--alerts")?;
            }
            out.flush().context("--alerts")?;
        }
        if self.quiet {
            eprint!("{said}");
        } else {
            print!("{said}");
        }
        Ok(())
    }

    fn summary(&self, changes: &[AlertChange]) -> String {
        let news: Vec<&AlertChange> =
            changes.iter().filter(|change| change.alert.severity > Severity::Info).collect();
        let mut said = String::new();
        for change in news.iter().take(PRINTED_MAX) {
            said.push_str(&alert_line(&change.alert));
            said.push('\n');
        }
        if news.len() > PRINTED_MAX {
            said.push_str(&format!("and {} more; --alerts FILE has them all\n", news.len() - PRINTED_MAX));
        }
        let Counts { lines, events, .. } = self.counts;
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = lines as f64 / seconds.max(1e-9);
        said.push_str(&format!(
            "{lines} lines in {seconds:.1} s ({rate:.0} a second): {events} events, {} rejects, {} alerts\n",
            self.counts.rejected(),
            changes.len()
        ));
        for (reason, count) in &self.counts.rejects {
            said.push_str(&format!("  {count} rejected: {}\n", reason.as_str()));
        }
        for ((detector, severity), count) in by_kind(changes) {
            said.push_str(&format!("  {count} {} by {detector}\n", severity.as_str()));
        }
        said
    }
}

fn by_kind(changes: &[AlertChange]) -> BTreeMap<(&str, Severity), usize> {
    let mut kinds = BTreeMap::new();
    for Alert { detector, severity, .. } in changes.iter().map(|change| &change.alert) {
        *kinds.entry((detector.as_str(), *severity)).or_default() += 1;
    }
    kinds
}

fn create(path: &Path) -> anyhow::Result<Out> {
    let out: Box<dyn Write> = if is_stdout(path) {
        Box::new(std::io::stdout())
    } else {
        Box::new(File::create(path).with_context(|| format!("create {}", path.display()))?)
    };
    Ok(BufWriter::with_capacity(1 << 18, out))
}

fn write(writer: &mut Option<LineDelimitedWriter<Out>>, rows: &RecordBatch) -> anyhow::Result<()> {
    match writer {
        Some(writer) if rows.num_rows() > 0 => Ok(writer.write(rows)?),
        _ => Ok(()),
    }
}

/// The alert as the API has it, and beside that what happened last and how often something did.
fn write_alert(out: &mut Out, change: AlertChange) -> anyhow::Result<()> {
    #[derive(serde::Serialize)]
    struct Line {
        #[serde(flatten)]
        alert: api::Findings,
        change: Change,
        revision: u32,
    }
    let AlertChange { change, revision, alert } = change;
    serde_json::to_writer(&mut *out, &Line { alert: alert.into(), change, revision })?;
    Ok(out.write_all(b"\n")?)
}
