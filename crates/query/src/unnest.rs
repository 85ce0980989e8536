//! Hands rows to an unnest operator few enough at a time.
//!
//! It copies the whole row for every item of its list, a batch at once: a line of a megabyte that is
//! split into letters would be a million megabytes.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::{StreamExt, stream};

use crate::sizes::value_bytes;

/// Puts the knife under an unnest operator; gives back any other node as it was.
pub(crate) fn sliced(node: Arc<dyn ExecutionPlan>, bytes: usize) -> (Arc<dyn ExecutionPlan>, bool) {
    let any: &dyn std::any::Any = node.as_ref();
    let Some(unnest) = any.downcast_ref::<UnnestExec>() else { return (node, false) };
    let input = Arc::clone(unnest.input());
    let lists = unnest.list_column_indices().iter().map(|list| list.index_in_input_schema).collect();
    let sliced = Arc::new(Sliced { input, lists, bytes });
    let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
    match Arc::clone(&node).replace_children(vec![sliced], same) {
        Ok(unnest) => (unnest, true),
        Err(_) => (node, false),
    }
}

/// Rows in slices whose unnested form has no more than so many bytes.
#[derive(Debug)]
struct Sliced {
    input: Arc<dyn ExecutionPlan>,
    lists: Vec<usize>,
    bytes: usize,
}

impl DisplayAs for Sliced {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sliced")
    }
}

impl ExecutionPlan for Sliced {
    fn name(&self) -> &str {
        "Sliced"
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
            (Some(input), true) => Ok(Arc::new(Self { input, lists: self.lists.clone(), bytes: self.bytes })),
            _ => internal_err!("slices are of one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (lists, bytes_max) = (self.lists.clone(), self.bytes);
        let rows = self.input.execute(partition, context)?.flat_map(move |batch| {
            let slices = batch.and_then(|batch| slices(&batch, &lists, bytes_max));
            stream::iter(match slices {
                Ok(slices) => slices.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

fn slices(batch: &RecordBatch, lists: &[usize], bytes_max: usize) -> Result<Vec<RecordBatch>> {
    let (mut slices, mut start, mut so_far) = (Vec::new(), 0, 0_usize);
    for row in 0..batch.num_rows() {
        let items = lists.iter().map(|list| items(batch.column(*list), row)).max().unwrap_or(1).max(1);
        let copied = |(index, _): &(usize, _)| !lists.contains(index);
        let columns = batch.columns().iter().enumerate().filter(copied);
        let once: usize = columns.map(|(_, column)| value_bytes(column, row)).sum();
        let of_row = once.saturating_mul(items);
        if of_row > bytes_max {
            return exec_err!("unnest would copy {once} bytes {items} times, leave out the long columns");
        }
        if so_far + of_row > bytes_max {
            slices.push(batch.slice(start, row - start));
            (start, so_far) = (row, 0);
        }
        so_far += of_row;
    }
    slices.push(batch.slice(start, batch.num_rows() - start));
    Ok(slices)
}

fn items(column: &dyn Array, row: usize) -> usize {
    if column.is_null(row) {
        return 0;
    }
    match column.data_type() {
        DataType::List(_) => column.as_list::<i32>().value_length(row).try_into().unwrap_or(0),
        DataType::LargeList(_) => column.as_list::<i64>().value_length(row).try_into().unwrap_or(0),
        _ => 1,
    }
}
