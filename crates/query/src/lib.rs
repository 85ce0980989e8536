//! SQL over the tables, with limits and walls.
//!
//! Start reading at [`QueryEngine::query`]: a statement is read and refused unless it only reads
//! (`statement`), planned in a session of its own that holds the caller's rows and nothing else
//! (`session`, `wall`), and run on threads of its own within limits of time, memory and rows
//! (`run`). What can go wrong, and whose turn it is then, is [`QueryError`].
//!
//! This crate writes nothing, and no text of it names a file or another partner's data.

mod engine;

mod advice;
mod answer;
mod catalog;
mod describe;
mod error;
mod parameters;

mod addresses;
mod alerts;
mod bounds;
mod capped;
mod coverage;
mod functions;
mod gate;
mod growth;
mod guards;
mod joined;
mod json;
mod leaf;
mod memory;
mod passing;
mod plain;
mod row_counts;
mod run;
mod secrets;
mod session;
mod short;
mod sizes;
mod statement;
mod stoppable;
mod table_docs;
mod threads;
mod unnest;
mod value;
mod wall;
mod windows;

pub use advice::{Advice, Unknown};
pub use answer::QueryAnswer;
pub use catalog::Catalog;
pub use describe::Description;
pub use engine::{QueryEngine, QueryLimits};
pub use error::QueryError;
pub use parameters::{Parameter, ParameterType};
pub use table_docs::TableDoc;
