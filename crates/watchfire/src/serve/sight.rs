//! Shows as a metric what `GET /v1/coverage` tells: which detector is armed, learning or blind for whom.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use event::Scope;
use futures::TryStreamExt;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use query::{QueryEngine, QueryError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::parts::Parts;
use crate::config::{Config, Role};

/// What it may say of a detector.
const STATES: [&str; 3] = ["armed", "learning", "blind"];

/// Looks so often until told to stop. The first look comes at once.
pub(crate) fn start(
    config: &Config,
    parts: &Parts,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let every = Duration::from_secs(config.detect.coverage_interval_seconds);
    let due = !every.is_zero() && config.server.roles.contains(&Role::Api);
    let sights = Sights::default();
    if due {
        let collector = Box::new(sights.clone());
        parts.register(|registry| registry.register_collector(collector))?;
    }
    let query = parts.query.clone();
    Ok(tokio::spawn(async move {
        if due {
            stop.run_until_cancelled(look(&query, &sights, every)).await;
        }
    }))
}

async fn look(query: &QueryEngine, sights: &Sights, every: Duration) {
    let mut looks = tokio::time::interval(every);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        match seen(query).await {
            Ok(seen) => *sights.lock() = seen,
            // The last known matrix stays; the next look may be luckier.
            Err(why) => warn!(%why, "what detectors see could not be looked at; the metric stays as it was"),
        }
    }
}

/// What a detector sees of a partner, and the row of the matrix that says so.
async fn seen(query: &QueryEngine) -> Result<Vec<Sight>, QueryError> {
    let sql = "SELECT tenant, detector, state FROM coverage ORDER BY tenant, detector";
    let batches: Vec<RecordBatch> = query.query(&Scope::All, sql).await?.batches.try_collect().await?;
    let mut seen = Vec::new();
    for batch in &batches {
        let texts = |i: usize| {
            let text = arrow::compute::cast(batch.column(i), &arrow::datatypes::DataType::Utf8);
            text.expect("the matrix holds texts")
        };
        let (tenants, detectors, states) = (texts(0), texts(1), texts(2));
        let text =
            |column: &arrow::array::ArrayRef, row: usize| column.as_string::<i32>().value(row).to_owned();
        seen.extend((0..batch.num_rows()).map(|row| Sight {
            tenant: text(&tenants, row),
            detector: text(&detectors, row),
            state: text(&states, row),
        }));
    }
    Ok(seen)
}

struct Sight {
    tenant: String,
    detector: String,
    state: String,
}

/// Replaced as a whole, so that no scrape finds half of it.
#[derive(Clone, Default)]
struct Sights(Arc<Mutex<Vec<Sight>>>);

impl Sights {
    fn lock(&self) -> MutexGuard<'_, Vec<Sight>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

impl std::fmt::Debug for Sights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sights", self.lock().len())
    }
}

/// Labels: whom a detector watches, and how it is to be taken that it says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SightLabel {
    tenant: String,
    detector: String,
    state: &'static str,
}

impl Collector for Sights {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "1 for the state a detector is in for a partner: armed, learning or blind";
        let mut family = encoder.encode_descriptor("watchfire_coverage", help, None, MetricType::Gauge)?;
        for sight in self.lock().iter() {
            for state in STATES {
                let label =
                    SightLabel { tenant: sight.tenant.clone(), detector: sight.detector.clone(), state };
                ConstGauge::new(i64::from(sight.state == state)).encode(family.encode_family(&label)?)?;
            }
        }
        Ok(())
    }
}
