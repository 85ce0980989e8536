//! A reject: a line that could not be read, with its reason and position, its secrets taken out.

use std::fmt;

use crate::columns::columns;

/// Why a line was rejected; the `reason` column and metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RejectReason {
    /// The record or line has no bytes, or only white space.
    Empty,
    /// More bytes than a line may have.
    TooLong,
    /// Brackets nest deeper than a line may.
    TooDeep,
    /// JSON that no JSON parser accepts.
    InvalidJson,
    /// No source description recognises the line, or the one that was named does not fit it.
    UnknownFormat,
    /// A field that the source must have is missing.
    MissingField,
    /// A field holds what it cannot hold, e.g. no time in a time stamp.
    InvalidField,
    /// The time stamp lies where no log can be from (before 2000, after 2100).
    TimeOutOfRange,
    /// A record with more lines than a record may hold.
    TooManyLines,
    /// A piece of a line that its collector cut.
    PartialLine,
    /// A bug of ours: normalizing the line failed. Its neighbours are untouched.
    InternalError,
}

impl RejectReason {
    /// Every reason, so that metrics exist before the first reject.
    pub const ALL: [RejectReason; 11] = [
        Self::Empty,
        Self::TooLong,
        Self::TooDeep,
        Self::InvalidJson,
        Self::UnknownFormat,
        Self::MissingField,
        Self::InvalidField,
        Self::TimeOutOfRange,
        Self::TooManyLines,
        Self::PartialLine,
        Self::InternalError,
    ];

    /// The reason's name in columns and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::InvalidJson => "invalid_json",
            Self::UnknownFormat => "unknown_format",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::TooManyLines => "too_many_lines",
            Self::PartialLine => "partial_line",
            Self::InternalError => "internal_error",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

columns! {
    /// One reject.
    "rejects" RejectRow RejectBatchBuilder RejectBatch RejectReader;
    reject_id: Text, I, "", "A hash of topic, partition, offset and line.";
    time: Time, I, "", "When the broker appended the record.";
    tenant: Text, I, "", "Whose it is.";
    feed: Text, I, "", "The feed part of the topic.";
    kafka_topic: Text, I, "", "Topic of the raw log.";
    kafka_partition: Int, I, "", "Partition of the raw log.";
    kafka_offset: Long, I, "", "Offset of the raw log.";
    kafka_line: Int, I, "", "Line within the record, from 0.";
    source_format: Text, I, "", "The source description that was tried, where one was.";
    reason: Text, I, "", "One word; see RejectReason.";
    detail: Text, I, "", "What was wrong, without the payload.";
    bytes: Long, I, "", "How long the line was.";
    excerpt: Text, I, "", "The line's first 2,048 characters, secrets redacted, what is not UTF-8 replaced.";
    redriven_from: Text, I, "", "The reject that this was before it was sent again.";
    raw_hash: Hash, I, "", "HMAC-SHA-256 of the line as it came, with the pepper.";
}
