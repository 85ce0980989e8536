//! Stored events in the order in which their lines arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use deltalake::datafusion::common::ScalarValue;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::execution::SendableRecordBatchStream;
use deltalake::datafusion::execution::memory_pool::FairSpillPool;
use deltalake::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use deltalake::datafusion::functions_aggregate::expr_fn::{count, max};
use deltalake::datafusion::prelude::{DataFrame, Expr, SessionConfig, SessionContext, col, lit};
use event::{EventBatch, EventTime, WrongColumns};
use futures::StreamExt;

use crate::conform::conform;
use crate::{StoreError, Table, Tables};

/// Memory for sorting; what is more goes to temporary files.
const SORT_BYTES: usize = 256 * 1024 * 1024;

/// What is only for people to read, and not for detectors.
const LEFT_OUT: [&str; 3] = ["raw", "message", "unmapped"];

/// Which events: of one tenant or of all, and from when until when their lines arrived.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// Whose; `None` for everybody's.
    pub tenant: Option<String>,
    /// Not before.
    pub from: Option<EventTime>,
    /// Before.
    pub until: Option<EventTime>,
}

/// The events of a stretch, to be read once.
pub struct Arrivals {
    /// Each partition of a topic that events came from, and when the last of them arrived.
    pub sources: BTreeMap<(String, i32), EventTime>,
    /// How many there are.
    pub events: u64,
    /// How many of them do not say what detectors were given of them.
    pub unobserved: u64,
    rows: SendableRecordBatchStream,
}

impl Tables {
    /// The events of a stretch, as they are now. Columns that hold the line or its text are null.
    pub async fn arrivals(&self, stretch: &Stretch) -> Result<Arrivals, StoreError> {
        let provider = self.provider(Table::Events).await?;
        let session = session().map_err(failed)?;
        let events =
            session.read_table(provider).and_then(|events| within(events, stretch)).map_err(failed)?;
        let (sources, [count, observed]) = sources(events.clone()).await?;
        let rows = in_order(events).map_err(failed)?.execute_stream().await.map_err(failed)?;
        Ok(Arrivals { sources, events: count, unobserved: count - observed, rows })
    }
}

impl Arrivals {
    /// Some thousand events; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<EventBatch>, StoreError> {
        let Some(batch) = self.rows.next().await.transpose().map_err(failed)? else { return Ok(None) };
        let batch = conform(Table::Events, &Table::Events.schema(), &batch)?;
        let unusable =
            |why: WrongColumns| StoreError::Unusable { table: Table::Events.name(), reason: why.to_string() };
        EventBatch::from_arrow(batch).map(Some).map_err(unusable)
    }
}

fn failed(cause: DataFusionError) -> StoreError {
    StoreError::unavailable("read stored events", cause)
}

fn session() -> Result<SessionContext, DataFusionError> {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(SORT_BYTES)));
    let config = SessionConfig::new().with_target_partitions(1);
    Ok(SessionContext::new_with_config_rt(config, runtime.build_arc()?))
}

fn within(events: DataFrame, stretch: &Stretch) -> Result<DataFrame, DataFusionError> {
    let time = |at: EventTime| lit(ScalarValue::TimestampMicrosecond(Some(at.micros()), Some("UTC".into())));
    let conditions = [
        stretch.tenant.as_deref().map(|tenant| col("tenant").eq(lit(tenant))),
        stretch.from.map(|from| col("ingest_time").gt_eq(time(from))),
        stretch.until.map(|until| col("ingest_time").lt(time(until))),
    ];
    match conditions.into_iter().flatten().reduce(Expr::and) {
        Some(condition) => events.filter(condition),
        None => Ok(events),
    }
}

/// When the last event of each source arrived; how many events there are, and how many of them say
/// what detectors were given.
async fn sources(events: DataFrame) -> Result<(BTreeMap<(String, i32), EventTime>, [u64; 2]), StoreError> {
    let by = vec![col("kafka_topic"), col("kafka_partition")];
    let counted = [count(lit(1_i64)).alias("events"), count(col("observed")).alias("observed")];
    let wanted = [vec![max(col("ingest_time")).alias("last")], counted.into()].concat();
    let grouped = events.aggregate(by, wanted).map_err(failed)?.collect().await.map_err(failed)?;
    let (mut sources, mut counts) = (BTreeMap::new(), [0, 0]);
    for batch in grouped {
        let topics = batch.column(0).as_string::<i32>();
        let partitions = batch.column(1).as_primitive::<Int32Type>();
        let last = batch.column(2).as_primitive::<TimestampMicrosecondType>();
        let counted = [3, 4].map(|column| batch.column(column).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let source = (topics.value(row).to_owned(), partitions.value(row));
            sources.insert(source, EventTime(last.value(row).div_euclid(1_000)));
            counts.iter_mut().zip(counted).for_each(|(sum, of)| *sum += of.value(row).unsigned_abs());
        }
    }
    Ok((sources, counts))
}

fn in_order(events: DataFrame) -> Result<DataFrame, DataFusionError> {
    let columns = Table::Events.schema();
    let names = columns.fields().iter().map(|field| field.name().as_str());
    let wanted: Vec<&str> = names.filter(|name| !LEFT_OUT.contains(name)).collect();
    let order = ["ingest_time", "kafka_topic", "kafka_partition", "kafka_offset", "kafka_line"];
    events.select_columns(&wanted)?.sort(order.map(|column| col(column).sort(true, true)).to_vec())
}
