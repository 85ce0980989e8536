//! Forgetting what is long over, so that the database stays small.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{QueryBuilder, Sqlite};
use tokio_util::sync::CancellationToken;

use crate::clock::millis;
use crate::error::chain;
use crate::{Control, ControlError};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Closed alerts, with all their changes.
    pub alerts: u64,
    /// Messages that had arrived or been given up.
    pub notices: u64,
}

impl Control {
    /// Forgets alerts that were closed, and messages that were done with, before a moment. What is
    /// open or still owed is never forgotten. An alert that was forgotten and is read again is a new
    /// one, which is told to nobody if it is [older than what pages](Control::with_page_age_max).
    pub async fn prune(&self, before: DateTime<Utc>) -> Result<Pruned, ControlError> {
        let mut transaction = self.write().await?;
        let notices = sqlx::query("DELETE FROM notices WHERE state <> 'pending' AND finished_at < $1")
            .bind(millis(before))
            .execute(&mut *transaction)
            .await?;
        let mut threads =
            QueryBuilder::new("DELETE FROM threads WHERE dedup_key IN (SELECT dedup_key FROM alerts");
        push_over(&mut threads, before);
        threads.push(")").build().execute(&mut *transaction).await?;
        let mut alerts = QueryBuilder::new("DELETE FROM alerts");
        push_over(&mut alerts, before);
        let alerts = alerts.build().execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Pruned { alerts: alerts.rows_affected(), notices: notices.rows_affected() })
    }
}

fn push_over(query: &mut QueryBuilder<Sqlite>, before: DateTime<Utc>) {
    query.push(" WHERE state = 'closed' AND updated_at < ").push_bind(millis(before));
    query.push(
        " AND NOT EXISTS (SELECT 1 FROM notices owed WHERE owed.alert_id = alerts.alert_id \
         AND owed.state = 'pending')",
    );
}

/// Forgets once a day what has been over for longer than `keep`, until told to stop.
pub(crate) async fn prune_daily(control: Control, keep: Duration, shutdown: CancellationToken) {
    loop {
        let now = control.clock.steady();
        let before = TimeDelta::from_std(keep).ok().and_then(|keep| now.checked_sub_signed(keep));
        if let Some(before) = before {
            match control.prune(before).await {
                Ok(pruned) => tracing::info!(?pruned, %before, "forgot what is long over"),
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "could not forget; tries again tomorrow")
                }
            }
        }
        if tokio::time::timeout(DAY, shutdown.cancelled()).await.is_ok() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use event::{Positions, Scope};

    use super::*;
    use crate::testing::{alert, closed, created, start, webhook};
    use crate::{OutboxOptions, run_outbox};

    #[tokio::test]
    async fn what_is_over_is_forgotten_and_what_is_open_is_kept() {
        let control = Control::in_memory().await.unwrap();
        let (over, open) = (alert("prt_acme", "usr_1"), alert("prt_acme", "usr_2"));
        let changes = [created(&over), closed(&over, 1), created(&open)];
        control.apply(&changes, &Positions::default(), start()).await.unwrap();
        assert_eq!(control.prune(start()).await.unwrap(), Pruned::default());
        let pruned = control.prune(start() + TimeDelta::days(90)).await.unwrap();
        assert_eq!(pruned, Pruned { alerts: 1, notices: 0 });
        assert!(control.alert(&Scope::All, &over.alert_id).await.unwrap().is_none());
        assert!(control.alert(&Scope::All, &open.alert_id).await.unwrap().is_some());
        assert_eq!(control.changes_after(&Scope::All, 0, 10).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_somebody_is_still_owed_is_kept() {
        let control = Control::in_memory().await.unwrap();
        control.set_destinations(&[webhook("http://127.0.0.1:9/")]).await.unwrap();
        let over = alert("prt_acme", "usr_1");
        control.apply(&[created(&over), closed(&over, 1)], &Positions::default(), start()).await.unwrap();
        assert_eq!(control.prune(start() + TimeDelta::days(900)).await.unwrap(), Pruned::default());
        assert!(control.alert(&Scope::All, &over.alert_id).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn the_outbox_forgets_without_being_asked() {
        let control = Control::in_memory().await.unwrap();
        let over = alert("prt_acme", "usr_1");
        control.apply(&[created(&over), closed(&over, 1)], &Positions::default(), start()).await.unwrap();
        let control = control.with_clock(|| start() + TimeDelta::days(401));
        let stop = CancellationToken::new();
        let options = OutboxOptions { keep: Some(DAY * 400), ..OutboxOptions::default() };
        let outbox = run_outbox(control.clone(), Vec::new(), options, stop.clone(), Arc::default());
        let running = tokio::spawn(outbox);
        while control.alert(&Scope::All, &over.alert_id).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}
