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
    events: Option<Events>,
    rejects: Option<LineDelimitedWriter<Out>>,
    /// Whether alerts are objects of OCSF.
    ocsf: bool,
    /// The last change of every alert.
    last: BTreeMap<String, AlertChange>,
    counts: Counts,
    began: Instant,
    /// Whether standard output is for somebody else.
    quiet: bool,
}

/// Where events go, as columns or as objects of OCSF.
enum Events {
    Columns(LineDelimitedWriter<Out>),
    Ocsf(Out),
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
            events: open(&args.events)?.map(|out| match args.ocsf {
                true => Events::Ocsf(out),
                false => Events::Columns(LineDelimitedWriter::new(out)),
            }),
            rejects: open(&args.rejects)?.map(LineDelimitedWriter::new),
            ocsf: args.ocsf,
            last: BTreeMap::new(),
            counts: Counts::default(),
            began: Instant::now(),
            quiet: to_stdout > 0,
        })
    }

    pub(super) fn take(&mut self, replayed: Replayed) -> anyhow::Result<()> {
        match &mut self.events {
            Some(Events::Columns(writer)) => write(writer, replayed.events.arrow()).context("--events")?,
            Some(Events::Ocsf(out)) => {
                for row in replayed.events.rows() {
                    write_line(out, &event::ocsf::of_event(&row)).context("--events")?;
                }
            }
            None => {}
        }
        if let Some(writer) = &mut self.rejects {
            write(writer, replayed.rejects.arrow()).context("--rejects")?;
        }
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
        match &mut self.events {
            Some(Events::Columns(writer)) => finish(writer).context("--events")?,
            Some(Events::Ocsf(out)) => out.flush().context("--events")?,
            None => {}
        }
        if let Some(writer) = &mut self.rejects {
            finish(writer).context("--rejects")?;
        }
        let said = self.summary(&changes);
        if let Some(mut out) = self.alerts {
            for change in changes {
                match self.ocsf {
                    true => write_line(&mut out, &event::ocsf::of_change(&change)),
                    false => write_alert(&mut out, change),
                }
                .context("--alerts")?;
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

fn write(writer: &mut LineDelimitedWriter<Out>, rows: &RecordBatch) -> anyhow::Result<()> {
    match rows.num_rows() {
        0 => Ok(()),
        _ => Ok(writer.write(rows)?),
    }
}

fn finish(writer: &mut LineDelimitedWriter<Out>) -> anyhow::Result<()> {
    writer.finish()?;
    Ok(writer.get_mut().flush()?)
}

fn write_line(out: &mut Out, line: &impl serde::Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    Ok(out.write_all(b"\n")?)
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
    write_line(out, &Line { alert: alert.into(), change, revision })
}
