//! Forgetting what is long over, so that the database stays small.

use chrono::{DateTime, Utc};

use crate::clock::millis;
use crate::{Control, ControlError};

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
    /// open or still owed is never forgotten. Keep more than the alerts topic holds: an alert that
    /// was forgotten and is read again would be a new one. The `alert_changes` table of the
    /// warehouse remembers for ever.
    pub async fn prune(&self, before: DateTime<Utc>) -> Result<Pruned, ControlError> {
        let mut transaction = self.write().await?;
        let notices = sqlx::query("DELETE FROM notices WHERE state <> 'pending' AND finished_at < $1")
            .bind(millis(before))
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "DELETE FROM threads WHERE dedup_key IN (SELECT dedup_key FROM alerts \
             WHERE state = 'closed' AND updated_at < $1)",
        )
        .bind(millis(before))
        .execute(&mut *transaction)
        .await?;
        let alerts = sqlx::query("DELETE FROM alerts WHERE state = 'closed' AND updated_at < $1")
            .bind(millis(before))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Pruned { alerts: alerts.rows_affected(), notices: notices.rows_affected() })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use event::{Positions, Scope};

    use crate::testing::{alert, closed, created, start};
    use crate::{Control, Pruned};

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
}
