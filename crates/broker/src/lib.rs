//! A Kafka broker in a library: one node, durable, no replication.
//!
//! It speaks enough of the protocol for producers (idempotent and transactional), consumers,
//! consumer groups and administration. Start reading at [`Broker`]; then `connection` (how a
//! request comes in), `handlers` (what each does), `partition` and `log` (where records go), and
//! `journal` (where everything else goes). It refuses to open compressed records, to compact, to
//! replicate, and to listen beyond loopback without TLS and users, unless told that the network is
//! trusted.
//!
//! # When the disk does not do its part
//!
//! - *It is full.* A batch that finds no room is refused with `KAFKA_STORAGE_ERROR`. Readers go on,
//!   and so do producers as soon as there is room, without a restart. What changes topics, groups
//!   or transactions waits for room. A start needs a little room too, for its journal.
//! - *An fsync fails.* No one knows then what the disk holds, so that partition refuses producers
//!   until a restart; what was acknowledged can be read. If it is the journal's, the broker stops.
//! - *The power goes.* A start cuts each log after its last whole batch, and says where; nothing
//!   that was acknowledged lies behind that. What is cut is kept for a while, see `set_aside`.
//! - *A bit flips.* The batch is not served, and readers are told `CORRUPT_MESSAGE`; the next start
//!   takes it out of the log, says so, and what follows it can be read.
//!
//! How that is tested can be turned up: `KILL_POINTS=200` for `kill -9` (`tests/crash/points.rs`),
//! `POWER_CUT_SEEDS=3000` for power cuts (`broker/power_cut.rs`), and the targets in `fuzz/`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

mod broker;
mod config;
mod error;
mod metrics;

mod api;
mod connection;
mod frame;
mod handlers;
mod node;
mod security;
mod shape;

mod group;
mod groups;
mod journal;
mod log;
mod partition;
mod syncer;
mod topic_admin;
mod topic_config;
mod topics;
mod transactions;

mod clock;
mod detached;
mod disk;
mod format;
mod guarded;
mod open_files;
mod set_aside;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use broker::{Broker, OwnAccess, Stopped};
pub use config::{BrokerConfig, TlsFiles};
pub use error::BrokerError;
pub use metrics::{ApiMetrics, BrokerMetrics, ErrorMetrics, GroupLag, LISTED_MAX, PartitionMetrics};
pub use security::tls::TlsError;
pub use security::users;
