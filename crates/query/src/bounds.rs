//! How large a plan a short text may ask for.
//!
//! A thousand `+` are a tree a thousand deep, and walking it takes stack. Thirty common tables that
//! each join the one before with itself are a thousand million joins. Thirty structures that each hold
//! the one before twice have a type of a thousand million fields. All cost the planner more than any
//! limit of time or memory would notice in time, so all are counted first.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::QueryError;

/// Operators in a statement: each may make the tree one deeper.
pub(crate) const OPERATORS_MAX: usize = 1_000;
/// Structures in a statement: each may make a type twice as large.
const STRUCTURES_MAX: usize = 10;
/// Tables in a statement, those of common tables counted wherever these are used.
const RELATIONS_MAX: u64 = 200;

/// Counts operators and structures, before anything recursive looks at the text.
pub(crate) fn check_operators(sql: &str) -> Result<(), QueryError> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql)
        .tokenize()
        .map_err(|cause| QueryError::Invalid(format!("SQL error: {cause}")))?;
    let structures = tokens.iter().filter(|token| is_structure(token)).count();
    if structures > STRUCTURES_MAX {
        return Err(QueryError::Invalid(format!(
            "query makes {structures} structures, at most {STRUCTURES_MAX} are planned"
        )));
    }
    let operators = tokens.iter().filter(|token| is_operator(token)).count();
    match operators > OPERATORS_MAX {
        true => Err(QueryError::Invalid(format!(
            "query has {operators} operators, at most {OPERATORS_MAX} are planned"
        ))),
        false => Ok(()),
    }
}

fn is_structure(token: &Token) -> bool {
    const MAKERS: [&str; 6] = ["struct", "named_struct", "row", "map", "make_map", "arrays_zip"];
    match token {
        Token::Word(word) => MAKERS.iter().any(|maker| word.value.eq_ignore_ascii_case(maker)),
        Token::LBrace => true,
        _ => false,
    }
}

fn is_operator(token: &Token) -> bool {
    use Keyword::{
        AND, AT, BETWEEN, COLLATE, EXCEPT, ILIKE, IN, INTERSECT, INTERVAL, IS, JOIN, LATERAL, LIKE, NOT, OR,
        SIMILAR, UNION, WHEN,
    };
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            AND | AT
                | BETWEEN
                | COLLATE
                | EXCEPT
                | ILIKE
                | IN
                | INTERSECT
                | INTERVAL
                | IS
                | JOIN
                | LATERAL
                | LIKE
                | NOT
                | OR
                | SIMILAR
                | UNION
                | WHEN
        ),
        Token::EOF | Token::Whitespace(_) | Token::Number(..) | Token::Char(_) => false,
        Token::SingleQuotedString(_) | Token::Comma | Token::SemiColon | Token::Period => false,
        Token::LParen | Token::RParen | Token::RBracket | Token::RBrace => false,
        _ => true,
    }
}

/// Counts tables the way planning multiplies them.
pub(crate) fn check_relations(statement: &Statement) -> Result<(), QueryError> {
    let mut found = Found::default();
    let ControlFlow::Continue(()) = statement.visit(&mut found);
    let mut weights = Weights { bodies: &found.common, known: HashMap::new(), open: HashSet::new() };
    let relations = found.all.iter().fold(0_u64, |sum, name| sum.saturating_add(weights.of(name)));
    match relations > RELATIONS_MAX {
        true => Err(QueryError::Invalid(format!(
            "query reads {relations} tables, at most {RELATIONS_MAX} are planned"
        ))),
        false => Ok(()),
    }
}

/// The tables that a statement names, and those that each of its common tables names.
#[derive(Default)]
struct Found {
    all: Vec<String>,
    common: HashMap<String, Vec<String>>,
}

impl Visitor for Found {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        for common in query.with.iter().flat_map(|with| &with.cte_tables) {
            let mut names = Names::default();
            let ControlFlow::Continue(()) = common.query.visit(&mut names);
            self.common.entry(common.alias.name.value.to_lowercase()).or_default().extend(names.0);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Self::Break> {
        self.all.push(lower_case(relation));
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Names(Vec<String>);

impl Visitor for Names {
    type Break = std::convert::Infallible;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Self::Break> {
        self.0.push(lower_case(relation));
        ControlFlow::Continue(())
    }
}

fn lower_case(name: &ObjectName) -> String {
    name.to_string().replace('"', "").to_lowercase()
}

/// How many tables a name stands for.
struct Weights<'a> {
    bodies: &'a HashMap<String, Vec<String>>,
    known: HashMap<String, u64>,
    open: HashSet<String>,
}

impl Weights<'_> {
    fn of(&mut self, name: &str) -> u64 {
        if let Some(weight) = self.known.get(name) {
            return *weight;
        }
        // A common table that reads a table of its own name means the one outside.
        let Some(body) = self.bodies.get(name).filter(|_| self.open.insert(name.to_owned())) else {
            return 1;
        };
        let weight = body.iter().fold(0_u64, |sum, inner| sum.saturating_add(self.of(inner))).max(1);
        self.open.remove(name);
        self.known.insert(name.to_owned(), weight);
        weight
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn relations(sql: &str) -> Result<(), QueryError> {
        check_relations(&Parser::parse_sql(&GenericDialect {}, sql).expect("SQL")[0])
    }

    #[test]
    fn common_tables_count_wherever_they_are_used() {
        let doubling = |steps: usize| {
            let tables: Vec<String> =
                (1..=steps).map(|n| format!("t{n} AS (SELECT * FROM t{a}, t{a})", a = n - 1)).collect();
            format!("WITH t0 AS (SELECT 1), {} SELECT * FROM t{steps}", tables.join(", "))
        };
        assert!(relations(&doubling(3)).is_ok());
        for steps in [10, 60] {
            assert!(relations(&doubling(steps)).is_err(), "{steps}");
        }
    }

    #[test]
    fn a_common_table_may_have_a_tables_name() {
        assert!(relations("WITH events AS (SELECT * FROM events) SELECT * FROM events").is_ok());
    }

    #[test]
    fn structures_are_counted() {
        let nested = |times: usize, make: &str| {
            (0..times).fold("SELECT 1 AS m".to_owned(), |sql, _| format!("SELECT {make} AS m FROM ({sql})"))
        };
        for make in ["struct(m, m)", "named_struct('a', m, 'b', m)", "{a: m, b: m}", "MAP {m: m}"] {
            assert!(check_operators(&nested(4, make)).is_ok(), "{make}");
            assert!(check_operators(&nested(20, make)).is_err(), "{make}");
        }
    }

    #[test]
    fn operators_are_counted_and_lists_are_not() {
        let list = vec!["1"; 5_000].join(", ");
        assert!(check_operators(&format!("SELECT * FROM events WHERE status IN ({list})")).is_ok());
        assert!(check_operators(&vec!["1"; 5_000].join("+")).is_err());
        assert!(check_operators(&vec!["a"; 1_200].join(" OR ")).is_err());
        assert!(check_operators(&vec!["SELECT 1"; 1_200].join(" UNION ALL ")).is_err());
    }
}
