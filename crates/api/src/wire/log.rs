//! What the intake answers.

use event::LogTopic;
use serde::Serialize;
use utoipa::ToSchema;

use crate::intake::Accepted;

/// The broker has the lines.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AcceptedView {
    /// How many.
    #[schema(example = 250)]
    accepted: usize,
    /// The topic they are in.
    #[schema(example = "logs.prt_acme.edge")]
    topic: String,
    /// Where the first stands.
    first: Option<PlaceView>,
    /// Where the last stands.
    last: Option<PlaceView>,
}

/// A place in a topic.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlaceView {
    partition: i32,
    offset: i64,
}

impl AcceptedView {
    pub(crate) fn new(topic: &LogTopic, accepted: &Accepted) -> Self {
        let place = |at: Option<(i32, i64)>| at.map(|(partition, offset)| PlaceView { partition, offset });
        Self {
            accepted: accepted.lines,
            topic: topic.name(),
            first: place(accepted.first),
            last: place(accepted.last),
        }
    }
}
