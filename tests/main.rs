//! Whole-system tests: the `watchfire` binary, started as a user starts it, on its own broker, or
//! on the cluster that `KAFKA_BROKERS` names.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests read their environment and the clock, and can only ask another process again"
)]

mod harness;
mod receivers;

mod attacks;
mod bad_input;
mod bucket;
mod commands;
mod coverage;
mod dashboards;
mod explain;
mod flight;
mod machines;
mod on_call;
mod operator;
mod postgres;
mod real_logs;
mod redrive;
mod replay;
mod restarts;
mod risk;
mod rules;
mod secrets;
mod tokens;
mod users;
