//! Loads what lines are read with again when its files change. What is wrong is told, and the old stays.

use std::time::Duration;

use pipeline::Metrics;
use pipeline::metrics::ReloadLabel;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::knowledge::{Knowledge, Look};

/// Starts looking, and hands out what there is now and what comes.
pub(crate) fn start(
    config: &Config,
    metrics: &Metrics,
    stop: CancellationToken,
) -> anyhow::Result<watch::Receiver<Knowledge>> {
    let seen = Look::at(config);
    let (sender, receiver) = watch::channel(Knowledge::load(config)?);
    if config.normalize.reload_interval_ms > 0 {
        tokio::spawn(watch_files(config.clone(), metrics.clone(), seen, sender, stop));
    }
    Ok(receiver)
}

async fn watch_files(
    config: Config,
    metrics: Metrics,
    mut known: Look,
    sender: watch::Sender<Knowledge>,
    stop: CancellationToken,
) {
    let mut interval = tokio::time::interval(Duration::from_millis(config.normalize.reload_interval_ms));
    let mut before = known.clone();
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        let now = Look::at(&config);
        // What is still being written is not read: half of a description may be one.
        if now == before && now != known {
            known = now.clone();
            let fresh = config.clone();
            let loaded = tokio::task::spawn_blocking(move || {
                fresh.with_partners_again().and_then(|c| Knowledge::load(&c))
            });
            let loaded = loaded.await.unwrap_or_else(|panic| Err(panic.into()));
            let outcome = if loaded.is_ok() { "loaded" } else { "refused" };
            metrics.reloads.get_or_create(&ReloadLabel { outcome: outcome.into() }).inc();
            match loaded {
                Ok(knowledge) => {
                    info!(
                        sources = knowledge.schemas.names().len(),
                        "descriptions, databases and partners are loaded again"
                    );
                    sender.send_replace(knowledge);
                }
                Err(error) => warn!(
                    error = format!("{error:#}"),
                    "what changed cannot be used; lines are read with what was there before"
                ),
            }
        }
        before = now;
    }
}
