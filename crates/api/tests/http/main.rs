//! The API over real connections on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]
#![allow(clippy::disallowed_methods, reason = "tests read the clock")]

mod alerts;
mod auth;
mod described;
mod harness;
mod hostile;
mod logs;
mod operations;
mod outbox;
mod query;
mod reports;
mod saved_queries;
mod stream;
mod tables;
mod tokens;
