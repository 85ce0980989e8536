//! Lets only rows of a moderate length into a join.
//!
//! A join copies a row once for every row that it meets, a batch at once: one line of a megabyte
//! would become four thousand.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, exec_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use futures::{Stream, StreamExt};

use crate::passing::{Way, with_inputs_passing};
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
    Ok((with_inputs_passing(node, &Short { row_bytes_max })?, true))
}

/// Rows, as long as none is too long.
#[derive(Clone, Debug)]
struct Short {
    row_bytes_max: usize,
}

impl Way for Short {
    const NAME: &'static str = "Short";

    fn run(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + 'static> {
        let row_bytes_max = self.row_bytes_max;
        Ok(input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            check(&batch, row_bytes_max)?;
            Ok(batch)
        }))
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
