//! Who is told what: pure decisions about one alert and one destination.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use event::{Alert, Severity, Tenant};
use serde::{Deserialize, Serialize};

use crate::{AlertState, StoredAlert};

/// Alerts of detectors that begin like this are never resolved by the end of their episode: that
/// a token or key stopped being misused does not mean that it is no longer in the wrong hands.
const NEVER_RESOLVED: [&str; 2] = ["token_reuse", "key_leak"];

/// What a destination wants to hear of. Kept in the database, so that whatever is applied is
/// queued by the same rules before and after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) destination: String,
    /// Nothing below this.
    pub(crate) min_severity: Severity,
    /// Only alerts that page.
    pub(crate) page_only: bool,
    /// Also changes that neither raise the severity nor end the episode.
    pub(crate) updates: bool,
    /// Only these partners'; everybody's if `None`.
    pub(crate) tenants: Option<BTreeSet<Tenant>>,
    /// Only these detectors'; every one's if `None`.
    pub(crate) detectors: Option<BTreeSet<String>>,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NoticeKind {
    /// There is an alert.
    Opened,
    /// It got worse.
    Raised,
    /// It changed.
    Updated,
    /// A person is at it.
    Acknowledged,
    /// It is over.
    Closed,
}

impl NoticeKind {
    const ALL: [Self; 5] = [Self::Opened, Self::Raised, Self::Updated, Self::Acknowledged, Self::Closed];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Raised => "raised",
            Self::Updated => "updated",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a destination has been told of an episode, sent or still in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) severity: Severity,
    pub(crate) closed: bool,
}

impl Route {
    fn wants(&self, alert: &Alert) -> bool {
        alert.severity >= self.min_severity
            && (!self.page_only || (alert.page && alert.severity >= Severity::High))
            && self.tenants.as_ref().is_none_or(|tenants| tenants.contains(&alert.tenant))
            && self.detectors.as_ref().is_none_or(|detectors| detectors.contains(&alert.detector))
    }

    /// What this destination should now be told of an alert that has changed.
    pub(crate) fn notices(
        &self,
        told: Option<Told>,
        was: Option<AlertState>,
        now: &StoredAlert,
    ) -> Vec<NoticeKind> {
        let mut notices = Vec::new();
        let is_closed = now.state == AlertState::Closed;
        let closes = is_closed && was != Some(AlertState::Closed);
        match told {
            None if !self.wants(&now.alert) => return notices,
            // It was put to rest before this destination ever heard of it.
            None if is_closed && !closes => return notices,
            Some(told) if told.closed && is_closed => return notices,
            None => notices.push(NoticeKind::Opened),
            Some(told) if now.alert.severity > told.severity => notices.push(NoticeKind::Raised),
            Some(_) if !closes && self.updates => notices.push(NoticeKind::Updated),
            Some(_) => {}
        }
        if closes && may_resolve(now) {
            notices.push(NoticeKind::Closed);
        } else if closes && notices.is_empty() && self.updates {
            notices.push(NoticeKind::Updated);
        }
        notices
    }
}

/// Whether an alert comes too late to page for: a lost database reads the whole alerts topic again,
/// which is kept for ever, and on-call shall not be woken for last year.
pub(crate) fn is_old_news(alert: &Alert, received_at: DateTime<Utc>, age_max: Option<TimeDelta>) -> bool {
    age_max
        .is_some_and(|max| received_at.timestamp_millis() - alert.last_seen.millis() > max.num_milliseconds())
}

/// A person's closing always resolves.
fn may_resolve(alert: &StoredAlert) -> bool {
    alert.closed_by.is_some() || !NEVER_RESOLVED.iter().any(|prefix| alert.alert.detector.starts_with(prefix))
}

/// What becomes of a message that nobody has tried to send yet when the next one of its episode
/// comes: one message that says both, or `None` if both must be sent.
pub(crate) fn merged(waiting: NoticeKind, next: NoticeKind) -> Option<NoticeKind> {
    use NoticeKind::{Acknowledged, Closed, Opened, Raised, Updated};
    match (waiting, next) {
        (Opened | Raised | Updated, Updated) => Some(waiting),
        (Opened, Raised) => Some(Opened),
        (Raised | Updated, Raised) => Some(Raised),
        (Updated, Acknowledged | Closed) => Some(next),
        _ => None,
    }
}
