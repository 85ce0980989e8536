//! Loads what lines are read with, and what detectors go by, again when the files change. What is wrong is
//! told, and the old stays.

use std::sync::Arc;
use std::time::Duration;

use detect::Rules;
use pipeline::Metrics;
use pipeline::metrics::ReloadLabel;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::knowledge::Knowledge;
use crate::look::Look;
use crate::rules;

/// Something that is read from files, and may be read again.
struct Watched<T> {
    /// What it is, in words.
    name: &'static str,
    interval_ms: u64,
    look: Box<dyn Fn() -> Look + Send + Sync>,
    load: Arc<dyn Fn() -> anyhow::Result<T> + Send + Sync>,
    outcomes: Family<ReloadLabel, Counter>,
}

/// Starts looking at what lines are read with, and hands out what there is now and what comes.
pub(crate) fn knowledge(
    config: &Config,
    metrics: &Metrics,
    stop: CancellationToken,
) -> anyhow::Result<watch::Receiver<Knowledge>> {
    let seen = Knowledge::look(config);
    let (sender, receiver) = watch::channel(Knowledge::load(config)?);
    let (of_look, of_load) = (config.clone(), config.clone());
    let watched = Watched {
        name: "descriptions, databases and partners",
        interval_ms: config.normalize.reload_interval_ms,
        look: Box::new(move || Knowledge::look(&of_look)),
        load: Arc::new(move || Knowledge::load(&of_load.clone().with_partners_again()?)),
        outcomes: metrics.reloads.clone(),
    };
    watched.start(seen, sender, stop);
    Ok(receiver)
}

/// The same of what detectors go by. Examples are read with the descriptions of then.
pub(crate) fn rules(
    config: &Config,
    metrics: &Metrics,
    knowledge: &watch::Receiver<Knowledge>,
    stop: CancellationToken,
) -> anyhow::Result<watch::Receiver<Rules>> {
    let seen = rules::look(config);
    let (knowledge, of_look, of_load) = (knowledge.clone(), config.clone(), config.clone());
    let load = move || {
        let schemas = Arc::clone(&knowledge.borrow().schemas);
        rules::load(&of_load, &schemas)
    };
    let (sender, receiver) = watch::channel(load()?);
    let watched = Watched {
        name: "the detectors' rules",
        interval_ms: config.detect.reload_interval_ms,
        look: Box::new(move || rules::look(&of_look)),
        load: Arc::new(load),
        outcomes: metrics.rule_reloads.clone(),
    };
    watched.start(seen, sender, stop);
    Ok(receiver)
}

impl<T: Send + Sync + 'static> Watched<T> {
    fn start(self, seen: Look, sender: watch::Sender<T>, stop: CancellationToken) {
        if self.interval_ms > 0 {
            tokio::spawn(self.watch(seen, sender, stop));
        }
    }

    async fn watch(self, mut known: Look, sender: watch::Sender<T>, stop: CancellationToken) {
        let mut interval = tokio::time::interval(Duration::from_millis(self.interval_ms));
        let mut before = known.clone();
        while stop.run_until_cancelled(interval.tick()).await.is_some() {
            let now = (self.look)();
            // What is still being written is not read: half of a description may be one.
            if now == before && now != known {
                known = now.clone();
                self.load_again(&sender).await;
            }
            before = now;
        }
    }

    async fn load_again(&self, sender: &watch::Sender<T>) {
        let load = Arc::clone(&self.load);
        let loaded =
            tokio::task::spawn_blocking(move || load()).await.unwrap_or_else(|panic| Err(panic.into()));
        let outcome = if loaded.is_ok() { "loaded" } else { "refused" };
        self.outcomes.get_or_create(&ReloadLabel { outcome: outcome.into() }).inc();
        match loaded {
            Ok(fresh) => {
                info!("{} are loaded again", self.name);
                sender.send_replace(fresh);
            }
            Err(error) => warn!(
                error = format!("{error:#}"),
                "{}: what changed cannot be used; what was there before stays", self.name
            ),
        }
    }
}
