//! Aborts transactions that take longer than their producer said they would.

use std::sync::Arc;
use std::time::Duration;

use super::ending::begin_ending;
use super::producer::Former;
use super::{Transactional, Transactions};
use crate::clock::now_ms;
use crate::log::marker::Producer;

impl Transactions {
    /// Watches until the task is aborted. Sleeps while no transaction is open.
    pub(crate) async fn watch_timeouts(self: Arc<Self>) {
        loop {
            let now = now_ms();
            let mut next: Option<i64> = None;
            for transactional in self.all() {
                let Some(deadline) = transactional.owner.lock().deadline_ms() else { continue };
                if deadline <= now {
                    tokio::spawn(Arc::clone(&self).abort_overdue(transactional));
                } else {
                    next = Some(next.map_or(deadline, |next| next.min(deadline)));
                }
            }
            let sleep = async {
                match next {
                    Some(deadline) => {
                        tokio::time::sleep(Duration::from_millis((deadline - now) as u64)).await
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = self.began.notified() => {}
            }
        }
    }

    async fn abort_overdue(self: Arc<Self>, transactional: Arc<Transactional>) {
        let _turn = transactional.turn.lock().await;
        let (former, touched) = {
            let mut owner = transactional.owner.lock();
            if owner.deadline_ms().is_none_or(|deadline| deadline > now_ms()) {
                return; // ended while we waited for our turn
            }
            let former = owner.producer;
            let Some(touched) = begin_ending(&mut owner) else { return };
            owner.producer = Producer { id: former.id, epoch: former.epoch.saturating_add(1) };
            owner.former = Some(Former { producer: former, timed_out: true });
            (former, touched)
        };
        let transactional_id = &transactional.id;
        match self.abort_and_fence(&transactional, former, touched).await {
            Ok(()) => tracing::warn!(%transactional_id, "aborted a transaction that took too long"),
            Err(error) => tracing::error!(%transactional_id, %error, "cannot abort an overdue transaction"),
        }
    }
}
