//! The store through its public face: exactly once, across handles, restarts and compaction.

mod support;

mod append;
mod arrivals;
mod columns;
mod recover;
mod upkeep;
