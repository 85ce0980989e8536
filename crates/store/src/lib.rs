//! Where events, alert changes and rejects are kept: three Delta tables, written exactly once.
//!
//! Start reading at [`Tables`]: `append` writes rows and the Kafka positions they were read from
//! in one Delta commit; `provider` gives a table to SQL. [`Table`] says which tables there are
//! and what their columns mean. What may go wrong, and what to do about it, is [`StoreError`].
//!
//! This crate knows no Kafka, runs no SQL and never deletes a row that it has acknowledged.

mod table;

mod alert_changes;
mod arrivals;
mod tables;

mod commit;
mod compact;
mod conform;
mod data_file;
mod day;
mod durable;
mod error;
mod follow;
mod layout;
mod ledger;
mod maintain;
mod open;
mod order;
mod stats;
mod tiers;
mod writer;

pub use alert_changes::alert_changes_batch;
pub use arrivals::{Arrivals, Stretch};
pub use compact::Compacted;
pub use error::StoreError;
pub use table::Table;
pub use tables::{Appended, StoreOptions, Tables};

pub use deltalake::datafusion::catalog::TableProvider;
