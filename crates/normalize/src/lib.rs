//! Raw logs in; events, observations and rejects out.
//!
//! Start reading at [`Normalizer::normalize`]: it splits a record into lines, finds the
//! description of the source that wrote each (a folder in `schemas/`), parses the line once, maps
//! its fields to columns, takes the secrets out and says what a detector may count on.
//!
//! It reads no clock, does no I/O (but for [`Schemas::load`]) and keeps nothing from one line that
//! changes the next: the same record gives the same rows, however records were batched.

mod normalizer;

mod draft;
mod limits;
mod line;
mod parse;
mod record;
mod reject;
mod text;
mod trace;
mod transport;

mod carry;
mod recognise;
mod schema;
mod wrapper;

mod fields;
mod formats;

mod columns;
mod mapping;
mod settings;

mod address;
mod agents;
mod client;
mod route;
mod stamp;
mod zone;

mod enrich;
mod fingerprint;
mod personal;
mod redact;

mod groups;
mod observations;
mod observe;
mod probe;
mod requests;
mod signals;
mod sources;

mod counts;

pub use client::Networks;
pub use counts::Counts;
pub use enrich::{BadPlaces, Enrichment, PartnerFacts, Places};
pub use fingerprint::{BadPepper, Fingerprinter};
pub use limits::Limits;
pub use normalizer::{Normalized, Normalizer, Options};
pub use record::line_of;
pub use schema::{SchemaError, Schemas};
pub use trace::{Confidence, Trace};
