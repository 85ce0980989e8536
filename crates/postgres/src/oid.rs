//! PostgreSQL's types, as far as our columns and parameters have them.

use arrow::datatypes::{DataType, Schema};
use query::ParameterType;

use crate::error::SqlError;

/// Columns of an answer, as in PostgreSQL.
const COLUMNS_MAX: usize = 1_664;

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What a value is to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    One(Scalar),
    /// A list of them, in one dimension.
    Array(Scalar),
}

/// What is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Text,
    Bytea,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Interval,
}

impl Scalar {
    /// Name, oid, oid of its arrays, size.
    const ALL: [(Self, &'static str, u32, u32, i16); 15] = [
        (Self::Bool, "boolean", 16, 1000, 1),
        (Self::Int2, "smallint", 21, 1005, 2),
        (Self::Int4, "integer", 23, 1007, 4),
        (Self::Int8, "bigint", 20, 1016, 8),
        (Self::Oid, "oid", 26, 1028, 4),
        (Self::Float4, "real", 700, 1021, 4),
        (Self::Float8, "double precision", 701, 1022, 8),
        (Self::Numeric, "numeric", 1700, 1231, -1),
        (Self::Text, "text", 25, 1009, -1),
        (Self::Bytea, "bytea", 17, 1001, -1),
        (Self::Date, "date", 1082, 1182, 4),
        (Self::Time, "time without time zone", 1083, 1183, 8),
        (Self::Timestamp, "timestamp without time zone", 1114, 1115, 8),
        (Self::TimestampTz, "timestamp with time zone", 1184, 1185, 8),
        (Self::Interval, "interval", 1186, 1187, 16),
    ];

    fn row(self) -> (Self, &'static str, u32, u32, i16) {
        let row = Self::ALL.into_iter().find(|(kind, ..)| *kind == self);
        row.expect("every kind is in the list: a test counts them")
    }

    fn of(arrow: &DataType) -> Self {
        use DataType as D;
        match arrow {
            D::Boolean => Self::Bool,
            D::Int8 | D::UInt8 | D::Int16 => Self::Int2,
            D::UInt16 | D::Int32 => Self::Int4,
            D::UInt32 => Self::Oid,
            D::Int64 => Self::Int8,
            D::Float16 | D::Float32 => Self::Float4,
            D::Float64 => Self::Float8,
            D::UInt64 | D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
                Self::Numeric
            }
            D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => Self::Bytea,
            D::Date32 | D::Date64 => Self::Date,
            D::Time32(_) | D::Time64(_) => Self::Time,
            D::Timestamp(_, None) => Self::Timestamp,
            D::Timestamp(_, Some(_)) => Self::TimestampTz,
            D::Interval(_) | D::Duration(_) => Self::Interval,
            D::Dictionary(_, values) => Self::of(values),
            _ => Self::Text,
        }
    }
}

impl Kind {
    /// What a column of this Arrow type is. What PostgreSQL has nothing like, e.g. a list of lists, is text.
    pub(crate) fn of(arrow: &DataType) -> Self {
        use DataType as D;
        match arrow {
            D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) => match item.data_type() {
                nested if nested.is_nested() => Self::One(Scalar::Text),
                item => Self::Array(Scalar::of(item)),
            },
            other => Self::One(Scalar::of(other)),
        }
    }

    pub(crate) fn oid(self) -> u32 {
        match self {
            Self::One(scalar) => scalar.row().2,
            Self::Array(scalar) => scalar.row().3,
        }
    }

    pub(crate) fn size(self) -> i16 {
        match self {
            Self::One(scalar) => scalar.row().4,
            Self::Array(_) => -1,
        }
    }

    /// As `format_type` and `information_schema` call it.
    pub(crate) fn name(self) -> String {
        match self {
            Self::One(scalar) => scalar.row().1.to_owned(),
            Self::Array(scalar) => format!("{}[]", scalar.row().1),
        }
    }

    /// Every kind there is.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Scalar::ALL.into_iter().flat_map(|(scalar, ..)| [Self::One(scalar), Self::Array(scalar)])
    }
}

/// The columns of an answer.
pub(crate) fn columns(schema: &Schema) -> Result<Vec<Column>, SqlError> {
    let fields = schema.fields();
    if fields.len() > COLUMNS_MAX {
        let text = format!("the answer has {} columns, at most {COLUMNS_MAX} can be sent", fields.len());
        return Err(SqlError::new("54011", text));
    }
    let column = |field: &arrow::datatypes::FieldRef| Column {
        name: field.name().clone(),
        kind: Kind::of(field.data_type()),
    };
    Ok(fields.iter().map(column).collect())
}

/// What a client means by the oid of a parameter's type; `None` leaves it to us.
pub(crate) fn parameter_type(oid: u32) -> Result<Option<ParameterType>, SqlError> {
    use ParameterType as P;
    Ok(Some(match oid {
        0 | 705 => return Ok(None),
        16 => P::Bool,
        21 => P::Int16,
        23 => P::Int32,
        20 | 26 => P::Int64,
        700 => P::Float32,
        701 => P::Float64,
        1700 => P::Numeric,
        // text, varchar, bpchar, name, "char", json, jsonb, uuid, inet, cidr
        25 | 1043 | 1042 | 19 | 18 | 114 | 3802 | 2950 | 869 | 650 => P::Text,
        17 => P::Bytes,
        1082 => P::Date,
        1114 => P::Timestamp,
        1184 => P::TimestampTz,
        other => {
            let text = format!("a parameter cannot have the type with the oid {other}");
            return Err(
                SqlError::new("0A000", text).with_hint("send it as text, and CAST it in the statement")
            );
        }
    }))
}

/// The oid of a parameter's type that we found out.
pub(crate) fn parameter_oid(kind: ParameterType) -> u32 {
    use ParameterType as P;
    let scalar = match kind {
        P::Bool => Scalar::Bool,
        P::Int16 => Scalar::Int2,
        P::Int32 => Scalar::Int4,
        P::Int64 => Scalar::Int8,
        P::Float32 => Scalar::Float4,
        P::Float64 => Scalar::Float8,
        P::Numeric => Scalar::Numeric,
        P::Text => Scalar::Text,
        P::Bytes => Scalar::Bytea,
        P::Date => Scalar::Date,
        P::Timestamp => Scalar::Timestamp,
        P::TimestampTz => Scalar::TimestampTz,
    };
    Kind::One(scalar).oid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parameter_is_told_to_be_it_is() {
        use ParameterType as P;
        for kind in [P::Bool, P::Int16, P::Int32, P::Int64, P::Float32, P::Float64, P::Numeric] {
            assert_eq!(parameter_type(parameter_oid(kind)).unwrap(), Some(kind));
        }
        for kind in [P::Text, P::Bytes, P::Date, P::Timestamp, P::TimestampTz] {
            assert_eq!(parameter_type(parameter_oid(kind)).unwrap(), Some(kind));
        }
    }

    #[test]
    fn a_list_of_texts_is_an_array_and_a_list_of_lists_is_text() {
        let texts = DataType::new_list(DataType::Utf8, true);
        assert_eq!(Kind::of(&texts).name(), "text[]");
        assert_eq!(Kind::of(&DataType::new_list(texts, true)).name(), "text");
    }

    #[test]
    fn every_kind_has_an_oid_of_its_own() {
        let mut oids: Vec<u32> = Kind::all().map(Kind::oid).collect();
        oids.sort_unstable();
        oids.dedup();
        assert_eq!(oids.len(), 30);
    }
}
