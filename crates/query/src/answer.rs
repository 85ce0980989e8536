//! The answer to a query: batches as they are computed, within the time that is left.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::QueryError;
use crate::run::Part;
use crate::stoppable::Stop;

/// What a query answers. Dropping it stops the query.
pub struct QueryAnswer {
    /// The columns, known before the first row.
    pub schema: SchemaRef,
    /// The rows. After an error nothing follows.
    pub batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    /// Whether there are more rows than a query may return; it is final once `batches` has ended.
    pub truncated: Arc<AtomicBool>,
    /// How many rows a query may return.
    pub rows_max: usize,
    /// When the query is stopped, done or not. Until it is dropped, an answer that nobody reads to its
    /// end keeps others from asking.
    pub ends_at: Instant,
}

impl std::fmt::Debug for QueryAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryAnswer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Ends a query's task when nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct StopOnDrop {
    pub(crate) task: AbortHandle,
    pub(crate) stop: Stop,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.stop.now();
        self.task.abort();
    }
}

/// When a query must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) limit: Duration,
}

/// The parts of a running query as a stream that ends at the deadline.
pub(crate) fn stream(
    parts: mpsc::Receiver<Part>,
    deadline: Deadline,
    task: StopOnDrop,
) -> BoxStream<'static, Result<RecordBatch, QueryError>> {
    let open = Some((parts, task));
    let batches = futures::stream::unfold(open, move |open| async move {
        let (mut parts, task) = open?;
        match timeout_at(deadline.at, parts.recv()).await {
            Err(_) => Some((Err(QueryError::TooLong { limit: deadline.limit }), None)),
            Ok(Some(Part::Batch(batch))) => Some((Ok(batch), Some((parts, task)))),
            Ok(Some(Part::Failed(error))) => Some((Err(error), None)),
            Ok(Some(Part::End)) => None,
            Ok(None) => Some((Err(QueryError::engine_failed()), None)),
        }
    });
    // An answer without rows is asked for its next batch once more by whoever looks ahead.
    batches.fuse().boxed()
}
