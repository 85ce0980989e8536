//! The stages that decide: NORMALIZE, DETECT and RISK, as [`pipeline::Stage`]s.
//!
//! They know neither Kafka nor any table, so that the same code runs over a real log and over a
//! simulated one. Start reading at [`normalize::NormalizeStage`].

mod alignment;
pub mod detect;
pub mod examples;
pub mod judge;
pub mod normalize;
pub mod replay;
mod starts;
pub mod topics;
pub mod unreadable;

pub use topics::{OcsfTopics, Topics};

/// The largest record that our topics take, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
