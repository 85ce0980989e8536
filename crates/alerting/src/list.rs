//! Reading alerts: one, or a page of those that a filter lets through.

use chrono::{DateTime, Utc};
use event::{Scope, Severity, Tenant};
use sqlx::{QueryBuilder, Sqlite};

use crate::row::{AlertRow, COLUMNS, rank};
use crate::{AlertState, Control, ControlError, StoredAlert, clock, cursor};

/// Which alerts. There is no default, because there is no default scope.
#[derive(Clone, Debug)]
pub struct AlertFilter {
    /// Whose alerts the caller may see.
    pub scope: Scope,
    /// Only this partner's.
    pub tenant: Option<Tenant>,
    /// Only this detector's.
    pub detector: Option<String>,
    /// Only of this class.
    pub class: Option<String>,
    /// Only as bad as this, or worse.
    pub severity_min: Option<Severity>,
    /// Only in this state.
    pub state: Option<AlertState>,
    /// Only whose last event is at or after this.
    pub since: Option<DateTime<Utc>>,
    /// Only whose last event is before this.
    pub until: Option<DateTime<Utc>>,
}

impl AlertFilter {
    /// Everything that a scope may see.
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            tenant: None,
            detector: None,
            class: None,
            severity_min: None,
            state: None,
            since: None,
            until: None,
        }
    }
}

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    limit: u32,
    /// Where the last page ended: its `next_cursor`.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// The most a page may hold.
    pub const LIMIT_MAX: u32 = 500;

    /// The first page, or the one after a cursor; 1 to 500 alerts.
    pub fn new(limit: u32, cursor: Option<String>) -> Result<Self, ControlError> {
        if !(1..=Self::LIMIT_MAX).contains(&limit) {
            return Err(ControlError::Invalid(format!("limit must be 1 to {}", Self::LIMIT_MAX)));
        }
        Ok(Self { limit, cursor })
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 100, cursor: None }
    }
}

/// Some alerts, newest first, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPage {
    /// The alerts.
    pub alerts: Vec<StoredAlert>,
    /// Says where the next page begins; `None` on the last one.
    pub next_cursor: Option<String>,
}

impl Control {
    /// A page of alerts in the order in which they opened, newest first. An alert that changes
    /// while somebody turns pages stays where it is.
    pub async fn alerts(&self, filter: &AlertFilter, page: &PageRequest) -> Result<AlertPage, ControlError> {
        let mut query = select(&filter.scope);
        narrow(&mut query, filter);
        if let Some(cursor) = &page.cursor {
            query.push(" AND opened_sequence < ").push_bind(cursor::decode(cursor)?);
        }
        query.push(" ORDER BY opened_sequence DESC LIMIT ").push_bind(i64::from(page.limit) + 1);
        let mut rows: Vec<AlertRow> = query.build_query_as().fetch_all(self.readers()).await?;
        let is_more = rows.len() > page.limit as usize;
        rows.truncate(page.limit as usize);
        let next_cursor = rows.last().filter(|_| is_more).map(|last| cursor::encode(last.opened_sequence));
        let alerts = rows.into_iter().map(StoredAlert::try_from).collect::<Result<_, _>>()?;
        Ok(AlertPage { alerts, next_cursor })
    }

    /// One alert; `None` also where there is one that this scope may not see.
    pub async fn alert(&self, scope: &Scope, alert_id: &str) -> Result<Option<StoredAlert>, ControlError> {
        let mut query = select(scope);
        query.push(" AND alert_id = ").push_bind(alert_id);
        let row: Option<AlertRow> = query.build_query_as().fetch_optional(self.readers()).await?;
        row.map(StoredAlert::try_from).transpose()
    }
}

fn select(scope: &Scope) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT ");
    query.push(COLUMNS).push(" FROM alerts WHERE ");
    push_scope(&mut query, scope);
    query
}

/// The wall between partners: a condition that only the scope's tenants meet.
pub(crate) fn push_scope(query: &mut QueryBuilder<Sqlite>, scope: &Scope) {
    match scope {
        Scope::All => query.push("1 = 1"),
        Scope::Tenants(tenants) if tenants.is_empty() => query.push("1 = 0"),
        Scope::Tenants(tenants) => {
            query.push("tenant IN (");
            let mut list = query.separated(", ");
            for tenant in tenants {
                list.push_bind(tenant.as_str().to_owned());
            }
            query.push(")")
        }
    };
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &AlertFilter) {
    if let Some(tenant) = &filter.tenant {
        query.push(" AND tenant = ").push_bind(tenant.as_str().to_owned());
    }
    if let Some(detector) = &filter.detector {
        query.push(" AND detector = ").push_bind(detector.clone());
    }
    if let Some(class) = &filter.class {
        query.push(" AND class = ").push_bind(class.clone());
    }
    if let Some(severity) = filter.severity_min {
        query.push(" AND severity >= ").push_bind(rank(severity));
    }
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(since) = filter.since {
        query.push(" AND last_seen >= ").push_bind(clock::millis(since));
    }
    if let Some(until) = filter.until {
        query.push(" AND last_seen < ").push_bind(clock::millis(until));
    }
}

#[cfg(test)]
mod tests;
