//! What tests, benchmarks and demonstrations need and production does not.
//!
//! Start at [`traffic`]: seeded partner traffic with labelled attacks in it. [`dashboards`] reads
//! the metric names out of the dashboards, so that a test can hold them against a scrape.
//! [`oracle`] says what the detectors must find in a log, the slow and obvious way. [`trials`] are
//! attacks of every kind and what only looks like one, [`quality`] judges what was told of them, and
//! [`load`] is weeks of requests by the minute.
//!
//! This crate reads no clock, no environment and no network; it knows no crate of ours but `event`.

pub mod dashboards;
pub mod escapes;
pub mod load;
pub mod oracle;
pub mod quality;
pub mod traffic;
pub mod trials;
