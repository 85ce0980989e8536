//! The far side of the wall, closed: a plan without children.
//!
//! Optimizers move filters, limits and run-time conditions down a plan as far as they can, also
//! past the filter that drops other partners' rows. They cannot move anything into a leaf. Nor can
//! `EXPLAIN` print what is in it: files, and how many rows they have.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties};
use store::Table;

/// Rows of a table that the caller may see.
#[derive(Debug)]
pub(crate) struct Leaf {
    table: Table,
    rows: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl Leaf {
    pub(crate) fn new(table: Table, rows: Arc<dyn ExecutionPlan>) -> Self {
        // Makes the planner add points at which a query can be stopped.
        let properties =
            rows.properties().as_ref().clone().with_scheduling_type(SchedulingType::NonCooperative);
        Self { table, rows, properties: Arc::new(properties) }
    }
}

impl DisplayAs for Leaf {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows: {}", self.table)
    }
}

impl ExecutionPlan for Leaf {
    fn name(&self) -> &str {
        "Rows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => internal_err!("a leaf has no children"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.rows.execute(partition, context)
    }
}
