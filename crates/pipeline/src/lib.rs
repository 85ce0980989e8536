//! What every stage shares: read, run, write and commit in one transaction.
//!
//! Start reading at [`run`], whose loop is the architecture; [`Source`], [`Stage`] and [`Sink`]
//! are its three parts. [`supervise`] starts a stage again after a failure, from what is durable:
//! a stage is crash-only, so there is one way to recover and it is always the same one.
//!
//! Stages are plain threads and their code is synchronous. Nothing in here knows Kafka, Delta or
//! SQL, and nothing reads a clock except through [`Clock`].

pub mod clock;
mod ends;
pub mod metrics;
mod run;
pub mod shutdown;
pub mod sink;
pub mod snapshots;
pub mod source;
pub mod stage;
pub mod status;
mod supervise;

pub use clock::Clock;
pub use ends::Ends;
pub use metrics::Metrics;
pub use run::{Parts, run};
pub use shutdown::Shutdown;
pub use sink::{OutRecord, Sink, SinkError};
pub use snapshots::{Snapshot, SnapshotError, SnapshotStore};
pub use source::{OwnerStart, Polled, Reader, RecordView, Source, SourceError, StartAt, TopicPartition};
pub use stage::{Stage, StageError};
pub use status::{StageState, StageStatus};
pub use supervise::{Failure, supervise};
