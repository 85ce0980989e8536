//! What requests, connections and threads add to while they work.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;

use super::histogram::Histogram;
use super::{ApiMetrics, BrokerMetrics, ErrorMetrics};
use crate::api::APIS;
use crate::guarded::Guarded;

/// Counters that only grow, but for [`Counters::connections`].
#[derive(Debug)]
pub(crate) struct Counters {
    apis: Vec<ApiCounters>,
    errors: Guarded<BTreeMap<(&'static str, String), u64>>,
    pub(crate) connections: AtomicU64,
    connections_opened: AtomicU64,
    connections_rejected: AtomicU64,
    connections_malformed: AtomicU64,
    connections_stalled: AtomicU64,
    connections_unidentified: AtomicU64,
    pub(crate) authentication_failures: AtomicU64,
    fsyncs: Histogram,
}

#[derive(Debug)]
struct ApiCounters {
    key: ApiKey,
    requests: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// Why the broker, and not its client, ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// There were too many.
    Rejected,
    /// What came was no request.
    Malformed,
    /// Nothing came, or nothing was taken.
    Stalled,
    /// The client had not shown who it is.
    Unidentified,
}

impl Default for Counters {
    fn default() -> Self {
        let zeroes = |key: ApiKey| ApiCounters {
            key,
            requests: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        };
        Self {
            apis: APIS.iter().map(|api| zeroes(api.key)).collect(),
            errors: Guarded::default(),
            connections: AtomicU64::new(0),
            connections_opened: AtomicU64::new(0),
            connections_rejected: AtomicU64::new(0),
            connections_malformed: AtomicU64::new(0),
            connections_stalled: AtomicU64::new(0),
            connections_unidentified: AtomicU64::new(0),
            authentication_failures: AtomicU64::new(0),
            fsyncs: Histogram::default(),
        }
    }
}

impl Counters {
    /// Counts a request that has come, with its length in front.
    pub(crate) fn count_request(&self, key: ApiKey, bytes: usize) {
        if let Some(api) = self.api(key) {
            api.requests.fetch_add(1, Ordering::Relaxed);
            api.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Counts a response that was sent.
    pub(crate) fn count_response(&self, key: ApiKey, bytes: usize) {
        if let Some(api) = self.api(key) {
            api.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    fn api(&self, key: ApiKey) -> Option<&ApiCounters> {
        self.apis.iter().find(|api| api.key == key)
    }

    /// Counts an error that a client is told.
    pub(crate) fn count_error(&self, api: &'static str, error: ResponseError) {
        *self.errors.lock().entry((api, kafka_name(error))).or_default() += 1;
    }

    /// Counts a connection that begins; [`Self::connection_ended`] takes it back.
    pub(crate) fn connection_began(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.connections_opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_ended(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a connection that the broker ended.
    pub(crate) fn count_closing(&self, why: Closing) {
        let counter = match why {
            Closing::Rejected => &self.connections_rejected,
            Closing::Malformed => &self.connections_malformed,
            Closing::Stalled => &self.connections_stalled,
            Closing::Unidentified => &self.connections_unidentified,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts syncs that took `took` together.
    pub(crate) fn count_syncs(&self, count: u64, took: Duration) {
        self.fsyncs.observe(count, took);
    }

    /// The counters; the sizes are filled in by whoever knows them.
    pub(crate) fn snapshot(&self) -> BrokerMetrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let apis: Vec<ApiMetrics> = self.apis.iter().map(ApiCounters::snapshot).collect();
        let error = |((api, error), count): (&(&str, String), &u64)| ErrorMetrics {
            api: (*api).to_owned(),
            error: error.clone(),
            count: *count,
        };
        BrokerMetrics {
            requests: apis.iter().map(|api| api.requests).sum(),
            bytes_in: apis.iter().map(|api| api.bytes_in).sum(),
            bytes_out: apis.iter().map(|api| api.bytes_out).sum(),
            apis: apis.into_iter().filter(|api| api.requests > 0).collect(),
            errors: self.errors.lock().iter().map(error).collect(),
            connections: read(&self.connections),
            connections_opened: read(&self.connections_opened),
            connections_rejected: read(&self.connections_rejected),
            connections_malformed: read(&self.connections_malformed),
            connections_stalled: read(&self.connections_stalled),
            connections_unidentified: read(&self.connections_unidentified),
            authentication_failures: read(&self.authentication_failures),
            fsyncs: self.fsyncs.count(),
            fsync_seconds: self.fsyncs.seconds(),
            fsync_buckets: self.fsyncs.buckets(),
            ..BrokerMetrics::default()
        }
    }
}

impl ApiCounters {
    fn snapshot(&self) -> ApiMetrics {
        ApiMetrics {
            api: format!("{:?}", self.key),
            requests: self.requests.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }
}

/// `UnknownServerError` as Kafka's own clients and documents write it: `UNKNOWN_SERVER_ERROR`.
fn kafka_name(error: ResponseError) -> String {
    let mut name = String::new();
    for letter in format!("{error:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_bytes_are_counted_by_api_and_together() {
        let counters = Counters::default();
        counters.count_request(ApiKey::Produce, 100);
        counters.count_request(ApiKey::Produce, 200);
        counters.count_response(ApiKey::Produce, 50);
        counters.count_request(ApiKey::Fetch, 7);
        let now = counters.snapshot();
        assert_eq!((now.requests, now.bytes_in, now.bytes_out), (3, 307, 50));
        let produce = ApiMetrics { api: "Produce".into(), requests: 2, bytes_in: 300, bytes_out: 50 };
        let fetch = ApiMetrics { api: "Fetch".into(), requests: 1, bytes_in: 7, bytes_out: 0 };
        assert_eq!(now.apis, [produce, fetch], "only what was asked for");
    }

    #[test]
    fn errors_are_counted_under_the_names_that_kafka_gives_them() {
        let counters = Counters::default();
        counters.count_error("Produce", ResponseError::OutOfOrderSequenceNumber);
        counters.count_error("Produce", ResponseError::OutOfOrderSequenceNumber);
        counters.count_error("Fetch", ResponseError::OffsetOutOfRange);
        let errors = counters.snapshot().errors;
        let told: Vec<_> = errors.iter().map(|one| (&*one.api, &*one.error, one.count)).collect();
        assert_eq!(
            told,
            [("Fetch", "OFFSET_OUT_OF_RANGE", 1), ("Produce", "OUT_OF_ORDER_SEQUENCE_NUMBER", 2)]
        );
    }
}
