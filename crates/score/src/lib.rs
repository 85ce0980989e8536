//! How anomalous is each value of a series, judged in real time by what came before it.
//!
//! Start with [`Scorer`]: `measures.rs` asks of each value some thirty things (level, change, roughness,
//! time of day and of week, each at several scales and in both directions); `tail.rs` says how rare
//! each answer is in this series; the four rarest together are the evidence; `quiet.rs` makes one
//! alarm of one stretch of trouble. [`score_csv`] does it for a file.
//!
//! Every answer becomes a tail probability before it is compared with another, so one threshold
//! ([`THRESHOLD`]) and one set of constants serve every series, whatever its unit, step and noise.
//! What this rests on: peaks over threshold with declustered runs (Siffer et al., KDD 2017; Hill
//! 1975), the anomaly likelihood of Ahmad, Lavin, Purdy and Agha (Neurocomputing 262, 2017), which
//! scores residuals by their own history and not by size, and medians by phase for seasons.
//! `README.md` has what was measured.
//!
//! This crate reads no clock, keeps bounded memory and knows neither files nor the rest of Watchfire.

mod scorer;

mod measures;
mod quiet;
mod tail;

mod history;
mod season;
mod spread;

mod csv;
mod stamp;

pub use csv::{ScoreError, Summary, score_csv};
pub use scorer::Scorer;

/// A score at or above this is an alarm: the mean of the four smallest probabilities (as powers of
/// ten) is then below 10^-2.9. It was chosen on seeded synthetic series, request rates and a part of NAB (`README.md`).
pub const THRESHOLD: f64 = 0.5;
