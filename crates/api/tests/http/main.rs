//! The API over real connections on loopback.

mod alerts;
mod auth;
mod described;
mod harness;
mod hostile;
mod logs;
mod operations;
mod query;
mod stream;
mod tables;
