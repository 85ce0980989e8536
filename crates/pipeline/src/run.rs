//! The loop that every stage runs.

use std::time::Instant;

use crate::metrics::StageMetrics;
use crate::sink::{Sink, SinkError};
use crate::source::{Source, SourceError};
use crate::stage::{Stage, StageError};
use crate::supervise::Failure;
use crate::{Shutdown, StageStatus};

/// A source, a stage and a sink that belong together.
pub struct Parts<So, St, Si> {
    /// Where batches come from.
    pub source: So,
    /// What happens to them.
    pub stage: St,
    /// Where the outputs go.
    pub sink: Si,
}

/// Reads, runs and delivers until it is asked to stop or something fails. What was read is
/// delivered before it stops.
pub fn run<So, St, Si>(
    parts: &mut Parts<So, St, Si>,
    shutdown: &Shutdown,
    status: &StageStatus,
    metrics: &StageMetrics,
) -> Result<(), Failure>
where
    So: Source,
    St: Stage,
    Si: Sink<St::Output>,
{
    let Parts { source, stage, sink } = parts;
    while !shutdown.is_requested() {
        let polled = source.next_batch(stage)?;
        let began = Instant::now();
        let output = stage.finish(&polled)?;
        let processed = Instant::now();
        let delivered = sink.deliver(output, &polled.positions)?;
        if delivered {
            metrics.batch(polled.records, processed - began, processed.elapsed());
        }
        stage.delivered(&polled.positions)?;
        status.polled(&polled, delivered);
    }
    Ok(())
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Interrupted(_) => Failure::TryAgain(error.to_string()),
            SourceError::Misconfigured(_) => Failure::GiveUp(error.to_string()),
        }
    }
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Interrupted(_) | SinkError::Fenced(_) => Failure::TryAgain(error.to_string()),
            SinkError::Misconfigured(_) => Failure::GiveUp(error.to_string()),
        }
    }
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        match error {
            StageError::Interrupted(_) => Failure::TryAgain(error.to_string()),
            StageError::Stuck(_) => Failure::GiveUp(error.to_string()),
        }
    }
}
