//! The nouns that cross a border between Watchfire's parts, and their Arrow schemas.
//!
//! A raw log becomes an [`event`], an event yields [`observation`]s, observations yield
//! [`alert`]s; what cannot be read becomes a [`reject`]. [`position`] says where in the log a
//! thing came from, [`tenant`] whose it is, [`time`] when it happened.
//!
//! This crate leans on no other crate of ours, reads no clock and does no I/O.

pub mod alert;
pub mod event;
pub mod ids;
pub mod ipc;
pub mod observation;
pub mod ocsf;
pub mod position;
pub mod raw;
pub mod reject;
pub mod signal;
pub mod tenant;
pub mod time;

mod columns;

pub use alert::{Alert, AlertChange, Change, Evidence, Severity};
pub use event::{ColumnDoc, EventBatch, EventBatchBuilder, EventReader, EventRow, WrongColumns};
pub use observation::{
    DELAYS_MS, Observation, ObservationBatch, ObservationBatchBuilder, ObservationKind, ObservationReader,
    SourceProgress,
};
pub use position::{Position, Positions};
pub use raw::RawLog;
pub use reject::{RejectBatch, RejectBatchBuilder, RejectReader, RejectReason, RejectRow};
pub use signal::Signal;
pub use tenant::{LogTopic, Scope, Tenant};
pub use time::EventTime;
