//! SQL over Arrow Flight SQL: for Python's ADBC and what else wants whole columns.
//!
//! Start at `server.rs`, which takes connections, and `connection.rs`, one of them; `access.rs` says who
//! may ask, `service.rs` what can be asked for. Rows are sent in `rows.rs`, prepared statements kept in
//! `prepared.rs`; `catalog.rs` is what clients look up before they ask; `error.rs` has every status.
//!
//! **Invariant:** every row comes from `query`, within the limits and behind the wall of the token that
//! the call itself brings. A ticket holds what is to be run, never the right to run it. It writes nothing.

mod config;
mod server;

mod access;
mod connection;
mod pulse;
mod service;

mod bind;
mod prepared;
mod rows;
mod statement;

mod catalog;
mod error;
mod metrics;

pub use config::FlightConfig;
pub use listener::{TlsError, TlsFiles};
pub use metrics::FlightMetrics;
pub use server::{FlightState, serve};
