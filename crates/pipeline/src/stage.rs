//! What happens to a batch.

use event::Positions;

use crate::source::{Polled, Reader};

/// A stage: it is read to, and asked what came of it. Pure but for what [`Reader::assigned`] loads.
pub trait Stage: Reader + Send {
    /// What one batch gives.
    type Output;

    /// What the records since the last call amount to. Called after every batch, empty ones too.
    fn finish(&mut self, polled: &Polled) -> Result<Self::Output, StageError>;

    /// The output of the last [`finish`](Stage::finish) and the positions are durable together.
    fn delivered(&mut self, positions: &Positions) -> Result<(), StageError>;
}

/// What to do about a stage that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// Start again from what is durable.
    #[error("stage was interrupted: {0}")]
    Interrupted(String),
    /// Nothing will change until an operator does something; the text says what.
    #[error("stage cannot go on: {0}")]
    Stuck(String),
}
