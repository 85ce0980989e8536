//! From PostgreSQL's SQL, as clients write it, to the engine's.
//!
//! A statement is only made smaller or renamed: names of the catalog get their schema, types and
//! operators that the engine does not have become those that it has, and a `SELECT` from a table that
//! is always empty becomes nothing at once, since it may be written in ways that cannot be planned.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Ident, Join, JoinOperator, ObjectName, ObjectNamePart, Query, Select,
    SelectItem, SetExpr, Statement, TableFactor, TableWithJoins, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use super::functions::{NAME_OF, OID_OF};
use super::tables;

/// The schema that `information_schema` stands for: the engine has one of its own under that name.
pub(crate) const INFORMATION: &str = "information";

const PG_CATALOG: &str = "pg_catalog";
const INFORMATION_SCHEMA: &str = "information_schema";

/// Aggregates make one row of none.
const AGGREGATES: [&str; 8] =
    ["count", "sum", "min", "max", "string_agg", "array_agg", "bool_or", "bool_and"];

/// Makes a statement one of the engine's.
pub(super) fn translate(statement: &mut Statement) {
    let mut common = CommonTables::default();
    let ControlFlow::Continue(()) = statement.visit(&mut common);
    let ControlFlow::Continue(()) = statement.visit(&mut Translation { common: common.0 });
}

/// The names of common tables: they hide the catalog's.
#[derive(Default)]
struct CommonTables(HashSet<String>);

