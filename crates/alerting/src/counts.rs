//! Counting alerts: by partner for the overview, by verdict for a detector's precision.

use chrono::{DateTime, Utc};
use event::{Scope, Severity, Tenant};
use serde::Serialize;
use sqlx::QueryBuilder;

use crate::list::push_scope;
use crate::{Control, ControlError, clock, row};

/// How one partner stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantAlerts {
    /// The partner.
    pub tenant: Tenant,
    /// Alerts that nobody has taken up.
    pub open: i64,
    /// Alerts that somebody is at.
    pub acknowledged: i64,
    /// Alerts that are over.
    pub closed: i64,
    /// The worst that is not over.
    pub severity_max: Option<Severity>,
    /// When the last event of any of them happened.
    pub last_seen: DateTime<Utc>,
}

/// What people found one detector's alerts to have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DetectorVerdicts {
    /// The detector.
    pub detector: String,
    /// Alerts that were what they said.
    pub true_positive: i64,
    /// Alerts that were not.
    pub false_positive: i64,
    /// Alerts that were, and were allowed.
    pub benign: i64,
}

impl DetectorVerdicts {
    /// The share of judged alerts that were true, allowed or not.
    pub fn precision(&self) -> Option<f64> {
        let right = self.true_positive + self.benign;
        let judged = right + self.false_positive;
        (judged > 0).then(|| right as f64 / judged as f64)
    }
}

impl Control {
    /// Every partner that ever had an alert, with its counts, by name.
    pub async fn tenants_seen(&self, scope: &Scope) -> Result<Vec<TenantAlerts>, ControlError> {
        let mut query = QueryBuilder::new(
            "SELECT tenant, SUM(CASE WHEN state = 'open' THEN 1 ELSE 0 END), \
             SUM(CASE WHEN state = 'acknowledged' THEN 1 ELSE 0 END), \
             SUM(CASE WHEN state = 'closed' THEN 1 ELSE 0 END), \
             MAX(CASE WHEN state <> 'closed' THEN severity END), MAX(last_seen) FROM alerts WHERE ",
        );
        push_scope(&mut query, scope);
        query.push(" GROUP BY tenant ORDER BY tenant");
        let rows: Vec<(String, i64, i64, i64, Option<i32>, i64)> =
            query.build_query_as().fetch_all(self.readers()).await?;
        rows.into_iter()
            .map(|(tenant, open, acknowledged, closed, worst, last_seen)| {
                Ok(TenantAlerts {
                    tenant: Tenant::parse(&tenant).map_err(|e| ControlError::damaged("tenant", e))?,
                    open,
                    acknowledged,
                    closed,
                    severity_max: worst.map(row::severity),
                    last_seen: clock::from_millis(last_seen),
                })
            })
            .collect()
    }

    /// How often each detector was right, as far as people said.
    pub async fn verdicts(&self, scope: &Scope) -> Result<Vec<DetectorVerdicts>, ControlError> {
        let mut query = QueryBuilder::new(
            "SELECT detector, SUM(CASE WHEN verdict = 'true_positive' THEN 1 ELSE 0 END), \
             SUM(CASE WHEN verdict = 'false_positive' THEN 1 ELSE 0 END), \
             SUM(CASE WHEN verdict = 'benign' THEN 1 ELSE 0 END) FROM alerts \
             WHERE verdict IS NOT NULL AND ",
        );
        push_scope(&mut query, scope);
        query.push(" GROUP BY detector ORDER BY detector");
        let rows: Vec<(String, i64, i64, i64)> = query.build_query_as().fetch_all(self.readers()).await?;
        Ok(rows
            .into_iter()
            .map(|(detector, true_positive, false_positive, benign)| DetectorVerdicts {
                detector,
                true_positive,
                false_positive,
                benign,
            })
            .collect())
    }
}

impl Control {
    /// How many alerts are not over, by severity; severities without one are left out.
    pub async fn open_by_severity(&self) -> Result<Vec<(Severity, i64)>, ControlError> {
        let rows: Vec<(i32, i64)> =
            sqlx::query_as("SELECT severity, COUNT(*) FROM alerts WHERE state <> 'closed' GROUP BY severity")
                .fetch_all(self.readers())
                .await?;
        Ok(rows.into_iter().map(|(severity, count)| (row::severity(severity), count)).collect())
    }
}
