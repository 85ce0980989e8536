//! Records in, rows out: what is true of the whole crate, whatever its parts do.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod auth_log;
mod events;
mod feed;
mod observations;
mod poison;
mod privacy;
mod properties;
mod samples;
mod third_party;
mod wrappers;
