//! The only crate that knows librdkafka.
//!
//! [`KafkaSource`] reads in a group and tells a stage what it is assigned; [`TransactionSink`]
//! writes a stage's records and its positions in one transaction; [`LogWriter`] appends raw logs;
//! [`topics`] makes the topics that stages need.

mod connection;
mod context;
mod lag;
mod source;
pub mod topics;
mod transaction;
mod writer;

pub use connection::Connection;
pub use source::{Budget, KafkaSource, SourceOptions};
pub use transaction::TransactionSink;
pub use writer::{Appended, LogWriter, WriteError};
