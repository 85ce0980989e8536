//! Gathers one batch: as much as the budget allows, as far as the assignment stays the same.

use std::time::{Duration, Instant};

use pipeline::SourceError;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use tracing::warn;

use super::Budget;
use crate::context::{AssignmentChange, Context};

/// Polls until the budget is used up and nothing is waiting, or the assignment changes. Messages
/// that stand before a change are told apart from the one that may have come with it.
pub(super) fn gather<'a>(
    consumer: &'a BaseConsumer<Context>,
    budget: &Budget,
    last_batch: Instant,
) -> Result<(Vec<BorrowedMessage<'a>>, Vec<AssignmentChange>, usize), SourceError> {
    let mut messages = Vec::new();
    let mut bytes = 0;
    let mut deadline = Instant::now() + budget.wait;
    loop {
        let before_change = messages.len();
        let polled = consumer.poll(whole_millis(deadline.saturating_duration_since(Instant::now())));
        let changes = consumer.context().take_changes();
        let nothing_waits = polled.is_none();
        match polled {
            Some(Ok(message)) => {
                if messages.is_empty() {
                    deadline = last_batch + budget.linger;
                }
                bytes += weight(message.payload().unwrap_or_default());
                messages.push(message);
            }
            Some(Err(error)) => tolerate(consumer, &error)?,
            None => {}
        }
        let full = messages.len() >= budget.records_max || bytes >= budget.bytes_max;
        if full || !changes.is_empty() || (nothing_waits && Instant::now() >= deadline) {
            return Ok((messages, changes, before_change));
        }
    }
}

/// librdkafka waits for whole milliseconds, and its wrapper spends what is left of a broken one asking without end.
fn whole_millis(wait: Duration) -> Duration {
    Duration::from_millis(wait.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(u64::MAX))
}

/// What a record takes of a batch's budget. However short a line is, it becomes a row.
fn weight(payload: &[u8]) -> usize {
    const LINE_BYTES: usize = 64;
    let count = |wanted: u8| memchr::memchr_iter(wanted, payload).count();
    let is_array = payload.trim_ascii_start().first() == Some(&b'[');
    let elements = if is_array { count(b'{') } else { 0 };
    payload.len() + LINE_BYTES * (1 + count(b'\n') + elements)
}

/// librdkafka reconnects and retries by itself; only what it calls fatal, or says no to, ends a source.
fn tolerate(consumer: &BaseConsumer<Context>, error: &KafkaError) -> Result<(), SourceError> {
    if let Some((code, why)) = consumer.client().fatal_error() {
        return Err(SourceError::Interrupted(format!("consumer failed: {code}: {why}")));
    }
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed) => {
            Err(SourceError::Misconfigured(format!("the broker's ACLs refuse it: {error}")))
        }
        Some(RDKafkaErrorCode::AutoOffsetReset) => {
            Err(SourceError::Interrupted(format!("the log does not hold what comes next: {error}")))
        }
        Some(RDKafkaErrorCode::PollExceeded) => Err(SourceError::Interrupted(error.to_string())),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(()),
        _ => {
            warn!(%error, "kafka consumer goes on after an error");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_what_librdkafka_can_wait() {
        let waited = [0, 1, 999_999, 1_000_000, 1_000_001, 20_500_000]
            .map(|nanos| whole_millis(Duration::from_nanos(nanos)).as_nanos());
        assert_eq!(waited, [0, 1_000_000, 1_000_000, 1_000_000, 2_000_000, 21_000_000]);
    }

    #[test]
    fn many_short_lines_weigh_more_than_their_bytes() {
        let line = vec![b'x'; 350];
        assert_eq!(weight(&line), 414);
        assert!(weight(&b"x\n".repeat(1_000)) > 60_000);
        assert!(weight(format!("[{}]", "{},".repeat(1_000)).as_bytes()) > 60_000);
        assert!(weight(br#"{"a":{"b":{}}}"#) < 100, "braces inside a line are no lines");
    }
}
