//! The last step of planning: guards around the operators that hold memory without reserving it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::expressions::{InListExpr, Literal};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use crate::short::shortened;
use crate::unnest::sliced;
use crate::windows::counted;

/// Bytes that may be copied into every row, however little memory there is.
const ROW_BYTES_MIN: usize = 8 * 1024;

/// Puts the guards in. `bytes` is what one of them may let pass at a time.
#[derive(Debug)]
pub(crate) struct Guards {
    pub(crate) bytes: usize,
}

impl PhysicalOptimizerRule for Guards {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        options: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = options.execution.batch_size.get();
        let row_bytes_max = (self.bytes / rows).max(ROW_BYTES_MIN);
        plan.transform_up(|node| {
            check_constants(&node, row_bytes_max)?;
            let (node, windows) = counted(node);
            let (node, unnests) = sliced(node, self.bytes);
            let (node, joins) = shortened(node, row_bytes_max)?;
            Ok(if windows || unnests || joins { Transformed::yes(node) } else { Transformed::no(node) })
        })
        .data()
    }

    fn name(&self) -> &str {
        "guards"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A constant in a list of columns is copied into every row of every batch.
fn check_constants(node: &Arc<dyn ExecutionPlan>, bytes_max: usize) -> Result<()> {
    let any: &dyn std::any::Any = node.as_ref();
    let Some(projection) = any.downcast_ref::<ProjectionExec>() else { return Ok(()) };
    let mut bytes = 0;
    for column in projection.expr() {
        bytes += longest_constant(&column.expr)?;
    }
    match bytes > bytes_max {
        true => {
            plan_err!("constants of {bytes} bytes in every row are too many, at most {bytes_max} are copied")
        }
        false => Ok(()),
    }
}

fn longest_constant(expr: &Arc<dyn PhysicalExpr>) -> Result<usize> {
    let mut longest = 0;
    expr.apply(|expr| {
        let any: &dyn std::any::Any = expr.as_ref();
        if let Some(literal) = any.downcast_ref::<Literal>() {
            longest = longest.max(literal.value().size().saturating_sub(size_of_val(literal.value())));
        }
        // What a list is compared with is not copied, and functions take a constant as it is.
        Ok(match any.is::<InListExpr>() || any.is::<ScalarFunctionExpr>() {
            true => TreeNodeRecursion::Jump,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(longest)
}
