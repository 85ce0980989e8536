//! The API: the only crate that serves HTTP.
//!
//! Start at `routes.rs`: it lists every route. `auth.rs` says who may do what, `error.rs` which status
//! codes there are, `server.rs` how connections are bounded. What the API shows is handed over in
//! [`ApiState`].
//!
//! **Invariant:** only this crate derives wire types. It computes nothing: alerts come from
//! `alerting`, rows from `query`, and lines go to whoever implements [`Intake`].

mod answer;
mod auth;
mod config;
mod error;
mod extract;
mod health;
mod intake;
mod metrics;
mod observe;
mod openapi;
mod partners;
mod problem;
mod routes;
mod rows;
mod server;
mod shares;
mod stall;
mod state;
mod wire;

pub use config::ApiConfig;
pub use health::{Health, PartHealth};
pub use intake::{Accepted, Intake, IntakeError};
pub use metrics::ApiMetrics;
pub use openapi::openapi;
pub use partners::{KnownPartner, Partners};
pub use routes::router;
pub use server::{serve, serve_metrics};
pub use state::{ApiState, Catalogue};
pub use wire::Findings;
