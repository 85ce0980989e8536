//! A stretch of the table of events as a source: what detectors are given is what they were given
//! when the lines were read.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use event::EventTime;
use indicatif::{ProgressBar, ProgressStyle};
use kafka::admin::Place;
use stages::replay::Replay;
use store::{Arrivals, Stretch};
use tokio::runtime::Runtime;

use super::{Input, ReplayArgs};
use crate::config::Config;
use crate::serve::{existing_tables, table_url};

struct Stored {
    runtime: Runtime,
    arrivals: Arrivals,
    /// The sources of which more comes, and when their last line arrived.
    going_on: BTreeMap<String, EventTime>,
    /// Events that do not say what detectors were given of them.
    silent: u64,
    bar: ProgressBar,
}

pub(super) fn open(
    table: &str,
    args: &ReplayArgs,
    config: &Config,
) -> anyhow::Result<(ProgressBar, Vec<Box<dyn Input>>)> {
    let from = match args.from {
        Place::First => None,
        Place::Time(from) => Some(EventTime(from)),
        Place::Offset(_) | Place::End => bail!("--from: a table is read from earliest or from a time"),
    };
    let stretch = Stretch { tenant: args.partner.clone(), from, until: args.until.map(EventTime) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let url = table_url(table, config)?;
    let arrivals = runtime.block_on(async {
        let tables = existing_tables(&url).await?;
        tables.arrivals(&stretch).await.context("read the table of events")
    })?;
    said(arrivals.unobserved)?;
    let sources = arrivals.sources.iter();
    let going_on =
        sources.map(|((topic, partition), last)| (format!("{topic}/{partition}"), *last)).collect();
    let bar = ProgressBar::new(arrivals.events);
    if let Ok(style) =
        ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} events {per_sec} {eta}")
    {
        bar.set_style(style);
    }
    Ok((bar.clone(), vec![Box::new(Stored { runtime, arrivals, going_on, silent: 0, bar })]))
}

/// Fails where events do not say what detectors were given of them.
fn said(silent: u64) -> anyhow::Result<()> {
    ensure!(
        silent == 0,
        "{silent} of these events were stored by a version that did not keep what detectors were given of \
         them: replay their lines, with --topic or as files"
    );
    Ok(())
}

impl Input for Stored {
    fn sources(&self) -> Vec<String> {
        self.going_on.keys().cloned().collect()
    }

    fn fill(&mut self, replay: &mut Replay) -> anyhow::Result<bool> {
        let Some(events) = self.runtime.block_on(self.arrivals.next()).context("read the table of events")?
        else {
            said(self.silent)?;
            return Ok(false);
        };
        let mut newest = EventTime::MIN;
        for event in events.rows() {
            newest = newest.max(event.ingest_time.unwrap_or(newest));
            self.silent += u64::from(!replay.read_again(&event));
        }
        self.bar.inc(events.len() as u64);
        // Nobody waits for a source of which there is no more.
        let ended: Vec<String> = self
            .going_on
            .iter()
            .filter(|(_, last)| **last < newest)
            .map(|(source, _)| source.clone())
            .collect();
        for source in ended {
            self.going_on.remove(&source);
            replay.ended(source);
        }
        Ok(true)
    }
}
