//! The query engine through its public face: answers, walls, limits.

mod support;

mod answers;
mod bombs;
mod coverage;
mod escape;
mod limits;
mod nonsense;
mod open_tables;
mod secrets;
