//! The embedded broker's metrics, read when asked.

use std::fmt::Error;
use std::sync::{Arc, Mutex};

use broker::{Broker, BrokerMetrics};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// A broker that is there until it is stopped.
pub(crate) type Held = Arc<Mutex<Option<Broker>>>;

/// Serves the numbers of a broker.
pub(crate) struct BrokerCollector(pub(crate) Held);

impl std::fmt::Debug for BrokerCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrokerCollector")
    }
}

impl Collector for BrokerCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let held = self.0.lock().expect("no holder of this lock panics");
        let Some(now) = held.as_ref().map(Broker::metrics) else { return Ok(()) };
        drop(held);
        traffic(&mut encoder, &now)?;
        connections(&mut encoder, &now)?;
        sizes(&mut encoder, &now)?;
        lags(&mut encoder, &now)?;
        fsyncs(&mut encoder, &now)
    }
}

/// Labels: a kind of request, by Kafka's name.
#[derive(Clone, Debug, EncodeLabelSet)]
struct ApiLabel {
    api: String,
}

/// Labels: a kind of request, and what its client was told; by Kafka's names.
#[derive(Clone, Debug, EncodeLabelSet)]
struct ErrorLabel {
    api: String,
    error: String,
}

/// Labels: why the broker ended a connection.
#[derive(Clone, Debug, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Labels: a partition.
#[derive(Clone, Debug, EncodeLabelSet)]
struct PartitionLabel {
    topic: String,
    partition: i32,
}

/// Labels: a group in a topic.
#[derive(Clone, Debug, EncodeLabelSet)]
struct GroupLabel {
    group: String,
    topic: String,
}

fn traffic(encoder: &mut DescriptorEncoder<'_>, now: &BrokerMetrics) -> Result<(), Error> {
    let by_api = |count: fn(&broker::ApiMetrics) -> u64| {
        now.apis.iter().map(move |api| (ApiLabel { api: api.api.clone() }, count(api)))
    };
    counters(encoder, "watchfire_broker_requests", "Requests from clients", by_api(|api| api.requests))?;
    counters(
        encoder,
        "watchfire_broker_bytes_in",
        "Bytes of requests from clients",
        by_api(|api| api.bytes_in),
    )?;
    counters(
        encoder,
        "watchfire_broker_bytes_out",
        "Bytes of responses to clients",
        by_api(|api| api.bytes_out),
    )?;
    let errors = now.errors.iter().map(|one| {
        let label = ErrorLabel { api: one.api.clone(), error: one.error.clone() };
        (label, one.count)
    });
    counters(
        encoder,
        "watchfire_broker_errors",
        "Partitions of a produce or fetch that were answered with an error",
        errors,
    )
}

fn connections(encoder: &mut DescriptorEncoder<'_>, now: &BrokerMetrics) -> Result<(), Error> {
    gauge(encoder, "watchfire_broker_connections", "Clients connected", now.connections)?;
    let help = "Connections that clients have opened";
    let descriptor = described(encoder, "watchfire_broker_connections_opened", help, MetricType::Counter)?;
    ConstCounter::new(now.connections_opened).encode(descriptor)?;
    let help = "Clients that could not show who they are";
    let name = "watchfire_broker_authentication_failures";
    ConstCounter::new(now.authentication_failures).encode(described(
        encoder,
        name,
        help,
        MetricType::Counter,
    )?)?;
    let closed = [
        ("too_many", now.connections_rejected),
        ("malformed", now.connections_malformed),
        ("stalled", now.connections_stalled),
        ("unidentified", now.connections_unidentified),
    ];
    let closed = closed.into_iter().map(|(reason, count)| (ReasonLabel { reason }, count));
    counters(
        encoder,
        "watchfire_broker_connections_closed",
        "Connections that the broker, not its client, ended",
        closed,
    )
}

