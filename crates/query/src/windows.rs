//! Counts what window functions keep.
//!
//! DataFusion 55.2 reserves no memory for them: `count(*) OVER ()` keeps every row of its input,
//! then copies them all into one batch, and a running sum keeps the rows of its partition. So the
//! rows are counted on their way in, and given back when the last one has come out.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_plan::expressions::Literal;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use futures::{Stream, StreamExt};

use crate::passing::{Way, passing, with_inputs_passing};
use crate::sizes::longest_value;

/// Rows that a function may look back or ahead without being counted.
const OFFSET_MAX: i64 = 10_000;

/// Wraps a window operator that keeps its rows; gives back any other node as it was.
pub(crate) fn counted(node: Arc<dyn ExecutionPlan>) -> (Arc<dyn ExecutionPlan>, bool) {
    let any: &dyn std::any::Any = node.as_ref();
    let functions = if let Some(window) = any.downcast_ref::<WindowAggExec>() {
        Some(window.window_expr())
    } else if let Some(window) = any.downcast_ref::<BoundedWindowAggExec>() {
        Some(window.window_expr()).filter(|functions| !functions.iter().all(looks_only_near))
    } else {
        None
    };
    match functions.map(Kept::by) {
        Some(kept) => (passing(&node, CountedWindow { kept }), true),
        None => (node, false),
    }
}

/// Whether a function needs a few rows only, so that the operator lets the others go.
fn looks_only_near(function: &Arc<dyn WindowExpr>) -> bool {
    let standard = function.as_any().downcast_ref::<StandardWindowExpr>();
    let Some(standard) =
        standard.and_then(|f| f.get_standard_func_expr().as_any().downcast_ref::<WindowUDFExpr>())
    else {
        return false;
    };
    match standard.fun().name() {
        "row_number" | "rank" | "dense_rank" => true,
        "lag" | "lead" => standard.args().get(1).is_none_or(is_small),
        _ => false,
    }
}

fn is_small(offset: &Arc<dyn PhysicalExpr>) -> bool {
    let any: &dyn std::any::Any = offset.as_ref();
    let value = any.downcast_ref::<Literal>().map(|literal| literal.value().cast_to(&DataType::Int64));
    matches!(value, Some(Ok(datafusion::common::ScalarValue::Int64(Some(rows)))) if rows.abs() <= OFFSET_MAX)
}

/// What a window operator keeps of what it has read.
#[derive(Clone, Copy, Debug)]
struct Kept {
    functions: usize,
    /// Functions whose value is a text or a list, perhaps the same long one in every row.
    long: usize,
    rows: usize,
    bytes: usize,
    longest: usize,
}

impl Kept {
    fn by(functions: &[Arc<dyn WindowExpr>]) -> Self {
        let is_long = |function: &&Arc<dyn WindowExpr>| {
            function.field().is_ok_and(|field| {
                let of = field.data_type();
                of.primitive_width().is_none() && !matches!(of, DataType::Null | DataType::Boolean)
            })
        };
        let long = functions.iter().filter(is_long).count();
        Self { functions: functions.len(), long, rows: 0, bytes: 0, longest: 0 }
    }

    /// The bytes that are held once this batch is kept as well.
    fn with(&mut self, batch: &RecordBatch) -> usize {
        let of = |column: &Arc<dyn Array>| {
            column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
        };
        self.rows += batch.num_rows();
        self.bytes += batch.columns().iter().map(of).sum::<usize>();
        if self.long > 0 {
            let longest = batch.columns().iter().map(|column| longest_value(column)).max();
            self.longest = self.longest.max(longest.unwrap_or(0));
        }
        let values = self.functions * size_of::<u64>() + self.long * self.longest;
        // Once as they came, once more as one batch.
        self.bytes.saturating_mul(2).saturating_add(self.rows.saturating_mul(values))
    }
}

/// A window operator, with memory reserved for its rows until it is done.
#[derive(Clone, Debug)]
struct CountedWindow {
    kept: Kept,
}

impl Way for CountedWindow {
    const NAME: &'static str = "CountedWindow";

    fn run(
        &self,
        window: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + 'static> {
        let held = Arc::new(MemoryConsumer::new("window").register(context.memory_pool()));
        let counting = Counting { kept: self.kept, held: Arc::clone(&held) };
        let rows = with_inputs_passing(Arc::clone(window), &counting)?.execute(partition, context)?;
        Ok(rows.map(move |batch| {
            let _until_the_end = &held;
            batch
        }))
    }
}

/// What goes into a window operator. It is made when the operator starts, and is in no plan.
#[derive(Clone, Debug)]
struct Counting {
    kept: Kept,
    held: Arc<MemoryReservation>,
}

impl Way for Counting {
    const NAME: &'static str = "Counting";

    fn run(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + 'static> {
        let (mut kept, held) = (self.kept, Arc::clone(&self.held));
        Ok(input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            held.try_resize(kept.with(&batch))?;
            Ok(batch)
        }))
    }
}
