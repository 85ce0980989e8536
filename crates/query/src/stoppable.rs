//! Makes joins notice that nobody waits for them any more.
//!
//! A task is stopped where it yields. A join whose condition holds for no pair of rows yields
//! nothing: it compares until it has compared all, minutes after the time limit, on a thread that
//! other queries need. So its condition asks, for every batch of pairs, whether to go on, and what
//! a join does emit passes a point where the task may yield.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DataFusionError, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

/// Says whether a query should stop. Clones share the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(DataFusionError::Execution("query was stopped".to_owned())),
            false => Ok(()),
        }
    }
}

/// The last step of planning: puts the question into every join.
#[derive(Debug)]
pub(crate) struct StoppableJoins(pub(crate) Stop);

impl PhysicalOptimizerRule for StoppableJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let any: &dyn std::any::Any = node.as_ref();
            let join: Arc<dyn ExecutionPlan> = if let Some(join) = any.downcast_ref::<NestedLoopJoinExec>() {
                let filter = join.filter().map(|filter| self.ask(filter));
                let projection = join.projection().as_ref().map(|columns| columns.to_vec());
                let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
                Arc::new(NestedLoopJoinExec::try_new(left, right, filter, join.join_type(), projection)?)
            } else if let Some(join) = any.downcast_ref::<HashJoinExec>() {
                join.builder().with_filter(join.filter().map(|filter| self.ask(filter))).build_exec()?
            } else if any.is::<CrossJoinExec>() || any.is::<SortMergeJoinExec>() {
                node
            } else {
                return Ok(Transformed::no(node));
            };
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(join))))
        })
        .data()
    }

    fn name(&self) -> &str {
        "stoppable_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl StoppableJoins {
    fn ask(&self, filter: &JoinFilter) -> JoinFilter {
        let condition = Arc::new(Asking { condition: Arc::clone(filter.expression()), stop: self.0.clone() });
        JoinFilter::new(condition, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    }
}

/// A condition that first asks whether to go on.
#[derive(Debug)]
struct Asking {
    condition: Arc<dyn PhysicalExpr>,
    stop: Stop,
}

impl PhysicalExpr for Asking {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.stop.check()?;
        self.condition.evaluate(batch)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.condition.return_field(schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match (children.pop(), children.is_empty()) {
            (Some(condition), true) => Ok(Arc::new(Self { condition, stop: self.stop.clone() })),
            _ => datafusion::common::internal_err!("a question has one condition"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for Asking {}

impl Hash for Asking {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}
