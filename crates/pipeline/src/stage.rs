//! What happens to a batch.

use event::Positions;

use crate::source::Reader;

/// A stage: it is read to, and asked what came of it. Pure but for what [`Reader::assigned`] loads.
pub trait Stage: Reader + Send {
    /// What one batch gives.
    type Output;

    /// What the records since the last call amount to. Called after every batch, empty ones too.
    fn finish(&mut self) -> Self::Output;

    /// The output of the last [`finish`](Stage::finish) and the positions are durable together.
    fn delivered(&mut self, positions: &Positions) -> Result<(), StageError>;
}

/// A stage that cannot go on with the state it has.
#[derive(Debug, thiserror::Error)]
#[error("stage cannot go on: {0}")]
pub struct StageError(pub String);
