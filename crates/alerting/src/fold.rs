//! How one change alters one alert: a pure function, and the reason why order does not matter.
//!
//! Content comes from the highest revision seen, severity is the highest seen, and the episode is
//! over if the highest revision says so. Each of these is a maximum, so whatever order and however
//! often the same changes arrive, the alert ends up the same.

use chrono::{DateTime, Utc};
use event::{AlertChange, Change};

use crate::{AlertState, StoredAlert};

/// The alert after a change that has not been seen before.
pub(crate) fn fold(stored: Option<&StoredAlert>, change: &AlertChange, at: DateTime<Utc>) -> StoredAlert {
    match stored {
        None => open(change, at),
        Some(stored) => {
            let mut next =
                if change.revision > stored.revision { renew(stored, change, at) } else { stored.clone() };
            next.opened_at = next.opened_at.min(at);
            rise(&mut next, stored, change);
            next
        }
    }
}

fn open(change: &AlertChange, at: DateTime<Utc>) -> StoredAlert {
    let closed = change.change == Change::Close;
    StoredAlert {
        alert: change.alert.clone(),
        revision: change.revision,
        state: if closed { AlertState::Closed } else { AlertState::Open },
        opened_at: at,
        updated_at: at,
        closed_at: closed.then_some(at),
        closed_by: None,
        verdict: None,
        snoozed_until: None,
        sequence: 0,
    }
}

fn renew(stored: &StoredAlert, change: &AlertChange, at: DateTime<Utc>) -> StoredAlert {
    let mut next = stored.clone();
    next.alert = change.alert.clone();
    next.revision = change.revision;
    next.updated_at = at;
    if change.change == Change::Close {
        next.state = AlertState::Closed;
        next.closed_at = next.closed_at.or(Some(at));
    } else if stored.state == AlertState::Closed && stored.closed_by.is_none() {
        // Its end came before this, out of order; the newest revision says that it goes on.
        reopen(&mut next);
    }
    next
}

/// Severity and the wish to page only rise. What a person put to rest wakes up when it gets worse.
fn rise(next: &mut StoredAlert, stored: &StoredAlert, change: &AlertChange) {
    next.alert.severity = stored.alert.severity.max(change.alert.severity);
    next.alert.page = stored.alert.page || change.alert.page;
    if next.alert.severity == stored.alert.severity {
        return;
    }
    next.snoozed_until = None;
    let episode_ended = next.state == AlertState::Closed && next.closed_by.is_none();
    if !episode_ended && change.change != Change::Close {
        reopen(next);
    }
}

fn reopen(alert: &mut StoredAlert) {
    alert.state = AlertState::Open;
    alert.closed_at = None;
    alert.closed_by = None;
    alert.verdict = None;
}
