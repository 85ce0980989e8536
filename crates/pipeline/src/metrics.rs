//! Every metric that stages report, declared once. Names are API: dashboards hold them.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Labels: which stage.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabel {
    /// normalize, detect, risk, store or alerting.
    pub stage: String,
}

/// Labels: which stage, and which of its outputs or outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutputLabel {
    /// normalize, detect, risk, store or alerting.
    pub stage: String,
    /// events, observations, rejects, alerts.
    pub output: String,
}

/// Labels: how a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// Stage.
    pub stage: String,
    /// committed, aborted or fenced.
    pub outcome: String,
}

/// Labels: a record of ours that a stage could not read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UnreadableLabel {
    /// detect, risk, store or alerting.
    pub stage: String,
    /// Topic.
    pub topic: String,
}

/// Labels: why a line was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// One of `RejectReason`.
    pub reason: String,
}

/// Labels: what became of an attempt to load descriptions, databases and partners again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReloadLabel {
    /// loaded or refused.
    pub outcome: String,
}

/// Labels: the rules that detectors go by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RulesLabel {
    /// A hash of all of them.
    pub hash: String,
}

/// Labels: which detector on which partition of observations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DetectorLabel {
    /// Detector.
    pub detector: String,
    /// Partition.
    pub partition: i64,
}

/// Labels: a partition of observations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PartitionLabel {
    /// Partition.
    pub partition: i64,
}

/// Labels: a detector and what happened to an alert of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AlertLabel {
    /// Detector.
    pub detector: String,
    /// create, update or close.
    pub change: String,
}

/// Labels: whose events, and their outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TenantLabel {
    /// Tenant.
    pub tenant: String,
    /// success, failure or none.
    pub outcome: String,
}

/// Labels: a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TableLabel {
    /// events, alert_changes or rejects.
    pub table: String,
}

/// Labels: a severity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SeverityLabel {
    /// info to critical.
    pub severity: String,
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// A histogram of seconds from 1 ms to about a minute.
pub type Seconds = fn() -> Histogram;

