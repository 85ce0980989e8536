//! A Kafka broker in a library: one node, durable, no replication.
//!
//! It speaks enough of the protocol for producers (idempotent and transactional), consumers,
//! consumer groups and administration. Start reading at [`Broker`]; then `connection` (how a
//! request comes in), `handlers` (what each does), `partition` and `log` (where records go), and
//! `journal` (where everything else goes). It refuses to open compressed records, to compact, to
//! replicate, and to listen beyond loopback without TLS and users, unless told that the network is
//! trusted.

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
mod guarded;

pub use broker::Broker;
pub use broker::OwnAccess;
pub use config::{BrokerConfig, TlsFiles};
pub use error::BrokerError;
pub use metrics::BrokerMetrics;
pub use security::tls::TlsError;
pub use security::users;
