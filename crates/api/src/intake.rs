//! Log lines that come by HTTP: where they go, and how a body becomes lines within bounds.

pub(crate) mod decode;
pub(crate) mod lines;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use event::{LogTopic, Tenant};

use crate::shares::Share;

/// The bytes that one intake request holds.
pub(crate) type Reservation = Share<Tenant>;

/// Where lines go: a topic of the broker.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Appends the lines in this order to the topic, in as many records as it likes. When it returns `Ok` the
    /// broker has them all, durably; after an error some may have been appended all the same.
    ///
    /// `format` is the `wf-format` header's value, `shipper` the name of the token that sent them.
    async fn append(
        &self,
        topic: &LogTopic,
        lines: Vec<Bytes>,
        format: Option<String>,
        shipper: &str,
    ) -> Result<Accepted, IntakeError>;
}

/// What the broker has taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many lines.
    pub lines: usize,
    /// Partition and offset of the first.
    pub first: Option<(i32, i64)>,
    /// Partition and offset of the last.
    pub last: Option<(i32, i64)>,
}

/// Why the broker has not taken the lines, by what the sender should do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntakeError {
    /// Send the same again, a little later.
    #[error("the intake is busy")]
    Busy {
        /// When.
        retry_after: Duration,
    },
    /// One of the lines is larger than the broker takes.
    #[error("a line is larger than the broker takes")]
    TooLarge,
    /// The partner has as many feeds as it may, and this would be another.
    #[error("the partner has {feeds_max} feeds already")]
    TooManyFeeds {
        /// How many it may have.
        feeds_max: usize,
    },
    /// The broker cannot be reached, or has refused. The cause is for our log.
    #[error("the broker is unavailable: {0}")]
    Unavailable(String),
}
