//! Keeps the tables quick and small in the background: small files are merged, those that nobody
//! needs any more are removed.

use std::time::{Duration, Instant};

use store::{Table, Tables};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Config, Role};

/// Files are kept for a day after they were merged, so looking more often would find nothing.
const VACUUM_EVERY: Duration = Duration::from_secs(6 * 3_600);

/// Works until told to stop; what it is at is given up then, which costs files that the next vacuum removes.
pub(crate) fn start(config: &Config, tables: Tables, stop: CancellationToken) -> JoinHandle<()> {
    let every = Duration::from_secs(config.store.compact_interval_seconds);
    let due = !every.is_zero() && config.server.roles.contains(&Role::Store);
    tokio::spawn(async move {
        if due {
            stop.run_until_cancelled(keep(&tables, every)).await;
        }
    })
}

async fn keep(tables: &Tables, every: Duration) {
    let mut vacuumed: Option<Instant> = None;
    loop {
        tokio::time::sleep(every).await;
        for table in Table::ALL {
            match tables.compact(table).await {
                Ok(done) => info!(table = table.name(), ?done, "compacted"),
                Err(error) => warn!(table = table.name(), %error, "compaction failed; it is tried again"),
            }
        }
        if vacuumed.is_none_or(|last| last.elapsed() >= VACUUM_EVERY) {
            vacuumed = Some(Instant::now());
            for table in Table::ALL {
                match tables.vacuum(table).await {
                    Ok(files) => info!(table = table.name(), files, "vacuumed"),
                    Err(error) => warn!(table = table.name(), %error, "vacuum failed; it is tried again"),
                }
            }
        }
    }
}
