//! The two stages that write what we keep: STORE its tables, ALERTING the alert database.
//!
//! Each keeps the offsets it has read beside what it made of them, in one commit, and says itself
//! where a partition is to be read from. Start reading at [`store::StoreStage`] and
//! [`alerting::AlertingStage`]; the stages that write to Kafka are in crate `stages`. This crate
//! knows neither Kafka nor SQL, so that the same code runs over a simulated log.

pub mod store;

pub mod alerting;
