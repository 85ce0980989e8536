//! What clients may rely on, told by librdkafka.
//!
//! With `KAFKA_BROKERS` set, the same cases run against that cluster; those that stop, crash or
//! configure the broker say that they are skipped.

#![allow(clippy::unwrap_used, reason = "tests may")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests read their environment, and kill -9 comes at a moment that only time brings"
)]

mod harness;

mod admin;
mod bad_batches;
mod connections;
mod crash;
mod frames;
mod full_disk;
mod groups;
mod idempotence;
mod java_tools;
mod kcat;
mod killed;
mod metrics;
mod new_group_protocol;
mod offsets;
mod operators;
mod produce_consume;
mod producers;
mod refusals;
mod restart;
mod security;
mod startup;
mod tls;
mod transactions;
