//! Looks through a plan, before anything of it is computed, for what grows without the engine's
//! memory pool noticing: functions that make long values, and constants that are copied into every row.
//!
//! DataFusion computes constant expressions while it plans, so this comes first of all.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{BinaryExpr, ScalarFunction, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, ScalarUDF, WindowFunctionDefinition};

use crate::QueryError;
use crate::capped::{Cap, Capped, cost_of};
use crate::joined::Joined;
use crate::stoppable::Stop;

/// Bytes of a text in the SQL, or made of such texts while planning.
pub(crate) const CONSTANT_BYTES_MAX: usize = 8 * 1024;

/// The same plan with a cap on every function that makes long values, or takes long for them. They
/// divide `bytes` between them.
pub(crate) fn tamed(plan: LogicalPlan, bytes: usize, stop: &Stop) -> Result<LogicalPlan, QueryError> {
    let mut calls = 0;
    let mut refused = None;
    let looked = each_expression(&plan, &mut |expr| {
        refused = refused.take().or_else(|| refusal(expr));
        calls += usize::from(is_growing(expr));
    });
    if let Some(refused) = refused {
        return Err(QueryError::Invalid(refused));
    }
    looked.map_err(QueryError::from_planning)?;
    if calls == 0 {
        return Ok(plan);
    }
    let cap = Cap { bytes: bytes / calls, stop: stop.clone() };
    let capped = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let capped = expr.transform_up(|expr| Ok(with_cap(expr, &cap)))?;
            Ok(capped.update_data(|expr| name.restore(expr)))
        })
    });
    capped.data().map_err(QueryError::from_planning)
}

fn each_expression(plan: &LogicalPlan, look: &mut impl FnMut(&Expr)) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                look(expr);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

/// Why an expression is not computed at all.
fn refusal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) if value.size() > CONSTANT_BYTES_MAX + size_of_val(value) => {
            let (is, may) = (value.size(), CONSTANT_BYTES_MAX);
            Some(format!("a constant has {is} bytes, at most {may} are read"))
        }
        // A million numbers are a short text here, even where there is none of them.
        Expr::Cast(cast) if has_fixed_size(cast.field.data_type()) => {
            Some("types of a fixed size are not available".to_owned())
        }
        Expr::TryCast(cast) if has_fixed_size(cast.field.data_type()) => {
            Some("types of a fixed size are not available".to_owned())
        }
        // Every row would hold all rows before it.
        Expr::WindowFunction(function) if gathers(function) => {
            Some(format!("{} cannot be used as a window function", function.fun.name()))
        }
        Expr::HigherOrderFunction(function) => {
            Some(format!("{} is not available: it takes a function", function.func.name()))
        }
        _ => None,
    }
}

fn has_fixed_size(of: &DataType) -> bool {
    match of {
        DataType::FixedSizeList(..) | DataType::FixedSizeBinary(_) => true,
        DataType::List(item) | DataType::LargeList(item) => has_fixed_size(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_fixed_size(field.data_type())),
        _ => false,
    }
}

fn gathers(function: &WindowFunction) -> bool {
    matches!(&function.fun, WindowFunctionDefinition::AggregateUDF(aggregate)
        if matches!(aggregate.name(), "array_agg" | "string_agg"))
}

fn is_growing(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => cost_of(call.func.name()).is_some(),
        Expr::BinaryExpr(binary) => binary.op == Operator::StringConcat && !is_joining(&binary.left),
        _ => false,
    }
}

fn is_joining(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat)
}

fn with_cap(expr: Expr, cap: &Cap) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(call) => match cost_of(call.func.name()) {
            Some(cost) if !Capped::is(&call.func) => {
                let capped = Capped::around(call.func, cost, cap.clone());
                Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(capped, call.args)))
            }
            _ => Transformed::no(Expr::ScalarFunction(call)),
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            // `a || b || c` is one call, that holds one text.
            let args = match *left {
                Expr::ScalarFunction(call) if call.func.name() == Joined::NAME => {
                    call.args.into_iter().chain([*right]).collect()
                }
                left => vec![left, *right],
            };
            let joined = Arc::new(ScalarUDF::new_from_impl(Joined::default()));
            let cost = cost_of(Joined::NAME).expect("joining texts has a cost: it is in the list");
            let joined = Capped::around(joined, cost, cap.clone());
            Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(joined, args)))
        }
        other => Transformed::no(other),
    }
}