/// All of them. Clones share the same numbers.
#[derive(Clone)]
pub struct Metrics {
    /// Records read.
    pub records_in: Family<StageLabel, Counter>,
    /// Rows written.
    pub rows_out: Family<OutputLabel, Counter>,
    /// Lines rejected.
    pub rejects: Family<ReasonLabel, Counter>,
    /// Records of our own topics that are not what they should be.
    pub unreadable: Family<UnreadableLabel, Counter>,
    /// Times that descriptions, databases and partners were loaded again, or could not be.
    pub reloads: Family<ReloadLabel, Counter>,
    /// Times that the detectors' rules were loaded again, or could not be.
    pub rule_reloads: Family<ReloadLabel, Counter>,
    /// 1 for the rules that are in force.
    pub rules: Family<RulesLabel, Gauge>,
    /// Records that a stage has not read yet.
    pub lag: Family<StageLabel, Gauge>,
    /// How far event time lags behind broker time.
    pub watermark_delay: Family<PartitionLabel, FloatGauge>,
    /// Seconds to process a batch.
    pub batch_seconds: Family<StageLabel, Histogram, Seconds>,
    /// Seconds to deliver a batch.
    pub commit_seconds: Family<StageLabel, Histogram, Seconds>,
    /// Transactions by outcome.
    pub transactions: Family<OutcomeLabel, Counter>,
    /// Keys that a detector holds.
    pub detector_keys: Family<DetectorLabel, Gauge>,
    /// Observations that came after their watermark.
    pub detector_late: Family<DetectorLabel, Counter>,
    /// Keys that a detector gave up for want of room.
    pub detector_evicted: Family<DetectorLabel, Counter>,
    /// Alert changes.
    pub alert_changes: Family<AlertLabel, Counter>,
    /// Seconds from the broker's append of the raw log to the alert in the API.
    pub alert_latency: Histogram,
    /// Open alerts.
    pub alerts_open: Family<SeverityLabel, Gauge>,
    /// Events.
    pub events: Family<TenantLabel, Counter>,
    /// Bytes of data files written.
    pub store_bytes: Family<TableLabel, Counter>,
    /// Commits to a table.
    pub store_commits: Family<TableLabel, Counter>,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Metrics {
    /// New metrics, registered.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            records_in: Family::default(),
            rows_out: Family::default(),
            rejects: Family::default(),
            unreadable: Family::default(),
            reloads: Family::default(),
            rule_reloads: Family::default(),
            rules: Family::default(),
            lag: Family::default(),
            watermark_delay: Family::default(),
            batch_seconds: Family::new_with_constructor(seconds as Seconds),
            commit_seconds: Family::new_with_constructor(seconds as Seconds),
            transactions: Family::default(),
            detector_keys: Family::default(),
            detector_late: Family::default(),
            detector_evicted: Family::default(),
            alert_changes: Family::default(),
            alert_latency: seconds(),
            alerts_open: Family::default(),
            events: Family::default(),
            store_bytes: Family::default(),
            store_commits: Family::default(),
        };
        metrics.name_all(registry);
        metrics
    }

    /// Counters get `_total` from the exposition format.
    fn name_all(&self, registry: &mut Registry) {
        let m = self;
        registry.register("watchfire_stage_records_in", "Records a stage has read", m.records_in.clone());
        registry.register("watchfire_stage_rows_out", "Rows a stage has written", m.rows_out.clone());
        registry.register("watchfire_rejects", "Lines that could not be read", m.rejects.clone());
        let help = "Attempts to load descriptions, databases and partners again";
        registry.register("watchfire_reloads", help, m.reloads.clone());
        let help = "Attempts to load the detectors' rules again";
        registry.register("watchfire_rule_reloads", help, m.rule_reloads.clone());
        let help = "1 for the rules that detectors go by, by their hash";
        registry.register("watchfire_rules", help, m.rules.clone());
        let help = "Records of our own topics that no stage could read";
        registry.register("watchfire_records_unreadable", help, m.unreadable.clone());
        registry.register("watchfire_stage_lag_records", "Records a stage has not read yet", m.lag.clone());
        let help = "How far event time lags behind broker time";
        registry.register("watchfire_watermark_delay_seconds", help, m.watermark_delay.clone());
        registry.register("watchfire_batch_seconds", "Seconds to process a batch", m.batch_seconds.clone());
        registry.register("watchfire_commit_seconds", "Seconds to deliver a batch", m.commit_seconds.clone());
        registry.register("watchfire_transactions", "Transactions by how they ended", m.transactions.clone());
        registry.register("watchfire_detector_keys", "Keys a detector holds", m.detector_keys.clone());
        let help = "Observations that came after their watermark";
        registry.register("watchfire_detector_late", help, m.detector_late.clone());
        let help = "Keys a detector gave up for want of room";
        registry.register("watchfire_detector_evicted", help, m.detector_evicted.clone());
        registry.register("watchfire_alert_changes", "Alert changes", m.alert_changes.clone());
        let help = "Seconds from the append of the raw log to the alert in the API";
        registry.register("watchfire_alert_latency_seconds", help, m.alert_latency.clone());
        registry.register("watchfire_alerts_open", "Alerts whose episode is open", m.alerts_open.clone());
        registry.register("watchfire_events", "Events by tenant and outcome", m.events.clone());
        registry.register("watchfire_store_bytes", "Bytes of data files written", m.store_bytes.clone());
        registry.register("watchfire_store_commits", "Commits to a table", m.store_commits.clone());
    }

    /// Notes which rules are in force, and that no others are.
    pub fn rules_are(&self, hash: &str) {
        self.rules.clear();
        self.rules.get_or_create(&RulesLabel { hash: hash.to_owned() }).set(1);
    }

    /// The metrics that the loop of one stage reports.
    pub fn stage(&self, stage: &'static str) -> StageMetrics {
        let label = StageLabel { stage: stage.to_owned() };
        StageMetrics {
            records_in: self.records_in.get_or_create_owned(&label),
            batch_seconds: self.batch_seconds.get_or_create_owned(&label),
            commit_seconds: self.commit_seconds.get_or_create_owned(&label),
        }
    }
}

/// What the loop of one stage reports.
pub struct StageMetrics {
    records_in: Counter,
    batch_seconds: Histogram,
    commit_seconds: Histogram,
}

impl StageMetrics {
    pub(crate) fn batch(&self, records: usize, processing: Duration, delivery: Duration) {
        self.records_in.inc_by(records as u64);
        self.batch_seconds.observe(processing.as_secs_f64());
        self.commit_seconds.observe(delivery.as_secs_f64());
    }
}
