//! Where outputs go.

use std::sync::Arc;

use event::Positions;

/// A record to write.
#[derive(Clone, Debug)]
pub struct OutRecord {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition; `None` leaves it to the key.
    pub partition: Option<i32>,
    /// Key.
    pub key: Option<String>,
    /// Value.
    pub payload: Vec<u8>,
}

/// A place outputs go. When `deliver` returns, the outputs and the positions they came from are
/// durable together, or neither is (but for `kafka::AtLeastOnceSink`, which says so).
pub trait Sink<Output>: Send {
    /// Writes the outputs and the positions as one. Returns `false` if there was nothing to write.
    fn deliver(&mut self, output: Output, positions: &Positions) -> Result<bool, SinkError>;
}

impl<Output, S: Sink<Output> + ?Sized> Sink<Output> for Box<S> {
    fn deliver(&mut self, output: Output, positions: &Positions) -> Result<bool, SinkError> {
        (**self).deliver(output, positions)
    }
}

/// What to do about outputs that could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Not delivered, or not known whether: start again from what is durable.
    #[error("delivery was interrupted: {0}")]
    Interrupted(String),
    /// Another instance has taken over this one's work: start again as a new member.
    #[error("another instance has taken over: {0}")]
    Fenced(String),
    /// Nothing will change until an operator does something.
    #[error("sink is misconfigured: {0}")]
    Misconfigured(String),
}
