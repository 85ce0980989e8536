//! The two stages that write to what we keep; NORMALIZE and DETECT are in crate `stages`.

pub(crate) mod alerting;
pub(crate) mod store;
