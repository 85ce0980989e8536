//! Which parameters are numbers of rows: what stands behind LIMIT and OFFSET, of which the planner
//! does not say what it is.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, LimitClause, Query, Value, Visit, Visitor};

/// Their names, like `$1`.
pub(crate) fn row_counts(statement: &Statement) -> BTreeSet<String> {
    let mut found = RowCounts(BTreeSet::new());
    let visited = match statement {
        Statement::Statement(sql) => sql.visit(&mut found),
        Statement::Explain(explain) => return row_counts(&explain.statement),
        _ => ControlFlow::Continue(()),
    };
    match visited {
        ControlFlow::Continue(()) => found.0,
    }
}

struct RowCounts(BTreeSet<String>);

impl Visitor for RowCounts {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let counts = match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                [limit.as_ref(), offset.as_ref().map(|offset| &offset.value)]
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => [Some(offset), Some(limit)],
            None => [None, None],
        };
        for count in counts.into_iter().flatten() {
            if let Expr::Value(value) = count
                && let Value::Placeholder(name) = &value.value
            {
                self.0.insert(name.clone());
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::parse;

    #[test]
    fn what_stands_behind_limit_and_offset_is_a_number_of_rows() {
        let sql = "SELECT $1 FROM (SELECT 1 LIMIT $2) x WHERE x = $3 LIMIT $4 OFFSET $5";
        let found = row_counts(&parse(sql).unwrap());
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["$2", "$4", "$5"]);
    }
}
