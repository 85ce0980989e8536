//! Hands rows to an unnest operator few enough at a time.
//!
//! It copies the whole row for every item of its list, a batch at once: a line of a megabyte that is
//! split into letters would be a million megabytes.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, exec_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::unnest::UnnestExec;
use futures::{Stream, StreamExt, stream};

use crate::passing::{Way, with_inputs_passing};
use crate::sizes::value_bytes;

/// Puts the knife under an unnest operator; gives back any other node as it was.
pub(crate) fn sliced(node: Arc<dyn ExecutionPlan>, bytes: usize) -> (Arc<dyn ExecutionPlan>, bool) {
    let any: &dyn std::any::Any = node.as_ref();
    let Some(unnest) = any.downcast_ref::<UnnestExec>() else { return (node, false) };
    let lists = unnest.list_column_indices().iter().map(|list| list.index_in_input_schema).collect();
    match with_inputs_passing(Arc::clone(&node), &Sliced { lists, bytes }) {
        Ok(unnest) => (unnest, true),
        Err(_) => (node, false),
    }
}

/// Rows in slices whose unnested form has no more than so many bytes.
#[derive(Clone, Debug)]
struct Sliced {
    lists: Vec<usize>,
    bytes: usize,
}

impl Way for Sliced {
    const NAME: &'static str = "Sliced";

    fn run(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + 'static> {
        let (lists, bytes_max) = (self.lists.clone(), self.bytes);
        Ok(input.execute(partition, context)?.flat_map(move |batch| {
            let slices = batch.and_then(|batch| slices(&batch, &lists, bytes_max));
            stream::iter(match slices {
                Ok(slices) => slices.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            })
        }))
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
