//! The four stages: what each does with a record, and what comes of a batch.

pub(crate) mod alerting;
pub(crate) mod detect;
pub(crate) mod normalize;
pub(crate) mod store;

mod unreadable;

pub(crate) mod topics;

pub(crate) use topics::Topics;
