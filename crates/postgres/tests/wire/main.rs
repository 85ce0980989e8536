//! The listener through its public face: what real clients and hostile bytes get.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]

mod client;
mod support;

mod bytes;
mod catalog;
mod limits;
mod prepared;
mod psql;
mod tls;
mod walls;
