//! What the API says in JSON. Only this crate derives wire types, so a change inside cannot change
//! what clients see without this file saying so.

mod alert;
mod change;
mod log;

pub use alert::Findings;
pub(crate) use alert::{AlertView, SeverityName, StateName, VerdictName};
pub(crate) use change::ChangeView;
pub(crate) use log::AcceptedView;

use chrono::{DateTime, Utc};
use event::EventTime;

/// Event time as RFC 3339 in UTC. Times beyond the calendar become its last moment, never an error.
fn moment(time: EventTime) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time.millis()).unwrap_or(match time.millis() {
        i64::MIN..0 => DateTime::<Utc>::MIN_UTC,
        _ => DateTime::<Utc>::MAX_UTC,
    })
}
