//! SQL over the PostgreSQL protocol, version 3: for `psql`, Grafana and what else speaks it.
//!
//! Start at `server.rs`, which takes connections; `startup.rs` says who may come in, `session.rs` what
//! a connection can ask for, `error.rs` which SQLSTATE there are. Bytes become messages in `message.rs`
//! and `reply.rs`, Arrow values in `value.rs`; `catalog.rs` is what clients look up before they ask.
//!
//! **Invariant:** every row comes from `query`, within the limits and behind the wall of the
//! caller's token. What this crate adds to it are constants. It writes nothing.
//!
//! The protocol is our own code (2026-11): the crate `pgwire` 0.41 panics on a `Bind` that ends too early
//! and buffers a message of up to a gigabyte, and neither can be set from outside.

mod config;
mod server;
mod startup;

mod session;

mod command;
mod extended;
mod portal;
mod simple;

mod cancel;
mod catalog;
mod error;
mod message;
mod metrics;
mod oid;
mod parameter;
mod reply;
mod script;
mod settings;
mod value;
mod wire;

pub use config::PostgresConfig;
pub use listener::{TlsError, TlsFiles};
pub use metrics::PostgresMetrics;
pub use server::{PostgresState, serve};
