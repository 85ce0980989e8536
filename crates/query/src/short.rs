//! Lets only rows of a moderate length into a join.
//!
//! A join copies a row once for every row that it meets, a batch at once: one line of a megabyte
//! would become four thousand.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::StreamExt;

use crate::sizes::value_bytes;

/// Puts the check before a join; gives back any other node as it was.
pub(crate) fn shortened(
    node: Arc<dyn ExecutionPlan>,
    row_bytes_max: usize,
) -> Result<(Arc<dyn ExecutionPlan>, bool)> {
    let any: &dyn std::any::Any = node.as_ref();
    let is_join = any.is::<NestedLoopJoinExec>()
        || any.is::<HashJoinExec>()
        || any.is::<CrossJoinExec>()
        || any.is::<SortMergeJoinExec>();
    if !is_join {
        return Ok((node, false));
    }
    let check = |input: &Arc<dyn ExecutionPlan>| -> Arc<dyn ExecutionPlan> {
        Arc::new(Short { input: Arc::clone(input), row_bytes_max })
    };
    let inputs = node.children().into_iter().map(check).collect();
    let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
    Ok((node.replace_children(inputs, same)?, true))
}

/// Rows, as long as none is too long.
#[derive(Debug)]
struct Short {
    input: Arc<dyn ExecutionPlan>,
    row_bytes_max: usize,
}

impl DisplayAs for Short {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Short")
    }
}

impl ExecutionPlan for Short {
    fn name(&self) -> &str {
        "Short"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
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

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input, row_bytes_max: self.row_bytes_max })),
            _ => internal_err!("rows come from one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let row_bytes_max = self.row_bytes_max;
        let rows = self.input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            check(&batch, row_bytes_max)?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

fn check(batch: &RecordBatch, row_bytes_max: usize) -> Result<()> {
    let varies = |column: &&Arc<dyn Array>| column.data_type().primitive_width().is_none();
    let columns: Vec<_> = batch.columns().iter().filter(varies).collect();
    for row in 0..batch.num_rows() {
        let bytes: usize = columns.iter().map(|column| value_bytes(column, row)).sum();
        if bytes > row_bytes_max {
            return exec_err!(
                "rows of {bytes} bytes are too long for a join, at most {row_bytes_max} are copied: leave out \
                 long columns, or cut them with left()"
            );
        }
    }
    Ok(())
}
