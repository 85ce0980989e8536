//! Counts what window functions keep.
//!
//! DataFusion 55.2 reserves no memory for them: `count(*) OVER ()` keeps every row of its input,
//! then copies them all into one batch, and a running sum keeps the rows of its partition. So the
//! rows are counted on their way in, and given back when the last one has come out.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::expressions::Literal;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::StreamExt;

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
        Some(kept) => (Arc::new(CountedWindow { window: node, kept }), true),
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
#[derive(Debug)]
struct CountedWindow {
    window: Arc<dyn ExecutionPlan>,
    kept: Kept,
}

impl DisplayAs for CountedWindow {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CountedWindow")
    }
}

impl ExecutionPlan for CountedWindow {
    fn name(&self) -> &str {
        "CountedWindow"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.window]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(window), true) => Ok(Arc::new(Self { window, kept: self.kept })),
            _ => internal_err!("a counted window is one window"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let held = Arc::new(MemoryConsumer::new("window").register(context.memory_pool()));
        let counting = |input: &Arc<dyn ExecutionPlan>| -> Arc<dyn ExecutionPlan> {
            Arc::new(Counting { input: Arc::clone(input), kept: self.kept, held: Arc::clone(&held) })
        };
        let inputs = self.window.children().into_iter().map(counting).collect();
        let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        let rows = Arc::clone(&self.window).replace_children(inputs, same)?.execute(partition, context)?;
        let until_the_end = rows.map(move |batch| {
            let _held = &held;
            batch
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), until_the_end)))
    }
}

/// What goes into a window operator. It is made when the operator starts, and is in no plan.
#[derive(Debug)]
struct Counting {
    input: Arc<dyn ExecutionPlan>,
    kept: Kept,
    held: Arc<MemoryReservation>,
}

impl DisplayAs for Counting {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}

impl ExecutionPlan for Counting {
    fn name(&self) -> &str {
        "Counting"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        internal_err!("planning is over")
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (mut kept, held) = (self.kept, Arc::clone(&self.held));
        let rows = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            held.try_resize(kept.with(&batch))?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
