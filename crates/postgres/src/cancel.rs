//! Stopping what another connection asked for: a client that wants to opens a second connection and
//! says the number and the secret that the first was told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The connections that can be asked to stop.
#[derive(Default)]
pub(crate) struct Cancels {
    next: AtomicI32,
    seats: Mutex<HashMap<i32, (i32, watch::Sender<()>)>>,
}

/// A connection's place among them, until it is dropped.
pub(crate) struct Seat {
    pub(crate) process: i32,
    pub(crate) secret: i32,
    asked: watch::Receiver<()>,
    cancels: Arc<Cancels>,
}

impl Cancels {
    pub(crate) fn seat(self: &Arc<Self>) -> Seat {
        let process = self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let secret = rand::random();
        let (ask, asked) = watch::channel(());
        self.lock().insert(process, (secret, ask));
        Seat { process, secret, asked, cancels: Arc::clone(self) }
    }

    /// Asks a connection to stop, if the secret is its own. Nobody is told whether it was.
    pub(crate) fn cancel(&self, process: i32, secret: i32) {
        if let Some((own, ask)) = self.lock().get(&process)
            && *own == secret
        {
            ask.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, (i32, watch::Sender<()>)>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Forgets what was asked before: it was meant for a statement that is over.
    pub(crate) fn begin(&mut self) {
        self.asked.mark_unchanged();
    }

    /// Returns once it was asked to stop.
    pub(crate) async fn cancelled(&mut self) {
        if self.asked.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.cancels.lock().remove(&self.process);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn only_the_secret_stops_and_only_what_is_running() {
        let cancels = Arc::new(Cancels::default());
        let mut seat = cancels.seat();
        cancels.cancel(seat.process, seat.secret.wrapping_add(1));
        assert!(seat.cancelled().now_or_never().is_none());
        cancels.cancel(seat.process, seat.secret);
        seat.begin();
        assert!(seat.cancelled().now_or_never().is_none(), "it was for an earlier statement");
        cancels.cancel(seat.process, seat.secret);
        assert!(seat.cancelled().now_or_never().is_some());
        drop(seat);
        assert!(cancels.lock().is_empty());
    }
}
