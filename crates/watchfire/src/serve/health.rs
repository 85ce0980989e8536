//! How the parts of this process are, for `/readyz` and `/metrics`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alerting::{Control, ControlError, DestinationStats, OutboxCounters};
use api::{Health, PartHealth};
use event::Severity;
use pipeline::metrics::SeverityLabel;
use pipeline::{Metrics, StageState, StageStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// Every stage of this process is a part, and so are the outbox and the database they share.
pub(crate) struct ProcessHealth {
    stages: Vec<(&'static str, StageStatus)>,
    control: Arc<ControlReport>,
    outbox: AbortHandle,
}

impl ProcessHealth {
    pub(crate) fn new(
        stages: Vec<(&'static str, StageStatus)>,
        control: Arc<ControlReport>,
        outbox: AbortHandle,
    ) -> Self {
        Self { stages, control, outbox }
    }

    /// What could not be delivered is said but does not make the outbox unready: no restart and no
    /// other instance would mend it, a person at the receiver's end has to.
    fn outbox(&self) -> PartHealth {
        let destinations = self.control.destinations.lock().expect("no holder of this lock panics");
        let troubles: Vec<String> = destinations.iter().filter_map(trouble).collect();
        let ready = !self.outbox.is_finished();
        let detail = if ready { troubles.join("; ") } else { "it ended".to_owned() };
        PartHealth { name: "outbox".to_owned(), ready, detail }
    }

    fn control(&self) -> PartHealth {
        let failure = self.control.failure.lock().expect("no holder of this lock panics").clone();
        let ready = failure.is_none();
        PartHealth { name: "control database".to_owned(), ready, detail: failure.unwrap_or_default() }
    }
}

/// What is wrong with a destination, if something is.
fn trouble(stats: &DestinationStats) -> Option<String> {
    let DestinationStats { destination, undelivered, failing, .. } = stats;
    let why = stats.last_error.as_deref().unwrap_or("for reasons unknown");
    match (stats.disabled_at, undelivered, failing) {
        _ if !stats.configured => None,
        (Some(since), ..) => {
            Some(format!("{destination} is switched off since {since}: it answered 410 Gone"))
        }
        (None, 1.., _) => {
            Some(format!("{destination} did not get {undelivered} messages; the last error: {why}"))
        }
        (None, _, 1..) => Some(format!("{destination} fails and is tried again; the last error: {why}")),
        _ => None,
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
        self.stages.iter().map(part).chain([self.outbox(), self.control()]).collect()
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
        let help = "Times that a destination's courier failed and was started again";
        let name = "watchfire_outbox_courier_restarts";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for counts in self.0.counts() {
            let label = DestinationLabel { destination: counts.destination.to_string() };
            ConstCounter::new(counts.restarts).encode(family.encode_family(&label)?)?;
        }
        Ok(())
    }
}

/// How the control database was found when it was last looked at.
#[derive(Debug, Default)]
pub(crate) struct ControlReport {
    failure: Mutex<Option<String>>,
    destinations: Mutex<Vec<DestinationStats>>,
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
    undelivered: Family<DestinationLabel, Gauge>,
    report: Arc<ControlReport>,
}

impl ControlGauges {
    pub(crate) fn register(registry: &mut Registry, metrics: &Metrics) -> Self {
        let gauges = Self {
            alerts_open: metrics.alerts_open.clone(),
            pending: Family::default(),
            undelivered: Family::default(),
            report: Arc::default(),
        };
        let help = "Messages to a destination that are not delivered yet";
        registry.register("watchfire_outbox_pending", help, gauges.pending.clone());
        let help = "Messages to a destination that were given up and not requeued";
        registry.register("watchfire_outbox_undelivered", help, gauges.undelivered.clone());
        gauges
    }

    /// What is found, for those who ask how the process is.
    pub(crate) fn report(&self) -> Arc<ControlReport> {
        Arc::clone(&self.report)
    }

    /// Reads them every other second until told to stop.
    pub(crate) async fn keep(self, control: Control, stop: CancellationToken) {
        loop {
            let failure =
                self.read(&control).await.err().map(|error| format!("{:#}", anyhow::Error::from(error)));
            *self.report.failure.lock().expect("no holder of this lock panics") = failure;
            if tokio::time::timeout(Duration::from_secs(2), stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    async fn read(&self, control: &Control) -> Result<(), ControlError> {
        let open = control.open_by_severity().await?;
        for severity in [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
        {
            let label = SeverityLabel { severity: severity.as_str().to_owned() };
            let count = open.iter().find(|(found, _)| *found == severity).map_or(0, |(_, count)| *count);
            self.alerts_open.get_or_create(&label).set(count);
        }
        let stats = control.outbox_stats().await?;
        for destination in &stats {
            let label = DestinationLabel { destination: destination.destination.clone() };
            self.pending.get_or_create(&label).set(destination.pending);
            self.undelivered.get_or_create(&label).set(destination.undelivered);
        }
        *self.report.destinations.lock().expect("no holder of this lock panics") = stats;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(undelivered: i64, disabled: bool) -> DestinationStats {
        DestinationStats {
            destination: "on-call".into(),
            configured: true,
            pending: 0,
            failing: 0,
            undelivered,
            last_error: (undelivered > 0).then(|| "answered 400".into()),
            oldest_queued_at: None,
            disabled_at: disabled.then_some(chrono::DateTime::UNIX_EPOCH),
            paused_until: None,
        }
    }

    #[tokio::test]
    async fn what_could_not_be_delivered_is_said_and_a_dead_outbox_is_not_ready() {
        let (control, outbox) = (Arc::<ControlReport>::default(), tokio::spawn(std::future::pending::<()>()));
        let health = ProcessHealth::new(Vec::new(), Arc::clone(&control), outbox.abort_handle());
        let said = |stats: DestinationStats| {
            *control.destinations.lock().expect("not poisoned") = vec![stats];
            let part = health.parts().remove(0);
            assert!(part.ready);
            part.detail
        };
        assert_eq!(said(stats(0, false)), "");
        assert_eq!(said(stats(3, false)), "on-call did not get 3 messages; the last error: answered 400");
        assert!(said(stats(3, true)).starts_with("on-call is switched off since 1970-01-01"));
        assert!(said(DestinationStats { failing: 1, ..stats(0, false) }).contains("tried again"));
        assert_eq!(said(DestinationStats { configured: false, ..stats(3, true) }), "");
        outbox.abort();
        assert!(outbox.await.is_err());
        assert!(!health.parts()[0].ready);
    }

    #[tokio::test]
    async fn a_database_that_does_not_answer_is_not_ready_and_says_why() {
        let control = Control::in_memory().await.expect("in memory");
        let gauges =
            ControlGauges::register(&mut Registry::default(), &Metrics::register(&mut Registry::default()));
        let (report, stop) = (gauges.report(), CancellationToken::new());
        control.close().await;
        stop.cancel();
        gauges.keep(control, stop).await;
        let outbox = tokio::spawn(async {});
        let health = ProcessHealth::new(Vec::new(), report, outbox.abort_handle());
        let part = health.parts().remove(1);
        assert!(!part.ready && part.detail.contains("closed"), "{part:?}");
    }
}
