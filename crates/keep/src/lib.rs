//! The two stages that write what we keep: STORE its tables, ALERTING the alert database.
//!
//! Each keeps the offsets it has read beside what it made of them, in one commit, and says itself
//! where a partition is to be read from. Start reading at [`store::StoreStage`] and
//! [`alerting::AlertingStage`]; the stages that write to Kafka are in crate `stages`. This crate
//! knows neither Kafka nor SQL, so that the same code runs over a simulated log.

pub mod store;

pub mod alerting;

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
