//! Which filters may run beside the wall: those that cannot fail, and so cannot tell.
//!
//! A filter that reaches storage may be evaluated on rows of other partners before these are
//! dropped. Comparing a column with a constant is harmless. `CAST(user_ref AS INT) = 1` is not:
//! it fails with the text that does not convert. So only comparisons are let through, for pruning,
//! and everything is evaluated again on this side of the wall.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// Whether a filter is made of comparisons of columns with constants only.
pub(crate) fn is_plain(filter: &Expr) -> bool {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            is_plain(left) && is_plain(right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            is_comparison(*op) && is_leaf(left) && is_leaf(right)
        }
        Expr::Not(inner) => is_plain(inner),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_leaf(inner),
        Expr::InList(list) => is_leaf(&list.expr) && list.list.iter().all(is_leaf),
        Expr::Between(between) => is_leaf(&between.expr) && is_leaf(&between.low) && is_leaf(&between.high),
        other => is_leaf(other),
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn is_leaf(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(_) | Expr::Literal(..))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::DataType;
    use datafusion::logical_expr::{cast, col, lit};

    use super::*;

    #[test]
    fn comparisons_are_plain() {
        let between = col("time").between(lit(1), lit(2));
        let list = col("action").in_list(vec![lit("a"), lit("b")], false);
        assert!(is_plain(&col("tenant").eq(lit("a")).and(between).or(list)));
    }

    #[test]
    fn whatever_may_fail_is_not() {
        let converts = cast(col("user_ref"), DataType::Int32).eq(lit(1));
        let divides = (lit(1) / col("status")).gt(lit(0));
        assert!(!is_plain(&converts));
        assert!(!is_plain(&divides));
        assert!(!is_plain(&col("tenant").eq(lit("a")).and(converts)));
    }
}
