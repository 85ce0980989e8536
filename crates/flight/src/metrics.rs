//! The server's own metrics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Labels: why a connection or a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Labels: how a statement ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

/// Counts who comes in and what is asked.
#[derive(Clone)]
pub struct FlightMetrics {
    pub(crate) open: Gauge,
    refused: Family<ReasonLabel, Counter>,
    statements: Family<CodeLabel, Counter>,
}

impl FlightMetrics {
    /// New metrics, registered.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics =
            Self { open: Gauge::default(), refused: Family::default(), statements: Family::default() };
        let help = "Connections open over Arrow Flight SQL";
        registry.register("watchfire_flight_connections", help, metrics.open.clone());
        let help = "Connections and calls over Arrow Flight SQL that were refused";
        registry.register("watchfire_flight_refused", help, metrics.refused.clone());
        let help = "Statements answered over Arrow Flight SQL, by gRPC status";
        registry.register("watchfire_flight_statements", help, metrics.statements.clone());
        metrics
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn answered(&self, code: &'static str) {
        self.statements.get_or_create(&CodeLabel { code }).inc();
    }
}
