//! Values for `$1`, `$2`, ...: put into the statement once it has been read, so that no value is
//! ever taken for SQL.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, ExactNumberInfo, Expr, TimezoneInfo, Value, Visit, VisitMut, Visitor,
    VisitorMut,
};

use crate::QueryError;

/// Parameters of a statement.
const PARAMETERS_MAX: usize = 1_000;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// True or false.
    Bool,
    /// 16 bits.
    Int16,
    /// 32 bits.
    Int32,
    /// 64 bits.
    Int64,
    /// 32 bits.
    Float32,
    /// 64 bits.
    Float64,
    /// A decimal number.
    Numeric,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A day.
    Date,
    /// A time on some clock.
    Timestamp,
    /// A moment.
    TimestampTz,
}

/// A value for a placeholder.
#[derive(Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its type.
    pub kind: ParameterType,
    /// It as SQL writes it between quotes, bytes in hex; `None` is NULL.
    pub value: Option<String>,
}

impl std::fmt::Debug for Parameter {
    /// A value may be somebody's secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parameter").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl ParameterType {
    /// The type that holds an Arrow type's values best.
    pub fn of(arrow: &DataType) -> Self {
        use DataType as D;
        match arrow {
            D::Boolean => Self::Bool,
            D::Int8 | D::UInt8 | D::Int16 => Self::Int16,
            D::UInt16 | D::Int32 => Self::Int32,
            D::UInt32 | D::Int64 => Self::Int64,
            D::Float16 | D::Float32 => Self::Float32,
            D::Float64 => Self::Float64,
            D::UInt64 | D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
                Self::Numeric
            }
            D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => Self::Bytes,
            D::Date32 | D::Date64 => Self::Date,
            D::Timestamp(_, None) => Self::Timestamp,
            D::Timestamp(_, Some(_)) => Self::TimestampTz,
            _ => Self::Text,
        }
    }

    fn sql(self) -> SqlType {
        match self {
            Self::Bool => SqlType::Boolean,
            Self::Int16 => SqlType::SmallInt(None),
            Self::Int32 => SqlType::Int(None),
            Self::Int64 => SqlType::BigInt(None),
            Self::Float32 => SqlType::Real,
            Self::Float64 => SqlType::DoublePrecision,
            Self::Numeric => SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(38, 10)),
            Self::Text => SqlType::Varchar(None),
            Self::Bytes => SqlType::Bytea,
            Self::Date => SqlType::Date,
            Self::Timestamp => SqlType::Timestamp(None, TimezoneInfo::None),
            Self::TimestampTz => SqlType::Timestamp(None, TimezoneInfo::WithTimeZone),
        }
    }
}

impl Parameter {
    fn expr(&self) -> Expr {
        let value = match (self.kind, &self.value) {
            // As they are: `LIMIT` takes no other number, and `fingerprint` no other text.
            (ParameterType::Int64, Some(number)) => return Expr::value(Value::Number(number.clone(), false)),
            (ParameterType::Text, Some(text)) => {
                return Expr::value(Value::SingleQuotedString(text.clone()));
            }
            (ParameterType::Bytes, Some(hex)) => return Expr::value(Value::HexStringLiteral(hex.clone())),
            (_, Some(text)) => Value::SingleQuotedString(text.clone()),
            (_, None) => Value::Null,
        };
        Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(Expr::value(value)),
            data_type: self.kind.sql(),
            array: false,
            format: None,
        }
    }
}

/// What is known of the parameters.
pub(crate) enum Given {
    /// Their values.
    Values(Vec<Parameter>),
    /// The types of some; the others stay as they are.
    Types(Vec<Option<ParameterType>>),
}

impl Given {
    fn get(&self, index: usize) -> Result<Option<Parameter>, String> {
        match self {
            Self::Values(values) => match values.get(index) {
                Some(value) => Ok(Some(value.clone())),
                None => Err(format!("there is no value for ${}: {} were given", index + 1, values.len())),
            },
            Self::Types(types) => {
                Ok(types.get(index).copied().flatten().map(|kind| Parameter { kind, value: None }))
            }
        }
    }
}

/// Puts what is given in the placeholders' place.
pub(crate) fn put(statement: &mut Statement, given: &Given) -> Result<(), QueryError> {
    let put = match statement {
        Statement::Statement(sql) => sql.visit(&mut Put { given }),
        Statement::Explain(explain) => return put(&mut explain.statement, given),
        _ => ControlFlow::Continue(()),
    };
    match put {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(problem) => Err(QueryError::Invalid(problem)),
    }
}

struct Put<'a> {
    given: &'a Given,
}

impl VisitorMut for Put<'_> {
    type Break = String;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        let Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        match number(name).and_then(|number| self.given.get(number - 1)) {
            Ok(Some(parameter)) => *expr = parameter.expr(),
            Ok(None) => {}
            Err(problem) => return ControlFlow::Break(problem),
        }
        ControlFlow::Continue(())
    }
}

fn number(name: &str) -> Result<usize, String> {
    let number = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
    let number = number.filter(|number| (1..=PARAMETERS_MAX).contains(number));
    number.ok_or_else(|| format!("{name} is no parameter: they are $1 to ${PARAMETERS_MAX}"))
}

/// How many parameters a statement takes: the highest of their numbers.
pub(crate) fn placeholders(statement: &Statement) -> Result<usize, QueryError> {
    let mut found = Highest(0);
    let visited = match statement {
        Statement::Statement(sql) => sql.visit(&mut found),
        Statement::Explain(explain) => return placeholders(&explain.statement),
        _ => ControlFlow::Continue(()),
    };
    match visited {
        ControlFlow::Continue(()) => Ok(found.0),
        ControlFlow::Break(problem) => Err(QueryError::Invalid(problem)),
    }
}

struct Highest(usize);

impl Visitor for Highest {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(name) = &value.value
        {
            match number(name) {
                Ok(number) => self.0 = self.0.max(number),
                Err(problem) => return ControlFlow::Break(problem),
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::parse;

    fn with(sql: &str, parameters: &[(ParameterType, Option<&str>)]) -> Result<String, String> {
        let mut statement = parse(sql).map_err(|error| error.to_string())?;
        let values =
            parameters.iter().map(|(kind, value)| Parameter { kind: *kind, value: value.map(str::to_owned) });
        put(&mut statement, &Given::Values(values.collect())).map_err(|error| error.to_string())?;
        Ok(statement.to_string())
    }

    #[test]
    fn a_value_is_never_read_as_sql() {
        let text = "x' OR tenant <> '; DROP TABLE events --";
        let sql = with("SELECT $1", &[(ParameterType::Text, Some(text))]).unwrap();
        assert_eq!(sql, "SELECT 'x'' OR tenant <> ''; DROP TABLE events --'");
    }

    #[test]
    fn a_value_has_the_type_that_was_said() {
        let given = [(ParameterType::Int32, Some("7")), (ParameterType::TimestampTz, None)];
        let sql = with("SELECT $2, $1 LIMIT 3", &given).unwrap();
        assert_eq!(sql, "SELECT CAST(NULL AS TIMESTAMP WITH TIME ZONE), CAST('7' AS INT) LIMIT 3");
    }

    #[test]
    fn a_value_that_is_missing_is_named() {
        let error = with("SELECT $2", &[(ParameterType::Text, None)]).unwrap_err();
        assert_eq!(error, "there is no value for $2: 1 were given");
        assert!(with("SELECT $0", &[]).unwrap_err().contains("$0 is no parameter"));
        assert!(with("SELECT $99999999999999999999", &[]).unwrap_err().contains("is no parameter"));
    }
}
