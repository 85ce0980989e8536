//! `fingerprint('raw token')`: what stands in the tables in a token's place.
//!
//! The raw token is a secret, and a plan is printed in many places: column names, errors, EXPLAIN. So
//! the call is replaced by the fingerprint before there is a plan, and takes nothing but a text.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value, VisitMut, VisitorMut,
};

use crate::QueryError;
use crate::error::without_quotes;

const NAME: &str = "fingerprint";

/// Makes a raw secret's fingerprint.
#[derive(Clone)]
pub(crate) struct Fingerprinting(pub(crate) Arc<dyn Fn(&str) -> String + Send + Sync>);

impl fmt::Debug for Fingerprinting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinting")
    }
}

/// An error of a statement that could not be read. Its text quotes the statement, so it is left out
/// where that may name a secret.
pub(crate) fn unread(error: QueryError, sql: &str) -> QueryError {
    match error {
        QueryError::Invalid(_) if may_name(sql) => QueryError::Invalid(
            "SQL error: the statement cannot be read; where is left out, because it may name a secret"
                .to_owned(),
        ),
        other => other,
    }
}

/// An error of a statement that was read. If that may still name a secret, in a place where
/// `fingerprint` has no meaning, what is quoted is left out.
pub(crate) fn kept(error: QueryError, sql: &str) -> QueryError {
    match error {
        QueryError::Invalid(text) if may_name(sql) => QueryError::Invalid(without_quotes(&text)),
        other => other,
    }
}

fn may_name(sql: &str) -> bool {
    sql.to_ascii_lowercase().contains(NAME)
}

/// Replaces every call by the fingerprint.
pub(crate) fn replace(statement: &mut Statement, with: Option<&Fingerprinting>) -> Result<(), QueryError> {
    let found = match statement {
        Statement::Statement(sql) => sql.visit(&mut Calls { with }),
        Statement::Explain(explain) => return replace(&mut explain.statement, with),
        _ => ControlFlow::Continue(()),
    };
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(problem) => Err(QueryError::Invalid(problem.to_owned())),
    }
}

struct Calls<'a> {
    with: Option<&'a Fingerprinting>,
}

impl VisitorMut for Calls<'_> {
    type Break = &'static str;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        if !call.name.to_string().trim_matches('"').eq_ignore_ascii_case(NAME) {
            return ControlFlow::Continue(());
        }
        let Some(with) = self.with else {
            return ControlFlow::Break("fingerprint is not available: this server has no pepper for it");
        };
        let FunctionArguments::List(list) = &call.args else { return ControlFlow::Break(TAKES_A_TEXT) };
        let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = list.args.as_slice() else {
            return ControlFlow::Break(TAKES_A_TEXT);
        };
        let Value::SingleQuotedString(raw) = &value.value else { return ControlFlow::Break(TAKES_A_TEXT) };
        *expr = Expr::value(Value::SingleQuotedString((with.0)(raw)));
        ControlFlow::Continue(())
    }
}

const TAKES_A_TEXT: &str = "fingerprint takes one text, written out in single quotes";