fn sizes(encoder: &mut DescriptorEncoder<'_>, now: &BrokerMetrics) -> Result<(), Error> {
    gauge(encoder, "watchfire_broker_topics", "Topics", now.topics)?;
    gauge(encoder, "watchfire_broker_partitions", "Partitions", now.partitions)?;
    gauge(encoder, "watchfire_broker_segments", "Files of the log", now.segments)?;
    gauge(encoder, "watchfire_broker_log_bytes", "Bytes in the log", now.log_bytes)?;
    gauge(encoder, "watchfire_broker_groups", "Consumer groups", now.groups)?;
    gauge(
        encoder,
        "watchfire_broker_open_transactions",
        "Transactions begun and not ended",
        now.open_transactions,
    )?;
    let partitions = || {
        now.largest_partitions.iter().map(|one| {
            let label = PartitionLabel { topic: one.topic.clone(), partition: one.partition };
            (label, one)
        })
    };
    let bytes = partitions().map(|(label, one)| (label, one.log_bytes as i64));
    gauges(encoder, "watchfire_broker_partition_log_bytes", "Bytes in the largest partitions' logs", bytes)?;
    let ends = partitions().map(|(label, one)| (label, one.high_watermark));
    gauges(encoder, "watchfire_broker_partition_end_offset", "Offset after the last durable record", ends)
}

fn lags(encoder: &mut DescriptorEncoder<'_>, now: &BrokerMetrics) -> Result<(), Error> {
    let lags = now.group_lags.iter().map(|one| {
        let label = GroupLabel { group: one.group.clone(), topic: one.topic.clone() };
        (label, i64::try_from(one.lag).unwrap_or(i64::MAX))
    });
    gauges(
        encoder,
        "watchfire_broker_group_lag_records",
        "Records that a group has not committed, the furthest behind",
        lags,
    )
}

fn fsyncs(encoder: &mut DescriptorEncoder<'_>, now: &BrokerMetrics) -> Result<(), Error> {
    let mut descriptor = described(
        encoder,
        "watchfire_broker_fsync_seconds",
        "Seconds until the disk had what was written",
        MetricType::Histogram,
    )?;
    descriptor.encode_histogram::<NoLabelSet>(now.fsync_seconds, now.fsyncs, &now.fsync_buckets, None)
}

fn described<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, Error> {
    encoder.encode_descriptor(name, help, None, kind)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), Error> {
    ConstGauge::new(value as i64).encode(described(encoder, name, help, MetricType::Gauge)?)
}

fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: impl Iterator<Item = (L, i64)>,
) -> Result<(), Error> {
    let mut family = described(encoder, name, help, MetricType::Gauge)?;
    for (label, value) in values {
        ConstGauge::new(value).encode(family.encode_family(&label)?)?;
    }
    Ok(())
}

fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    counts: impl Iterator<Item = (L, u64)>,
) -> Result<(), Error> {
    let mut family = described(encoder, name, help, MetricType::Counter)?;
    for (label, count) in counts {
        ConstCounter::new(count).encode(family.encode_family(&label)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    #[tokio::test]
    async fn a_broker_that_nobody_has_used_serves_its_sizes_and_one_that_is_stopped_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = broker::BrokerConfig::new(dir.path());
        config.listen.set_port(0);
        let held: Held = Arc::new(Mutex::new(Some(Broker::start(config).await.unwrap())));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(BrokerCollector(Arc::clone(&held))));
        let served = || {
            let mut served = String::new();
            text::encode(&mut served, &registry).unwrap();
            served
        };
        let now = served();
        for line in [
            "watchfire_broker_connections_closed_total{reason=\"too_many\"} 0",
            "watchfire_broker_fsync_seconds_bucket{le=\"+Inf\"} 0",
            "watchfire_broker_segments 0",
        ] {
            assert!(now.lines().any(|served| served == line), "{line} is not in\n{now}");
        }
        let broker = held.lock().unwrap().take().unwrap();
        broker.shutdown().await.unwrap();
        assert_eq!(served(), "# EOF\n");
    }
}
