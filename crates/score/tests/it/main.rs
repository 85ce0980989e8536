//! What the scorer promises, seen from outside.

mod behaviour;
mod benchmark;
mod file;
mod properties;
mod series;
