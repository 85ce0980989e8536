//! Records in, rows out: what is true of the whole crate, whatever its parts do.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod auth_log;
mod cuts;
mod enrichment;
mod events;
mod feed;
mod hostile;
mod logins;
mod mmdb;
mod observations;
mod origins;
mod own_sources;
mod personal;
mod poison;
mod pool;
mod privacy;
mod properties;
mod samples;
mod third_party;
mod wrappers;
