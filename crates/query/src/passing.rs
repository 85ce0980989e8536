//! A node of a plan that lets rows pass as they are, and does something on the way.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use futures::Stream;

/// What is done on the way. The rows stay the same, and in the same order.
pub(crate) trait Way: Clone + fmt::Debug + Send + Sync + 'static {
    /// How the node is called where a plan is shown.
    const NAME: &'static str;

    /// Runs the input and gives on what it says.
    fn run(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<impl Stream<Item = Result<RecordBatch>> + Send + 'static>;
}

/// The node.
#[derive(Debug)]
struct Passing<W> {
    input: Arc<dyn ExecutionPlan>,
    way: W,
}

/// Rows of `input` that go this way.
pub(crate) fn passing<W: Way>(input: &Arc<dyn ExecutionPlan>, way: W) -> Arc<dyn ExecutionPlan> {
    Arc::new(Passing { input: Arc::clone(input), way })
}

/// The same node, with its rows going this way before they reach it.
pub(crate) fn with_inputs_passing<W: Way>(
    node: Arc<dyn ExecutionPlan>,
    way: &W,
) -> Result<Arc<dyn ExecutionPlan>> {
    let inputs = node.children().into_iter().map(|input| passing(input, way.clone())).collect();
    node.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep))
}

impl<W: Way> DisplayAs for Passing<W> {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(W::NAME)
    }
}

impl<W: Way> ExecutionPlan for Passing<W> {
    fn name(&self) -> &str {
        W::NAME
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
            (Some(input), true) => Ok(Arc::new(Self { input, way: self.way.clone() })),
            _ => internal_err!("{} has one input", W::NAME),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.way.run(&self.input, partition, context)?;
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
