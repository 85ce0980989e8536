//! The API's own metrics. Labels hold route templates, never paths: a path holds what callers put there.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Labels: how a request went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

/// Labels: where it went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

/// Counts what goes through the API.
#[derive(Clone)]
pub struct ApiMetrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabel, Histogram>,
    pub(crate) intake_lines: Counter,
    pub(crate) intake_bytes: Counter,
}

impl ApiMetrics {
    /// New metrics, registered.
    pub fn register(registry: &mut Registry) -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.001, 3.0, 10));
        let metrics = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds as fn() -> Histogram),
            intake_lines: Counter::default(),
            intake_bytes: Counter::default(),
        };
        registry.register("watchfire_http_requests", "HTTP requests answered", metrics.requests.clone());
        let help = "Seconds until the answer to an HTTP request began";
        registry.register("watchfire_http_request_seconds", help, metrics.seconds.clone());
        let help = "Log lines taken by HTTP, once the broker had them";
        registry.register("watchfire_intake_lines", help, metrics.intake_lines.clone());
        let help = "Bytes of the log lines taken by HTTP, decompressed";
        registry.register("watchfire_intake_bytes", help, metrics.intake_bytes.clone());
        metrics
    }

    pub(crate) fn answered(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.seconds.get_or_create(&RouteLabel { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { route, method, status }).inc();
    }
}
