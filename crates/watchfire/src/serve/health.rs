//! How the parts of this process are, for `/readyz` and `/metrics`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alerting::{Control, OutboxCounters};
use api::{Health, PartHealth};
use broker::Broker;
use event::Severity;
use pipeline::metrics::SeverityLabel;
use pipeline::{Metrics, StageState, StageStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

/// Every stage of this process is a part.
pub(crate) struct ProcessHealth(Vec<(&'static str, StageStatus)>);

impl ProcessHealth {
    pub(crate) fn new(stages: Vec<(&'static str, StageStatus)>) -> Self {
        Self(stages)
    }
}

impl Health for ProcessHealth {
    fn parts(&self) -> Vec<PartHealth> {
        let part = |(name, status): &(&'static str, StageStatus)| {
            let report = status.report();
            let detail = match report.detail.as_str() {
                "" => format!("{:?}", report.state).to_lowercase(),
                why => why.to_owned(),
            };
            PartHealth { name: (*name).to_owned(), ready: report.state == StageState::Running, detail }
        };
        self.0.iter().map(part).collect()
    }
}

/// The embedded broker's numbers, read when asked.
pub(crate) struct BrokerCollector(pub(crate) Arc<Mutex<Option<Broker>>>);

impl std::fmt::Debug for BrokerCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrokerCollector")
    }
}

impl Collector for BrokerCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let held = self.0.lock().expect("no holder of this lock panics");
        let Some(now) = held.as_ref().map(Broker::metrics) else { return Ok(()) };
        drop(held);
        let counters = [
            ("requests", "Requests from clients", now.requests as f64),
            ("bytes_in", "Bytes from clients", now.bytes_in as f64),
            ("bytes_out", "Bytes to clients", now.bytes_out as f64),
            ("fsyncs", "Times the log was synced", now.fsyncs as f64),
            ("fsync_seconds", "Seconds spent syncing", now.fsync_seconds),
        ];
        for (name, help, value) in counters {
            let name = format!("watchfire_broker_{name}");
            let descriptor = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(descriptor)?;
        }
        let gauges = [
            ("connections", "Clients connected", now.connections),
            ("topics", "Topics", now.topics),
            ("partitions", "Partitions", now.partitions),
            ("log_bytes", "Bytes in the log", now.log_bytes),
            ("groups", "Consumer groups", now.groups),
            ("open_transactions", "Transactions begun and not ended", now.open_transactions),
        ];
        for (name, help, value) in gauges {
            let name = format!("watchfire_broker_{name}");
            let descriptor = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value as i64).encode(descriptor)?;
        }
        Ok(())
    }
}

/// What the outbox's couriers have counted.
#[derive(Debug)]
pub(crate) struct OutboxCollector(pub(crate) Arc<OutboxCounters>);

impl Collector for OutboxCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Deliveries to destinations by result";
        let mut family =
            encoder.encode_descriptor("watchfire_outbox_deliveries", help, None, MetricType::Counter)?;
        for counts in self.0.counts() {
            let results = [
                ("delivered", counts.delivered),
                ("retried", counts.retried),
                ("undelivered", counts.undelivered),
            ];
            for (result, count) in results {
                let label =
                    DeliveryLabel { destination: counts.destination.to_string(), result: result.to_owned() };
                ConstCounter::new(count).encode(family.encode_family(&label)?)?;
            }
        }
        Ok(())
    }
}

/// Labels: where alerts are sent, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabel {
    destination: String,
    result: String,
}

/// Labels: where alerts are sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DestinationLabel {
    destination: String,
}

/// Gauges that live in the alert database.
pub(crate) struct ControlGauges {
    alerts_open: Family<SeverityLabel, Gauge>,
    pending: Family<DestinationLabel, Gauge>,
}

impl ControlGauges {
    pub(crate) fn register(registry: &mut Registry, metrics: &Metrics) -> Self {
        let gauges = Self { alerts_open: metrics.alerts_open.clone(), pending: Family::default() };
        let help = "Messages to a destination that are not delivered yet";
        registry.register("watchfire_outbox_pending", help, gauges.pending.clone());
        gauges
    }

    /// Reads them every other second until told to stop.
    pub(crate) async fn keep(self, control: Control, stop: CancellationToken) {
        loop {
            self.read(&control).await;
            if tokio::time::timeout(Duration::from_secs(2), stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    async fn read(&self, control: &Control) {
        if let Ok(open) = control.open_by_severity().await {
            for severity in
                [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
            {
                let label = SeverityLabel { severity: severity.as_str().to_owned() };
                let count = open.iter().find(|(found, _)| *found == severity).map_or(0, |(_, count)| *count);
                self.alerts_open.get_or_create(&label).set(count);
            }
        }
        if let Ok(stats) = control.outbox_stats().await {
            for destination in stats {
                let label = DestinationLabel { destination: destination.destination.clone() };
                self.pending.get_or_create(&label).set(destination.pending);
            }
        }
    }
}
