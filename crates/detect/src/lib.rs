//! Observations in, alert changes out: what is worth waking somebody for, and what is not.
//!
//! Start with [`Engine`], then `detectors/token_reuse.rs`: every detector has config, state,
//! logic and tests in that order. `episode.rs` says how one stretch of trouble stays one alert.
//!
//! This crate reads no clock, does no I/O and knows no async: the same observations give the
//! same alerts, by id and content, however they were cut, ordered or delivered twice.

mod engine;

pub mod detectors;
pub mod risk;

mod detector;
mod episode;
mod tally;
mod telling;
mod watermark;

mod book;
mod catalogue;
mod class;
mod config;
mod keyed;
mod network;
mod rows;
mod rules;
mod seen;
mod snapshot;
mod stable;
mod text;
mod witness;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use catalogue::{DetectorInfo, catalogue};
pub use class::ClassInfo;
pub use config::{Contract, DetectConfig, WatermarkConfig};
pub use detector::{AlertChanges, BadState, Detector, DetectorState, DetectorStats};
pub use engine::{Engine, EngineStats};
pub use risk::Risk;
pub use rules::{BEGIN, Example, RuleError, RuleFile, Rules, built_in};
pub use watermark::Watermarks;
