//! The protocol as clients speak it: a Rust client over loopback, raw bytes, and Python's ADBC.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]

mod support;

mod access;
mod bytes;
mod catalog;
mod limits;
mod prepared;
mod python;
mod walls;
