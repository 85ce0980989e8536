//! What the scorer promises, seen from outside.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests may")]

mod behaviour;
mod benchmark;
mod file;
mod properties;
mod series;
