//! Alerts with their life, and everybody who must hear of them.
//!
//! Start at [`Control`]: one database that holds the alerts, their change log, the outbox and the
//! API's tokens. [`Control::apply`] takes in what the alerts topic says, [`run_outbox`] sends what
//! receivers are owed. What is decided is decided in two pure files: `fold` (what a change makes of
//! an alert) and `policy` (who is told). This crate neither reads Kafka nor serves HTTP.

mod clock;
mod control;
mod error;

mod alert;
mod apply;
mod fold;
mod row;

mod enqueue;
mod policy;

mod action;
mod changes;
mod counts;
mod cursor;
mod list;
mod prune;

mod saved;

mod token;

mod destination;
mod egress;
mod text;

mod backlog;
mod outbox;
mod routing;

mod answer;
mod budget;
mod counters;
mod courier;
mod retry;
mod run;

#[cfg(test)]
mod testing;

pub use action::{Action, Actor};
pub use alert::{AlertState, LoggedChange, StoredAlert, Verdict};
pub use apply::Applied;
pub use backlog::{DestinationStats, NoticeEntry, Requeued};
pub use clock::Clock;
pub use control::Control;
pub use counters::{DestinationCounts, OutboxCounters};
pub use counts::{DetectorVerdicts, TenantAlerts};
pub use destination::{Destination, DestinationConfig, DestinationError, DestinationKind, SecretReference};
pub use error::ControlError;
pub use list::{AlertFilter, AlertPage, PageRequest};
pub use prune::Pruned;
pub use run::{OutboxOptions, run_outbox};
pub use saved::{SAVED_QUERIES_MAX, SavedQuery};
pub use token::{NewToken, Principal, Role, TOKEN_PREFIX, TokenEntry, WrongTokens};
