//! Running the outbox: one courier for each destination, so that a slow one holds up nobody else.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::budget::Budget;
use crate::courier::Courier;
use crate::error::chain;
use crate::prune::prune_daily;
use crate::retry::backoff;
use crate::{Control, ControlError, Destination, OutboxCounters};

/// The longest a courier goes without looking; what no change announces waits no longer than this.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long to leave the database alone after it failed.
const AFTER_A_FAILURE: Duration = Duration::from_secs(2);
/// How long a message under way may take to arrive once we were told to stop.
const LAST_ORDERS: Duration = Duration::from_secs(5);

/// How the outbox is run.
#[derive(Clone, Debug, Default)]
pub struct OutboxOptions {
    /// Where people find our UI.
    pub public_url: Option<Url>,
    /// How long an alert is kept once it is over, with its trail and messages; `None` for ever.
    pub keep: Option<Duration>,
}

/// Sends what destinations are owed until `shutdown`, and forgets what is long over. Returns before
/// only where the database cannot be used at all.
///
/// A message that is cut off by a stop is sent again after the start, under the same id.
pub async fn run_outbox(
    control: Control,
    destinations: Vec<Destination>,
    options: OutboxOptions,
    shutdown: CancellationToken,
    counters: Arc<OutboxCounters>,
) -> Result<(), ControlError> {
    if !register(&control, &destinations, &shutdown).await? {
        return Ok(());
    }
    let mut tasks = JoinSet::new();
    for destination in destinations {
        let (control, public_url, clock) = (control.clone(), options.public_url.clone(), control.clock);
        let (counters, shutdown) = (counters.of(&destination), shutdown.clone());
        let courier = move || Courier {
            budget: Budget::new(destination.rate_per_minute),
            counters: Arc::clone(&counters),
            control: control.clone(),
            public_url: public_url.clone(),
            now: Arc::new(move || clock.steady()),
            destination: destination.clone(),
        };
        tasks.spawn(supervise(courier, shutdown));
    }
    if let Some(keep) = options.keep {
        tasks.spawn(prune_daily(control.clone(), keep, shutdown.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a task of the outbox ended");
        }
    }
    shutdown.cancelled().await;
    Ok(())
}

/// Runs a courier until `shutdown`. One that panics is our fault and no reason to leave the others'
/// pages lying: it is started again, after a pause that grows.
async fn supervise(courier: impl Fn() -> Courier, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let courier = courier();
        let (name, counters) = (Arc::clone(&courier.destination.name), Arc::clone(&courier.counters));
        let changes = courier.control.newest_sequence();
        let running = AbortOnDropHandle::new(tokio::spawn(run_courier(courier, changes, shutdown.clone())));
        let Err(panic) = running.await else { return };
        let restarts = counters.restarted();
        tracing::error!(destination = %name, %panic, restarts, "a courier failed and is started again");
        let pause = backoff(u32::try_from(restarts).unwrap_or(u32::MAX), 1.0);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Makes the destinations known; a busy database is waited for, because on-call must not go unheard
/// for a bad first second. `false` if we were told to stop meanwhile.
async fn register(
    control: &Control,
    destinations: &[Destination],
    shutdown: &CancellationToken,
) -> Result<bool, ControlError> {
    while !shutdown.is_cancelled() {
        match control.set_destinations(destinations).await {
            Err(error @ ControlError::Unavailable(_)) => {
                tracing::warn!(error = %chain(&error), "outbox cannot start yet");
            }
            done => return done.map(|()| true),
        }
        tokio::select! {
            () = tokio::time::sleep(AFTER_A_FAILURE) => {}
            () = shutdown.cancelled() => {}
        }
    }
    Ok(false)
}

async fn run_courier(mut courier: Courier, mut changes: watch::Receiver<i64>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        changes.mark_unchanged();
        let wait = match take_turn(&mut courier, &shutdown).await {
            Ok(next) => wait_until(next, (courier.now)()),
            Err(error) => {
                tracing::warn!(destination = %courier.destination.name, error = %chain(&error), "outbox stalled");
                AFTER_A_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = changes.changed() => changed.expect("the sender lives in the courier's control"),
            () = shutdown.cancelled() => {}
        }
    }
}

async fn take_turn(
    courier: &mut Courier,
    shutdown: &CancellationToken,
) -> Result<Option<DateTime<Utc>>, ControlError> {
    let turn = courier.turn();
    tokio::pin!(turn);
    tokio::select! {
        done = &mut turn => return done,
        () = shutdown.cancelled() => {}
    }
    tokio::time::timeout(LAST_ORDERS, turn).await.unwrap_or(Ok(None))
}

fn wait_until(next: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    next.map_or(LOOK_EVERY, |next| (next - now).to_std().unwrap_or(Duration::ZERO).min(LOOK_EVERY))
}

#[cfg(test)]
mod tests;
