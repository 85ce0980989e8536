//! The only crate that knows librdkafka.
//!
//! [`KafkaSource`] reads in a group and tells a stage what it is assigned; [`TransactionSink`]
//! writes a stage's records and its positions in one transaction, [`AtLeastOnceSink`] one after the
//! other; [`LogWriter`] appends raw logs;
//! [`topics`] makes the topics that stages need. [`admin`] and [`tail`] are for operators, who look
//! at any topic and group.

pub mod admin;
mod connection;
mod context;
mod lag;
mod offsets;
mod plain;
mod producer;
mod served;
mod source;
mod starts;
pub mod tail;
pub mod topics;
mod transaction;
mod writer;

pub use connection::Connection;
pub use plain::AtLeastOnceSink;
pub use source::{Budget, KafkaSource, SourceOptions};
pub use transaction::TransactionSink;
pub use writer::{Appended, LogWriter, WriteError};