impl VisitorMut for CommonTables {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(names.map(|common| common.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }
}

struct Translation {
    common: HashSet<String>,
}

impl VisitorMut for Translation {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        if self.empty(&mut query.body) {
            query.order_by = None;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Self::Break> {
        let parts = names(relation);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            [table] if self.is_of_catalog(table) => {
                relation.0.insert(0, part(PG_CATALOG));
            }
            [.., INFORMATION_SCHEMA, table] => {
                *relation = ObjectName(vec![part(INFORMATION), part(table)]);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Subquery(query) = expr
            && let SetExpr::Select(select) = &mut *query.body
        {
            self.make_one_row(select);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Function(function) => {
                translate_function(function);
                if is_array_of_query(function) {
                    *expr = call("make_array", Vec::new());
                }
            }
            Expr::Collate { expr: inner, .. } => *expr = (**inner).clone(),
            Expr::BinaryOp { op, .. } => translate_operator(op),
            Expr::Cast { .. } => translate_cast(expr),
            Expr::Identifier(name) if is_word(name, "current_schema") => {
                *expr = call("current_schema", Vec::new());
            }
            Expr::CompoundIdentifier(parts) if parts.len() > 2 && is_word(&parts[0], INFORMATION_SCHEMA) => {
                parts[0] = Ident::new(INFORMATION);
            }
            // Grafana spells out the search path.
            Expr::InSubquery { expr: inner, subquery, negated }
                if subquery.to_string().contains("search_path") =>
            {
                let public = Expr::value(Value::SingleQuotedString("public".to_owned()));
                *expr = Expr::InList { expr: inner.clone(), list: vec![public], negated: *negated };
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Translation {
    fn is_of_catalog(&self, table: &str) -> bool {
        tables::is_known(table) && !self.common.contains(table)
    }

    /// The name of a relation of the catalog.
    fn of_catalog(&self, factor: &TableFactor) -> Option<String> {
        let TableFactor::Table { name, args: None, .. } = factor else { return None };
        let mut parts = names(name);
        let table = parts.pop()?;
        let is_of_catalog = match parts.pop() {
            Some(schema) => schema == PG_CATALOG,
            None => self.is_of_catalog(&table),
        };
        is_of_catalog.then_some(table)
    }

    /// Whether a relation is one of the catalog's that never have rows.
    fn is_empty(&self, factor: &TableFactor) -> bool {
        self.of_catalog(factor).is_some_and(|table| tables::is_empty(&table))
    }

    /// Clients look for one row of the catalog by its number, where the engine wants to be sure that
    /// there is no other.
    fn make_one_row(&self, select: &mut Select) {
        let [from] = select.from.as_slice() else { return };
        let has_rows = |table: String| !tables::is_empty(&table);
        let is_plain = from.joins.is_empty()
            && !is_grouped(select)
            && self.of_catalog(&from.relation).is_some_and(has_rows);
        let [SelectItem::UnnamedExpr(value)] = select.projection.as_mut_slice() else { return };
        if is_plain && Visit::visit(&*value, &mut Aggregate { within: 0 }).is_continue() {
            *value = call("min", vec![value.clone()]);
        }
    }

    /// Empties what reads from such tables; says whether nothing else is left.
    fn empty(&self, body: &mut SetExpr) -> bool {
        match body {
            SetExpr::Select(select) => self.empty_select(select),
            SetExpr::SetOperation { left, right, .. } => {
                let (left, right) = (self.empty(left), self.empty(right));
                left && right
            }
            _ => false,
        }
    }

    fn empty_select(&self, select: &mut Select) -> bool {
        let is_empty = select.from.iter().any(|from| self.is_empty_join(from));
        let aggregates = |item: &SelectItem| item.visit(&mut Aggregate { within: 0 }).is_break();
        if !is_empty || !is_grouped(select) && select.projection.iter().any(aggregates) {
            return false;
        }
        let Some(names) = select.projection.iter().map(name_of).collect::<Option<Vec<_>>>() else {
            return false;
        };
        select.projection = nulls(names);
        select.from.clear();
        select.distinct = None;
        select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
        select.having = None;
        select.selection = Some(Expr::value(Value::Boolean(false)));
        true
    }

    /// Whether tables joined have no rows because one of them has none.
    fn is_empty_join(&self, from: &TableWithJoins) -> bool {
        use JoinOperator::{CrossJoin, Inner, Join as Plain, Left, LeftOuter};
        let keeps_left = |join: &Join| {
            matches!(join.join_operator, CrossJoin(_) | Inner(_) | Plain(_) | Left(_) | LeftOuter(_))
        };
        let needs_right = |join: &Join| matches!(join.join_operator, CrossJoin(_) | Inner(_) | Plain(_));
        from.joins.iter().all(keeps_left)
            && (self.is_empty(&from.relation)
                || from.joins.iter().any(|join| needs_right(join) && self.is_empty(&join.relation)))
    }
}

fn is_grouped(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
}

/// Looks for an aggregate that is not one of a sub-query.
struct Aggregate {
    within: usize,
}

impl Visitor for Aggregate {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.within += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.within -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) if self.within == 0 => {
                let name = names(&function.name).pop().unwrap_or_default();
                if AGGREGATES.contains(&name.as_str()) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The name that a column has; `None` for many at once.
fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(expr) => Some(match expr {
            Expr::Identifier(name) => name.value.clone(),
            Expr::CompoundIdentifier(parts) => parts.last()?.value.clone(),
            Expr::Function(function) => names(&function.name).pop()?,
            _ => "?column?".to_owned(),
        }),
        _ => None,
    }
}

fn nulls(names: Vec<String>) -> Vec<SelectItem> {
    let mut taken = HashSet::new();
    let column = |name: String| {
        let mut own = name.clone();
        let mut number = 1;
        while !taken.insert(own.clone()) {
            own = format!("{name}_{number}");
            number += 1;
        }
        SelectItem::ExprWithAlias {
            expr: cast(Expr::value(Value::Null), DataType::Varchar(None)),
            alias: Ident::with_quote('"', own),
        }
    };
    names.into_iter().map(column).collect()
}

fn names(name: &ObjectName) -> Vec<String> {
    let part = |part: &ObjectNamePart| match part.as_ident() {
        Some(name) if name.quote_style.is_some() => name.value.clone(),
        Some(name) => name.value.to_lowercase(),
        None => part.to_string(),
    };
    name.0.iter().map(part).collect()
}

fn part(name: &str) -> ObjectNamePart {
    ObjectNamePart::Identifier(Ident::new(name))
}

fn is_word(name: &Ident, word: &str) -> bool {
    name.quote_style.is_none() && name.value.eq_ignore_ascii_case(word)
}

fn translate_function(function: &mut Function) {
    let parts = names(&function.name);
    if let [schema, name] = parts.as_slice()
        && (schema == PG_CATALOG || schema == INFORMATION_SCHEMA)
    {
        function.name = ObjectName(vec![part(name)]);
    }
    // `current_user` is called without brackets.
    if matches!(function.args, FunctionArguments::None) {
        let nothing =
            FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() };
        function.args = FunctionArguments::List(nothing);
    }
}

/// `ARRAY(SELECT …)` is not there, and where clients write it there is nothing to select.
fn is_array_of_query(function: &Function) -> bool {
    matches!(function.args, FunctionArguments::Subquery(_))
        && names(&function.name).first().is_some_and(|name| name == "array")
}

fn translate_operator(op: &mut BinaryOperator) {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return };
    let known = match parts.last().map(String::as_str) {
        Some("~") => BinaryOperator::PGRegexMatch,
        Some("~*") => BinaryOperator::PGRegexIMatch,
        Some("!~") => BinaryOperator::PGRegexNotMatch,
        Some("!~*") => BinaryOperator::PGRegexNotIMatch,
        Some("~~") => BinaryOperator::PGLikeMatch,
        Some("!~~") => BinaryOperator::PGNotLikeMatch,
        Some("=") => BinaryOperator::Eq,
        Some("<>") => BinaryOperator::NotEq,
        _ => return,
    };
    *op = known;
}

fn translate_cast(expr: &mut Expr) {
    let Expr::Cast { expr: inner, data_type, .. } = expr else { return };
    let name = match data_type {
        DataType::Regclass => "regclass".to_owned(),
        DataType::Custom(name, _) => names(name).pop().unwrap_or_default(),
        DataType::JSON
        | DataType::JSONB
        | DataType::Uuid
        | DataType::Character(_)
        | DataType::CharacterVarying(_)
        | DataType::CharVarying(_)
        | DataType::Nvarchar(_) => "text".to_owned(),
        _ => return,
    };
    match name.as_str() {
        "regclass" => {
            let is_text =
                matches!(&**inner, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
            *expr = call(if is_text { OID_OF } else { NAME_OF }, vec![(**inner).clone()]);
        }
        "oid" | "xid" | "cid" => *data_type = DataType::Int4Unsigned(None),
        "int2" => *data_type = DataType::SmallInt(None),
        "int4" => *data_type = DataType::Int(None),
        "int8" => *data_type = DataType::BigInt(None),
        "float4" => *data_type = DataType::Real,
        "float8" => *data_type = DataType::DoublePrecision,
        _ => *data_type = DataType::Varchar(None),
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName(vec![part(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn translated(sql: &str) -> String {
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        translate(&mut statement);
        statement.to_string()
    }

    #[test]
    fn tables_of_the_catalog_get_their_schema_and_others_stay() {
        assert_eq!(translated("SELECT 1 FROM pg_class, events"), "SELECT 1 FROM pg_catalog.pg_class, events");
        assert_eq!(
            translated("SELECT 1 FROM information_schema.columns"),
            "SELECT 1 FROM information.columns"
        );
        let hidden = "WITH pg_class AS (SELECT 1 AS x) SELECT x FROM pg_class";
        assert_eq!(translated(hidden), hidden);
    }

    #[test]
    fn what_reads_from_an_empty_table_is_nothing() {
        assert_eq!(
            translated("SELECT p.polname, NULL, NULL FROM pg_catalog.pg_policy p JOIN x ON true ORDER BY 1"),
            "SELECT CAST(NULL AS VARCHAR) AS \"polname\", CAST(NULL AS VARCHAR) AS \"?column?\", \
             CAST(NULL AS VARCHAR) AS \"?column?_1\" WHERE false"
        );
        let counted = "SELECT count(*) FROM pg_catalog.pg_policy";
        assert_eq!(translated(counted), counted);
        let kept =
            "SELECT c.relname FROM pg_catalog.pg_class AS c LEFT JOIN pg_catalog.pg_index AS i ON true";
        assert_eq!(translated(kept), kept);
    }

    #[test]
    fn one_row_of_the_catalog_is_asked_for_as_one() {
        assert_eq!(
            translated(
                "SELECT (SELECT c.relkind = 'c' FROM pg_class c WHERE c.oid = t.typrelid) FROM pg_type t"
            ),
            "SELECT (SELECT min(c.relkind = 'c') FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid) \
             FROM pg_catalog.pg_type t"
        );
        assert_eq!(
            translated(
                "SELECT (SELECT d.adbin FROM pg_attrdef d WHERE d.adnum = a.attnum) FROM pg_attribute a"
            ),
            "SELECT (SELECT CAST(NULL AS VARCHAR) AS \"adbin\" WHERE false) FROM pg_catalog.pg_attribute a"
        );
        let ours = "SELECT (SELECT message FROM events) FROM events";
        assert_eq!(translated(ours), ours);
    }

    #[test]
    fn operators_types_and_functions_become_those_there_are() {
        assert_eq!(
            translated("SELECT relname OPERATOR(pg_catalog.~) '^(a)$' COLLATE pg_catalog.default"),
            "SELECT relname ~ '^(a)$'"
        );
        assert_eq!(
            translated("SELECT pg_catalog.version(), 'events'::pg_catalog.regclass, c.oid::regclass::text"),
            "SELECT version(), wf_regclass_oid('events'), wf_regclass_name(c.oid)::TEXT"
        );
        assert_eq!(translated("SELECT current_user"), "SELECT current_user()");
    }
}
